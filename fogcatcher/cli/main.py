"""``fogcatcher``: chooses the command, and turns a person's mistake into one sentence and exit code 2."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.version import __version__
from fogcatcher.cli.any_case import REGISTRY
from fogcatcher.cli.cascade import Cascade
from fogcatcher.cli.classify import Classify
from fogcatcher.cli.data import DataCommands
from fogcatcher.cli.demo import Demo
from fogcatcher.cli.distill import Distill
from fogcatcher.cli.early import check_early
from fogcatcher.cli.evaluate import Evaluate
from fogcatcher.cli.explain import Explain
from fogcatcher.cli.export import Export, Import
from fogcatcher.cli.flags import in_flags
from fogcatcher.cli.grid import Grid
from fogcatcher.cli.inpaint import Inpaint, Outpaint
from fogcatcher.cli.inspect import Inspect
from fogcatcher.cli.interpolate import Interpolate
from fogcatcher.cli.learn import Learn
from fogcatcher.cli.noise import Noise
from fogcatcher.cli.outlet import control_signs_written_out, written_out
from fogcatcher.cli.palette import PaletteCommands
from fogcatcher.cli.plot import Plot
from fogcatcher.cli.ranges import check_numbers
from fogcatcher.cli.recolor import Recolor
from fogcatcher.cli.reproduce import Reproduce
from fogcatcher.cli.sample import Sample
from fogcatcher.cli.segment import Segment
from fogcatcher.cli.streams import open_streams
from fogcatcher.cli.studio import Studio
from fogcatcher.cli.tile import Tile
from fogcatcher.cli.train import Train
from fogcatcher.cli.train_autoencoder import TrainAutoencoder
from fogcatcher.cli.train_classifier import TrainClassifier
from fogcatcher.cli.upscale import Upscale
from fogcatcher.cli.vary import Vary

DESCRIPTION = """Train a small diffusion model on your own pictures, and draw new ones with it.

See it all:   fogcatcher demo

Your folder:  fogcatcher train my-sprites --minutes 10

Then:         fogcatcher sample runs/my-sprites -n 64
"""

Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Distill, tyro.conf.subcommand("distill")]
    | Annotated[Sample, tyro.conf.subcommand("sample")]
    | Annotated[Inpaint, tyro.conf.subcommand("inpaint")]
    | Annotated[Outpaint, tyro.conf.subcommand("outpaint")]
    | Annotated[Vary, tyro.conf.subcommand("vary")]
    | Annotated[Interpolate, tyro.conf.subcommand("interpolate")]
    | Annotated[Recolor, tyro.conf.subcommand("recolor")]
    | Annotated[Tile, tyro.conf.subcommand("tile")]
    | Annotated[Upscale, tyro.conf.subcommand("upscale")]
    | Annotated[Cascade, tyro.conf.subcommand("cascade")]
    | Annotated[TrainAutoencoder, tyro.conf.subcommand("train-autoencoder")]
    | Annotated[TrainClassifier, tyro.conf.subcommand("train-classifier")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Grid, tyro.conf.subcommand("grid")]
    | Annotated[Explain, tyro.conf.subcommand("explain")]
    | Annotated[Learn, tyro.conf.subcommand("learn")]
    | Annotated[Noise, tyro.conf.subcommand("noise")]
    | Annotated[Classify, tyro.conf.subcommand("classify")]
    | Annotated[Segment, tyro.conf.subcommand("segment")]
    | Annotated[Plot, tyro.conf.subcommand("plot")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[DataCommands, tyro.conf.subcommand("data")]
    | Annotated[PaletteCommands, tyro.conf.subcommand("palette")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Studio, tyro.conf.subcommand("studio")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exits with 0 when done, 2 for wrong input, 1 for a failed training.

    Who reads only the first lines of a help, as ``head`` does, has seen enough: that is no error.
    """
    try:
        _main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try to write the rest as it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main(arguments: list[str] | None) -> None:
    if (sys.argv[1:] if arguments is None else arguments) == ["--version"]:
        print(f"fogcatcher {__version__}")
        return
    if arguments is None:
        open_streams()
    try:
        command = tyro.cli(
            Command,  # type: ignore[arg-type]
            args=arguments,
            prog="fogcatcher",
            description=DESCRIPTION,
            config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
            registry=REGISTRY,
        )
        with silent_beside_the_first(), control_signs_written_out():
            check_numbers(command)
            check_early(command)
            command.run()
    except UserError as error:
        complain(f"fogcatcher: {in_flags(error.said)}")
        sys.exit(2)
    except BrokenPipeError:
        raise
    except OSError as error:
        # No space, no permission, a disk that went away: nobody needs a traceback for that.
        where = f"{error.filename}: " if error.filename else ""
        complain(f"fogcatcher: {where}{error.strerror or error}.")
        sys.exit(2)
    except (RuntimeError, MemoryError) as error:
        from fogcatcher.base.memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        complain("fogcatcher: there is not enough memory for this: ask for less at once, or a smaller model.")
        sys.exit(2)
    except KeyboardInterrupt:
        complain("\nfogcatcher: stopped.")
        sys.exit(130)


def complain(sentence: str) -> None:
    """Say what is wrong, once on every machine: where several processes run, all find the same."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(written_out(sentence), file=sys.stderr)


@contextlib.contextmanager
def silent_beside_the_first() -> Iterator[None]:
    """Of several processes that do the same, only the first is heard. Tracebacks come after this, and are."""
    if os.environ.get("RANK", "0") == "0":
        yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
