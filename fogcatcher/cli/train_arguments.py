"""Every choice about a training, as options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fogcatcher.base.numbers import Seed
from fogcatcher.cli.arguments import parse_options, parse_values
from fogcatcher.cli.data_arguments import DataArguments, shared
from fogcatcher.cli.ranges import Count
from fogcatcher.data.upscale_choices import Factor, NoiseLevel
from fogcatcher.model.choices import COLUMNS
from fogcatcher.runs.setup import Minutes, Rate, Seconds, Setup, Steps


def _column(name: str, what: str) -> Any:  # noqa: ANN401 - a mark of tyro's
    """Help that lists the rows of one column of the table of methods."""
    names = ", ".join(COLUMNS[name])
    return tyro.conf.arg(
        metavar="NAME", help_behavior_hint="", help=f"{what}: {names}. Default: the preset's."
    )


@dataclass
class TrainArguments(DataArguments):
    """Every choice about the training and its pictures."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = Setup.out
    """Run directory. Default: runs/NAME after the data's folder."""
    minutes: Annotated[Minutes | None, tyro.conf.arg(metavar="M", help_behavior_hint="")] = Setup.minutes
    """Time to train; it is turned into a number of steps first. Default: 10."""
    steps: Annotated[Steps | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = Setup.steps
    """Number of training steps, instead of a time."""
    text_encoder: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = (
        Setup.text_encoder
    )
    """Folder of a text encoder (BERT, CLIP, T5) for texts. Default: a small one is trained along."""
    latents: Annotated[str, tyro.conf.arg(metavar="RUN")] = Setup.latents
    """Draw in the latents of an autoencoder (train-autoencoder), which is kept in the new run; none: pixels;
    auto: for photographs of 64 pixels and more an autoencoder is trained first, else pixels."""
    augment: Annotated[str, tyro.conf.arg(metavar="KINDS")] = Setup.augment
    """Make more of few pictures: shift, flip, flip-vertical, turn, hue, joined by commas; none; or auto (for
    few pictures: shift, and flip if the set allows it). The network is told, so nothing of it leaks."""
    seed: Seed = Setup.seed
    """Seed of the whole run: same seed, same data, same steps, same model."""
    preset: Annotated[str, tyro.conf.arg(metavar="NAME")] = Setup.preset
    """A paper's choices of schedule, prediction, training times and loss: ddpm, iddpm, score_vp, score_ve,
    edm, v_cosine, flow; sr3, for --upscale; imagen, with its networks; course and annotated, with network,
    optimiser and batch too; default is what measured best for small pictures."""
    schedule: Annotated[str | None, _column("schedule", "How alpha and sigma run")] = Setup.schedule
    prediction: Annotated[str | None, _column("prediction", "What the network predicts")] = Setup.prediction
    times: Annotated[str | None, _column("times", "Which noise levels are trained")] = Setup.times
    loss: Annotated[str | None, _column("loss", "How errors are measured")] = Setup.loss
    weighting: Annotated[str | None, _column("weighting", "What errors weigh")] = Setup.weighting
    method_option: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]
    ] = ()
    """A number of one of these choices, for example sigma_max=40 with --schedule edm; docs/methods.md lists
    them. Default: as the choice has it."""
    learning_rate: Annotated[Rate | None, tyro.conf.arg(metavar="RATE", help_behavior_hint="")] = (
        Setup.learning_rate
    )
    """Highest learning rate. Default: what suits the network, or the preset's."""
    optimizer: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = Setup.optimizer
    """muon: Muon for wide layers, AdamW for the rest; adam: Adam for all. Default: the preset's, or muon."""
    start_from: Annotated[str, tyro.conf.arg(metavar="MODEL")] = Setup.start_from
    """Start from what a model knows: a run, a shipped model or one of the Hub. Sizes, channels and conditions
    may differ: what fits is taken. auto takes the shipped one that suits the pictures; none begins anew."""
    network: Annotated[str, tyro.conf.arg(metavar="NAME")] = Setup.network
    """auto, the preset's; small, the fast one for small pictures; or a paper's, as large as there: ddpm,
    iddpm, adm, ddpmpp, ncsnpp, edm2, transformer, course, annotated, thesis, thesis_attentive,
    thesis_vanilla."""
    network_option: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]
    ] = ()
    """A part of the network, for example blocks=3, heads=4, attention=16,8 or scale_shift=no with --network
    adm; docs/networks.md lists them. Default: as its paper has it."""
    size_of_model: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="")] = (
        Setup.size_of_model
    )
    """The one dial: tiny, small, medium, large, or a number of parameters such as 3M. Width, depth,
    attention, learning rate and batch follow. Default: the network's own."""
    precision: Annotated[str, tyro.conf.arg(metavar="NAME")] = Setup.precision
    """How the network computes while it learns: float32; bfloat16; or auto, bfloat16 on GPUs that have it."""
    upscale: Annotated[Factor | None, tyro.conf.arg(metavar="FACTOR", help_behavior_hint="")] = Setup.upscale
    """Learn to make small pictures so many times wider and higher, from the pictures shrunk by it. fogcatcher
    upscale and sample --then use such a model."""
    upscale_noise: NoiseLevel = Setup.upscale_noise
    """Most noise on the small pictures while it learns, 0 to 1: with more it trusts them less."""
    batch_size: Annotated[Count | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = Setup.batch_size
    """Pictures per step. Default: 32; 64 for large networks."""
    micro_batch: Annotated[Count | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Most pictures that pass through the network at once: less memory, the same result to rounding. Default:
    the whole batch, or as many as memory holds."""
    shard: bool = False
    """Under torchrun or accelerate launch: divide weights, averages and optimisers among the processes, for
    models too large for one device."""
    checkpoint_seconds: Seconds = 20.0
    """Save about this often; a kill loses at most what was done since."""
    keep: Annotated[Count, tyro.conf.arg(metavar="N")] = 2
    """Keep so many checkpoints, the newest."""
    tensorboard: bool = False
    """Also write the log for TensorBoard, into RUN/tensorboard."""
    wandb: bool = False
    """Also send the figures of the log and the settings to Weights & Biases; no pictures."""
    stop_early: bool = False
    """Stop when the loss of held-out pictures no longer falls, or when training pictures are copied."""
    resume: bool = False
    """Go on with the run in --out from its newest checkpoint; its own settings count."""
    dry_run: bool = False
    """Say what would happen, time a few steps, and write nothing."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """List every skipped file."""

    def setup(self) -> Setup:
        """Return the choices as the library takes them."""
        told = {
            "options": self.options(),
            "conditions": self.condition,
            "method_options": parse_options(self.method_option, "--method-option", "sigma_max=40"),
            "network_options": parse_values(self.network_option, "--network-option", "blocks=3"),
        }
        return Setup(**{**shared(self, Setup), **told})
