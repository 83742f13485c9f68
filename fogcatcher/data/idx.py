"""IDX files, the format of MNIST and Fashion-MNIST (plain or gzipped)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fogcatcher.errors import UserError

_UNSIGNED_BYTE = 8


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes.

    Header: two zero bytes, the type (8 = unsigned byte), the number of axes, then each length as a
    big-endian 32-bit integer. Raises UserError when the file is not that, or is cut short.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read as a gzipped IDX file ({error}).") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE:
        raise UserError(f"{path} is not an IDX file of unsigned bytes.")
    start = 4 + 4 * content[3]
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], dtype=">u4"))
    if len(shape) != content[3] or len(content) - start != math.prod(shape):
        raise UserError(f"{path} is cut short or too long: its header promises {shape}.")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def find_idx_pairs(folder: Path) -> list[tuple[Path, Path | None]]:
    """Return the (pictures, labels) files of a folder; labels None where their file is missing."""
    files = {p.name: p for p in sorted(folder.iterdir()) if p.is_file()}
    pairs = []
    for name, pictures in files.items():
        if "images-idx3-ubyte" in name or "images.idx3-ubyte" in name:
            labels = name.replace("images", "labels").replace("idx3", "idx1")
            pairs.append((pictures, files.get(labels)))
    return pairs
