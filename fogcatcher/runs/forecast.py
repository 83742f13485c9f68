"""What a run will cost on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from fogcatcher.base.memory import peak_memory_mb
from fogcatcher.runs.record import Run
from fogcatcher.training.fit import seconds_per_step

DEFAULT_MINUTES = 10.0
RESERVE = 0.05
"""Share of a time budget kept for checkpoints and previews."""


@dataclass(frozen=True)
class Forecast:
    """What a run will cost on this machine, from a few timed steps."""

    parameters: int
    steps: int
    batch_size: int
    seconds_per_step: float
    memory_mb: float
    disk_mb: float
    steps_by_default: int
    """How many steps the default time allows."""
    steps_were_given: bool = True
    """False where the number of steps came from a time."""

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    def rows(self) -> dict[str, str]:
        """Return what to tell a person: what -> how much."""
        images = self.batch_size / self.seconds_per_step
        minutes = f"{DEFAULT_MINUTES:g} minutes are {self.steps_by_default:,} steps"
        if self.steps > 1:
            own = f"{self.steps * self.seconds_per_step / 60:.1f} minutes for {self.steps:,} steps"
            minutes = f"{own}; {minutes}" if self.steps_were_given else own
        return {
            "network": f"{self.parameters / 1e6:.2f} M parameters",
            "speed": f"{images:,.0f} images/s, {1 / self.seconds_per_step:.1f} steps/s",
            "time": minutes,
            "memory": f"{self.memory_mb:,.0f} MB at most",
            "disk": f"{self.disk_mb:.0f} MB",
        }


def forecast(run: Run) -> Forecast:
    """Time a few steps of a copy of the run, unless that was done to plan it; nothing is written."""
    plan, parameters = run.config.training, list(run.state.denoiser.parameters())
    per_step = run.seconds_per_step or time_step(run, 1.0)
    weights_mb = sum(p.numel() * p.element_size() for p in parameters) / 2**20
    return Forecast(
        parameters=sum(p.numel() for p in parameters),
        steps=plan.steps,
        batch_size=plan.batch_size,
        seconds_per_step=per_step,
        memory_mb=peak_memory_mb(),
        # Two states of raw weights, two averages and optimiser, the history of the averages, and the model.
        disk_mb=26 * weights_mb,
        steps_by_default=steps_in(DEFAULT_MINUTES, per_step),
        steps_were_given=run.seconds_per_step is None,
    )


def time_step(run: Run, seconds: float) -> float:
    """Return the seconds that a step takes, from as many as fit into ``seconds``; the run stays as it is."""
    return seconds_per_step(
        run.written.denoiser,
        run.batches,
        run.objective,
        run.config.training,
        seconds,
        run.processes,
        run.state.in_parts,
    )


def steps_in(minutes: float, seconds_per_step: float) -> int:
    """Return how many steps these minutes hold, with time for checkpoints and previews."""
    return max(1, int(60 * minutes * (1 - RESERVE) / seconds_per_step))
