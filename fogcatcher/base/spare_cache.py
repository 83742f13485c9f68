"""Where libraries may keep things while this process runs, if their own cache cannot be written."""

from __future__ import annotations

import errno
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

UNWRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST,
    errno.ENOENT, errno.EFBIG,
}  # fmt: skip


def is_unwritable(error: BaseException) -> bool:
    """Whether the system did not let something be written; errors of a network have no such number."""
    return isinstance(error, OSError) and error.errno in UNWRITABLE


@cache
def spare_cache() -> Path:
    """Return a folder that is gone when this process ends, and say so once."""
    warnings.warn("the cache cannot be written: what is fetched is not kept for the next time", stacklevel=3)
    return Path(_spare().name)


@cache
def _spare() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="fogcatcher-")
