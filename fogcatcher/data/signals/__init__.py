"""Signals as a kind of data: channels x length, from NumPy and CSV files."""
