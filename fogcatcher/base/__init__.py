"""What everything stands on: errors, files, memory, processes, devices, typed JSON, one colour space."""
