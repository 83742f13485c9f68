"""The command line: thin readers of the same functions that Python users call."""
