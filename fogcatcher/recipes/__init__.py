"""Where names become objects: the config tree, and the one place that builds from it."""
