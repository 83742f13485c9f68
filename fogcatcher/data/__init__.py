"""Pictures in and out: reading folders, what labels mean, the built-in sprites, sheets."""
