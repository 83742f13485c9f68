"""Models of other programs: reading what they wrote."""
