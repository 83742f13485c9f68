"""What the site needs beside Sphinx: each file is one extension of it."""
