"""From noise to data: at which times, by which step, and how likely a sample is."""
