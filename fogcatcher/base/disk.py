"""Files that are whole or not there: a kill at any instant, or a full disk, leaves the one before.

And the hash by which people tell files apart.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

FULL = (errno.ENOSPC, errno.EDQUOT)
IN_WORDS = re.compile(r"\(os error (\d+)\)")
"""How safetensors says which error the system gave."""
NAMES = "backslashreplace"
"""How a name of a file that is not UTF-8 stands in a text that is."""
LEFTOVER = re.compile(r"\..+\.part|\.tmp\w{6}")
"""What a kill leaves of a file being written: our own neighbour, or that of safetensors."""
LONGEST_START = 60
"""Letters of a name that the name of its neighbour begins with."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file, flush it to the disk, then put it in place at once.

    It is filled in a new folder beside its place, which nobody else may enter and whose name nobody can
    guess, so no link can lead it elsewhere; a link in its place is replaced, not followed. Those may read it
    who could read the file before, or a new one. Raises OSError, and leaves nothing behind, where the disk is
    full, or where something stands in its place that is no file.
    """
    mode = _mode_of_what_is_there(path)
    try:
        private = Path(mkdtemp(".part", f".{path.name[:LONGEST_START]}.", path.parent))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    temporary = private / path.name
    try:
        usual = _mode_of_a_new_file(private / ".mode")
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, usual if mode is None else mode)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException as error:
        number = _number_of(error)
        if number is not None:
            raise OSError(number, os.strerror(number), str(path)) from error
        raise
    finally:
        shutil.rmtree(private, ignore_errors=True)
    _flush_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8, whole or not at all."""
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8", errors=NAMES))


def _mode_of_what_is_there(path: Path) -> int | None:
    """Who may read the file at this path; None without one. Raises OSError for what is not to be replaced."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        raise OSError(errno.EINVAL, "it is a pipe or a device, so no file is written there", str(path))
    return stat.S_IMODE(status.st_mode) & 0o777 if stat.S_ISREG(status.st_mode) else None


def _mode_of_a_new_file(path: Path) -> int:
    """Who may read what this process makes: asked of a file, for safetensors makes its own too narrow."""
    with open(path, "xb") as file:
        return stat.S_IMODE(os.fstat(file.fileno()).st_mode)


def _flush_folder(folder: Path) -> None:
    """The new name of a file is safe from a power cut only when its folder is on the disk too."""
    with contextlib.suppress(OSError):  # Windows opens no folders; there is nothing better to do then
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_to_append(path: Path) -> IO[str]:
    """Open a text to add to. Raises OSError where a link, a pipe or a device stands in its place."""
    return open(path, "a", encoding="utf-8", errors=NAMES, opener=_no_link)


@contextlib.contextmanager
def appended_whole_or_not(path: Path) -> Iterator[None]:
    """Around appending to a file: where that fails, the file is cut back to what it was."""
    size = path.lstat().st_size if path.exists() else 0
    try:
        yield
    except OSError:
        if path.is_file() and not path.is_symlink():
            os.truncate(path, size)
        raise


def _no_link(path: str, flags: int) -> int:
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o666)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no plain file", path)


def is_full(error: BaseException) -> bool:
    """Return whether the disk, or the share of it that one may use, is full."""
    return _number_of(error) in FULL


def why_not_written(error: BaseException) -> str | None:
    """Return why the system did not let something be written, in its words; None for another error.

    A full disk, a limit on the size of files, a folder that may not be written, that is gone or elsewhere.
    """
    if is_full(error):
        return "the disk is full"
    number = _number_of(error)
    if number is None:
        return None
    return "its folder is gone" if number in (errno.ENOENT, errno.ENOTDIR) else os.strerror(number).lower()


def _number_of(error: BaseException) -> int | None:
    """The number of an error of the system; None for one of another kind."""
    if isinstance(error, OSError):
        return error.errno
    said = IN_WORDS.search(str(error)) if type(error).__name__ == "SafetensorError" else None
    return int(said[1]) if said else None


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left in a folder and in the folders in it, but for those that are linked."""
    inside = [path for path in folder.iterdir() if _is_own_folder(path)] if folder.exists() else []
    for place in (folder, *inside):
        for path in place.iterdir() if place.exists() else ():
            if LEFTOVER.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True) if _is_own_folder(path) else path.unlink()


def _is_own_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def short_hash(content: bytes) -> str:
    """Return 12 hexadecimal digits by which people tell files apart: the start of their SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]
