"""One thread at a time reads Python source as a tree."""

from __future__ import annotations

import threading

PARSING = threading.RLock()
"""Held around ``ast.parse`` and what calls it. Python 3.11 counts the depth of all trees that are being built
together, and raises SystemError ("recursion depth mismatch") where two threads build one at the same time."""
