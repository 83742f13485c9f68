"""What drawing with a trained model takes, in numpy alone: nothing here imports torch."""
