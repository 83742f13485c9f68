"""An autoencoder is trained with a progress bar: by its own command, or before the model that draws in its
latents."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fogcatcher.base.errors import UserError
from fogcatcher.cli.flags import in_flags

if TYPE_CHECKING:
    from fogcatcher.runs.autoencoder import AutoencoderRun


class StoppedEarly(Exception):
    """Somebody stopped it, and all was saved."""


def autoencoder_on_screen(run: AutoencoderRun, save_every: float) -> None:
    """Train to the end, saving about every so many seconds, and say how well pictures come back.

    Ctrl-C or SIGTERM once finishes the step and saves. Raises StoppedEarly then, and UserError where the
    numbers are lost.
    """
    from fogcatcher.cli.bars import TrainingBar
    from fogcatcher.cli.stop_request import stop_request
    from fogcatcher.judging.reconstruction import judged
    from fogcatcher.runs.autoencoder import follow_autoencoder
    from fogcatcher.training.setbacks import Diverged

    _describe(run)
    plan = run.facts.training
    bar = TrainingBar(run.state.step, plan.steps, plan.batch_size)
    try:
        with stop_request() as stop, closing(follow_autoencoder(run, save_every)) as steps:
            for progress in steps:
                bar.add(progress, plan.steps)
                if stop:
                    break
    except Diverged as error:
        raise UserError(
            f"training went out of hand: {error}. Try again with a new --out and a lower --learning-rate."
        ) from error
    finally:
        bar.close()
    print(judged(run.stage, run.seen).in_words)
    if run.state.step < plan.steps:
        print(f"stopped at step {run.state.step:,} and saved; go on with the same command and --resume")
        raise StoppedEarly


def _describe(run: AutoencoderRun) -> None:
    from fogcatcher.runs.autoencoder import RETURNED

    for line in map(in_flags, run.notes):
        print(line)
    facts, shape = run.facts, run.facts.network
    millions = sum(p.numel() for p in run.state.denoiser.parameters()) / 1e6
    height, width = (side // shape.factor for side in (facts.pictures.height, facts.pictures.width))
    print(
        f"autoencoder: latents of {width} x {height} x {shape.latent} from {facts.pictures.in_words}; "
        f"{millions:.2f} M parameters; {facts.training.steps:,} steps of {facts.training.batch_size}"
    )
    print(f"run directory: {run.folder} ({RETURNED} shows what comes back)", flush=True)
