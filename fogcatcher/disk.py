"""Files that are whole or not there: a kill at any instant leaves the one before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary neighbour, flush it to the disk, then put it in place at once."""
    temporary = path.with_name(f".{path.name}.part")
    write(temporary)
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
