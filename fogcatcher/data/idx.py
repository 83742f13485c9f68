"""IDX files, the format of MNIST and Fashion-MNIST (plain or gzipped)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fogcatcher.base.errors import UserError
from fogcatcher.data.arrays import PictureArray, to_rgba
from fogcatcher.data.values import Value

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


def read_idx_pair(folder: Path) -> PictureArray | None:
    """Return the pictures of a folder with their labels: the training pair, or else the first.

    None where the folder holds no IDX pictures. Raises UserError when files are damaged or do not match.
    """
    files = {p.name: p for p in sorted(folder.iterdir()) if p.is_file()}
    pictures = [name for name in files if "images-idx3-ubyte" in name or "images.idx3-ubyte" in name]
    if not pictures:
        return None
    name = next((name for name in pictures if name.startswith("train")), pictures[0])
    grey = read_idx(files[name])
    if grey.ndim != 3:
        raise UserError(f"{files[name]} holds {grey.ndim}-dimensional data, not pictures.")
    n, height, width = grey.shape
    columns: dict[str, list[Value]] = {}
    plain = name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    labels = files.get(plain) or files.get(f"{plain}.gz")
    if labels is not None:
        values = read_idx(labels)
        if values.shape != (n,):
            raise UserError(f"{labels} has {len(values)} labels for {n} pictures.")
        columns["label"] = [str(value) for value in values.tolist()]

    def picture(number: int) -> NDArray[np.uint8]:
        return to_rgba(grey[number, :, :, None])

    return PictureArray(
        (n, height, width), picture, columns, f"IDX: {name}; labels: {labels.name if labels else 'none'}"
    )
