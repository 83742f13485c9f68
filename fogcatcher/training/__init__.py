"""The training loop, its averages and its checkpoints."""
