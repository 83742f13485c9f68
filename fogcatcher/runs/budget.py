"""A time budget becomes a number of steps, and stays right while the machine grows busy or quiet."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from fogcatcher.training.fit import Plan

RECENT_SECONDS = 20.0
"""The pace of a step is that of so many seconds of training."""
FIRST_SECONDS = 2.0
"""Nothing is corrected before so many seconds of training have been seen."""
TRIFLE = 0.005
"""Corrections of a smaller share of all steps are left out."""
CORRECTIONS = 50
"""So often in a run the number of its steps may be corrected."""


@dataclass
class Budget:
    """When a run should end, and how fast it goes."""

    deadline: float
    """By ``clock``."""
    at_end: float = 0.0
    """Seconds of what is done after the last step: the last preview, as long as the first."""
    clock: Callable[[], float] = time.monotonic
    _recent: deque[float] = field(default_factory=deque)
    """Seconds of the latest steps."""
    _sum: float = 0.0
    _began: float | None = None
    _steps: int = 0
    _training: float = 0.0

    def add(self, seconds: float) -> None:
        """Hear how long a step took, without what is done between steps."""
        if self._began is None:
            self._began = self.clock() - seconds
        self._recent.append(seconds)
        self._sum += seconds
        self._training += seconds
        self._steps += 1
        while self._sum - self._recent[0] > RECENT_SECONDS:
            self._sum -= self._recent.popleft()

    def steps(self, plan: Plan, step: int) -> int:
        """Return the number of steps, those done included, that ends on time, as known after ``step``.

        It is the plan's own where too little is known yet, where the difference is a trifle, and from where
        the learning rate falls: what was done before must follow from the number of all steps.
        """
        if self._began is None or self._training < FIRST_SECONDS or step >= plan.falls_from:
            return plan.steps
        now = self.clock()
        # Checks, previews and saves come as evenly as steps, so each step bears its share of them.
        between = (now - self._began - self._training) / self._steps
        pace = self._sum / len(self._recent) + between
        begin = max(plan.ends, default=0)
        earliest = begin + int((step - begin) / (1 - plan.fall)) + 1
        steps = max(earliest, step + int((self.deadline - self.at_end - now) / pace))
        return plan.steps if abs(steps - plan.steps) <= TRIFLE * plan.steps else steps
