"""Does training take as long as was said beforehand?

    python benchmarks/forecast.py DATA [DATA ...] [--minutes 1.5]

For each data set ``--minutes M`` plans a number of steps, a forecast (``--dry-run``) says how long they take,
and the run trains, with its log, previews, checks and checkpoints. Printed are the time it took as a share of
what was asked for, and of the forecast; both should lie between 0.8 and 1.2.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from fogcatcher.runs.follow import follow
from fogcatcher.runs.forecast import forecast
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+")
    parser.add_argument("--minutes", type=float, default=1.5)
    a = parser.parse_args()
    for data in a.data:
        out = Path(tempfile.mkdtemp(prefix="forecast-")) / "run"
        run = prepare(Setup(data, out, minutes=a.minutes))
        said = forecast(run)
        expected = said.steps * said.seconds_per_step
        start = time.perf_counter()
        for _ in follow(run):
            pass
        took = time.perf_counter() - start
        print(
            f"{data}: asked for {60 * a.minutes:.0f} s, forecast {expected:.0f} s for {said.steps:,} steps, "
            f"took {took:.0f} s: {took / 60 / a.minutes:.2f} of what was asked, "
            f"{took / expected:.2f} of the forecast",
            flush=True,
        )


if __name__ == "__main__":
    main()
