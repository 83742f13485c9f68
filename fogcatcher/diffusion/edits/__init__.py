"""Changing a picture instead of drawing a new one: every kind of edit has a file of its own."""
