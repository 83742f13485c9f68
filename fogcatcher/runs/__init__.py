"""One training run on disk: prepared, followed, recorded, and taken up again."""
