"""The mathematics: how data are noised, what a denoiser is, what training minimises, how one guides."""
