"""What a run writes down as it goes: one line of JSON for every ten steps, and one for every check."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fogcatcher.base.disk import open_to_append, write_text
from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import parsed, plain_bytes
from fogcatcher.base.typed_json import AnyFloat, Range, typed
from fogcatcher.runs.loggers import Logger
from fogcatcher.training.fit import Progress

LOG_EVERY = 10
METRICS, CHECKS = "metrics.jsonl", "checks.jsonl"
MOST_BYTES = 10**9
FIGURES: Mapping[str, Any] = {
    **dict.fromkeys(("loss", "gradient_norm", "learning_rate", "seconds_per_step"), AnyFloat),
    **dict.fromkeys(("kernel_distance", "copied", "chance", "training_loss", "held_out_loss"), AnyFloat),
    "levels": list[Mapping[str, AnyFloat]],
}
"""What those who read a row compute with; any may be missing, or null."""
LEVEL = {"sigma", "training", "held_out", "zero", "gaussian"}
"""What ``levels`` say at each noise level."""


class RowLog:
    """A file of one JSON object per line, in the order of their steps."""

    def __init__(self, path: Path, step: int, loggers: Sequence[Logger] = ()) -> None:
        """Open the log of a run at ``step``; lines of later steps, from before a crash, are dropped.

        ``loggers`` hear every new row.
        """
        self._path, self._loggers = path, loggers
        self.rows = [row for row in read_rows(path) if row["step"] <= step]
        if os.path.lexists(path):  # also a link to nothing: it becomes a file of its own
            self.write_again()

    def write_again(self) -> None:
        """Write all that is known of the log."""
        write_text(self._path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def add(self, row: Mapping[str, Any]) -> None:
        with open_to_append(self._path) as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(dict(row))
        for logger in self._loggers:
            logger.add(row)


class MetricsLog:
    """``metrics.jsonl``: one line for every ten steps, with their mean loss."""

    def __init__(self, path: Path, step: int, loggers: Sequence[Logger] = ()) -> None:
        self._log = RowLog(path, step, loggers)
        self._pending: list[Progress] = []
        self._since = time.monotonic()

    @property
    def is_flushed(self) -> bool:
        return not self._pending

    def add(self, progress: Progress) -> None:
        self._pending.append(progress)
        if progress.step % LOG_EVERY == 0:
            self.flush()

    def write_again(self) -> None:
        self._log.write_again()

    def flush(self) -> None:
        """Write what is pending as one line."""
        if not self._pending:
            return
        last, count, now = self._pending[-1], len(self._pending), time.monotonic()
        self._log.add(
            {
                "step": last.step,
                "loss": sum(p.loss for p in self._pending) / count,
                "gradient_norm": max(p.gradient_norm for p in self._pending),
                "learning_rate": last.learning_rate,
                "seconds_per_step": round((now - self._since) / count, 5),
            }
        )
        self._pending, self._since = [], now


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log; lines that a crash cut short, or that are damaged otherwise, are left out.

    Raises UserError where it is no file that can be read.
    """
    try:
        content = plain_bytes(path, MOST_BYTES)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no log that can be read ({error}): move it away.") from error
    return [row for line in content.splitlines() if (row := _row(line)) is not None]


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = typed(parsed(line, finite=False), dict[str, Any], "")
        typed(row.get("step"), Annotated[int, Range(0, 10**15)], "step")
        for name, hint in FIGURES.items():
            typed(row.get(name), hint | None, name)
        whole = all(level.keys() >= LEVEL for level in row.get("levels") or ())
    except ValueError:
        return None
    return row if whole else None
