"""Judging: how far a set of generated pictures lies from a set of real ones."""
