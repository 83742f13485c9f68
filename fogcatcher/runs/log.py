"""What a run writes down as it goes: one line of JSON for every ten steps, and one for every check."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fogcatcher.base.disk import write_atomically
from fogcatcher.runs.loggers import Logger
from fogcatcher.training.fit import Progress

LOG_EVERY = 10
METRICS, CHECKS = "metrics.jsonl", "checks.jsonl"


class RowLog:
    """A file of one JSON object per line, in the order of their steps."""

    def __init__(self, path: Path, step: int, loggers: Sequence[Logger] = ()) -> None:
        """Open the log of a run at ``step``; lines of later steps, from before a crash, are dropped.

        ``loggers`` hear every new row.
        """
        self._path, self._loggers = path, loggers
        self.rows = [row for row in read_rows(path) if row["step"] <= step]
        if path.exists():
            text = "".join(json.dumps(row) + "\n" for row in self.rows)
            write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))

    def add(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
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
    """Return the rows of a log; a last line cut short by a crash is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
