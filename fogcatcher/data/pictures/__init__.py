"""Pictures as one kind of data: files, sizes, pixel art, palettes, twins, augmentation."""
