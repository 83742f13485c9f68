"""Which folders and data sets a person has named: of what a model names, only those are read.

A model may be a stranger's, and its config tells of any path, or of a name of the Hub. Named is what was ever
given to a training on this machine, and what ``allow`` was told.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.printable import printable
from fogcatcher.base.read_json import read_json
from fogcatcher.data.builtin import is_built_in
from fogcatcher.data.hub import PREFIX
from fogcatcher.data.pictures.store import cache_folder

MOST = 1000
"""The newest are kept."""
_ALLOWED: set[str] = set()


def allow(place: str | Path) -> None:
    """Let this process read a place, whoever names it."""
    _ALLOWED.add(_whole(str(place)))


def remember(place: str | Path) -> None:
    """Keep that a person has named a place; without a cache that can be written, while this process runs."""
    allow(place)
    known, place = _known(), _whole(str(place))
    if place not in known:
        with contextlib.suppress(OSError):
            _file().parent.mkdir(parents=True, exist_ok=True)
            write_text(_file(), json.dumps([*known, place][-MOST:], indent=1) + "\n")


def check_named(place: str, what: str) -> None:
    """Raises UserError unless a person has named this place; ``what`` of a model names it now."""
    if _whole(place) not in _ALLOWED and _whole(place) not in _known():
        raise UserError(
            Message(
                "{what} of this model would be read from {place}, which nobody has named here: allow it with "
                "{@yes_read:{place!r}}, if you trust the model.",
                what=what,
                place=printable(place, 200),
            )
        )


def data_named(path: str, folder: str = "") -> str:
    """Return where the data of a model lie: ``folder``, from the root of the disk, or ``path`` as typed.

    Raises UserError unless a person has named that place.
    """
    path = folder if folder and Path(folder).exists() else path
    if not is_built_in(path):
        check_named(path, "the data")
    return path


def from_root(path: str) -> str:
    """Return a path from the root of the disk, found from any folder; "" for what is no path."""
    return os.path.abspath(path) if Path(path).exists() else ""


def _known() -> list[str]:
    try:
        return read_json(_file(), list[str])
    except (OSError, UserError):
        return []


def _file() -> Path:
    return cache_folder() / "named.json"


def _whole(place: str) -> str:
    """The same name for the same place, wherever one is."""
    return place if place.startswith(PREFIX) else os.path.realpath(place)
