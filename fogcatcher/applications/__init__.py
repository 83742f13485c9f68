"""What else a trained denoiser knows: classes without training, parts of pictures, classifiers."""
