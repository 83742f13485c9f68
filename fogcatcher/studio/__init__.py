"""The whole program in a browser: a service on this machine, a worker, and a page."""
