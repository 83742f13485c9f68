"""Files that are whole or not there: a kill at any instant, or a full disk, leaves the one before.

And the hash by which people tell files apart.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
LEFTOVER = re.compile(r"\..+\.part|\.tmp\w{6}")
"""What a kill leaves of a file being written: our own neighbour, or that of safetensors."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary neighbour, flush it to the disk, then put it in place at once.

    Raises OSError, and leaves no neighbour behind, where the disk is full.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if is_full(error) and not isinstance(error, OSError):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """The new name of a file is safe from a power cut only when its folder is on the disk too."""
    with contextlib.suppress(OSError):  # Windows opens no folders; there is nothing better to do then
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def appended_whole_or_not(path: Path) -> Iterator[None]:
    """Around appending to a file: where that fails, the file is cut back to what it was."""
    size = path.stat().st_size if path.exists() else 0
    try:
        yield
    except OSError:
        if path.exists():
            os.truncate(path, size)
        raise


def is_full(error: BaseException) -> bool:
    """Return whether the disk, or the share of it that one may use, is full."""
    if isinstance(error, OSError):
        return error.errno in FULL
    # safetensors says it in words only.
    return any(f"os error {number})" in str(error) for number in FULL)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left in a folder."""
    for path in folder.iterdir() if folder.exists() else ():
        if LEFTOVER.fullmatch(path.name):
            path.unlink()


def short_hash(content: bytes) -> str:
    """Return 12 hexadecimal digits by which people tell files apart: the start of their SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]
