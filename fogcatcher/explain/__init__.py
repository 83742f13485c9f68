"""What happens when a model draws, and settings side by side: as arrays, as pictures, as a page."""
