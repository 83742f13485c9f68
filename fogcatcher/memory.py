"""How much memory this process has needed."""

from __future__ import annotations

import sys


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, in MB; nan where nobody counts it."""
    try:
        import resource  # not on Windows
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
