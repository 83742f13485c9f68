"""What can be told wrong at once, before the libraries are loaded that take seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fogcatcher.base.errors import UserError, known_name
from fogcatcher.cli.data_arguments import DataArguments
from fogcatcher.cli.settings_arguments import SettingsArguments
from fogcatcher.data.options import BUILT_IN
from fogcatcher.diffusion.sampling.table import SAMPLERS
from fogcatcher.model.places import local_folder

ELSEWHERE = (":", "{", "*", "?", "[")
"""Signs of data that are no plain path: of the Hub, or a pattern of shards."""


def check_early(command: object) -> None:
    """Raises UserError for a wrong name of a run, of data or of a sampler, and for impossible settings."""
    for run in _runs_of(command):
        local_folder(run)
    if isinstance(command, SettingsArguments) and None not in (command.sampler, command.guidance):
        known_name("sampler", command.sampler, SAMPLERS, about="sampler")
        command.settings()
    if isinstance(command, DataArguments):
        _check_data(command.data)
        command.options()


def _runs_of(command: object) -> Iterator[str]:
    """The models that a command names."""
    one, several = getattr(command, "model", None), getattr(command, "models", ())
    yield from ([one] if isinstance(one, str) else [])
    yield from (str(run) for run in several)


def _check_data(data: str) -> None:
    plain = data not in BUILT_IN and not any(sign in data for sign in ELSEWHERE)
    if plain and not Path(data).exists():
        raise UserError(f"there is no folder {data}: check the spelling, or give the full path.")
