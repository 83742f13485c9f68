"""Pictures as latents of an autoencoder: a kind of data, and the autoencoder on disk."""
