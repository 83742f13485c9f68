"""Forty kills of a studio's workers and service:  python benchmarks/studio_kills.py [KILLS]

A training and ten drawings wait while they are killed at random moments. At the end every job is done, once,
and the weights are those of a training that nobody disturbed; else an assertion says what is wrong.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.studio.test_kills import killed_at_random

KILLS = 40


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        killed_at_random(Path(name), kills, seed=0)
    took = time.monotonic() - start
    print(f"{kills} kills in {took:.0f} s: no job lost, none done twice, the weights as unbroken")


if __name__ == "__main__":
    main()
