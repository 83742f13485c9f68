"""Pictures and labels in NumPy files (.npy, .npz)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.store import has_alpha
from fogcatcher.data.values import Value

_LABEL_WORDS = ("label", "target", "class", "y_")
"""What the names of arrays and columns of labels contain."""
_LARGEST = 16 * 2**30


@dataclass(frozen=True)
class PictureArray:
    """Many pictures of one size, read one at a time."""

    shape: tuple[int, int, int]
    """(N, H, W)"""
    picture: Callable[[int], NDArray[np.uint8]]
    """Number -> (H, W, 4) uint8 RGBA."""
    columns: dict[str, list[Value]]
    note: str


def read_arrays(path: Path) -> PictureArray | None:
    """Return the pictures and labels of a .npz file, a .npy file, or a folder with some; None without any.

    Labels are arrays as long as the pictures: whole numbers and words are classes, one-hot rows too; rows
    of several ones are tags; other numbers are numbers. Raises UserError for files that hold objects, are
    damaged, or hold no pictures.
    """
    files = [path] if path.is_file() else sorted([*path.glob("*.npz"), *path.glob("*.npy")])
    arrays: dict[str, NDArray[Any]] = {}
    for file in files:
        _add(arrays, file)
    if not arrays:
        return None
    if path.suffix == ".npy":
        # The labels of one array lie in another beside it.
        for file in sorted(path.parent.glob("*.npy")):
            if file != path and any(word in file.stem.lower() for word in _LABEL_WORDS):
                _add(arrays, file)
    return _choose(arrays, path)


def _add(arrays: dict[str, NDArray[Any]], file: Path) -> None:
    """Raises UserError where another file had an array of that name: which one is meant is unclear."""
    found = load_arrays(file)
    if twice := sorted(arrays.keys() & found.keys()):
        raise UserError(
            f"{file.parent} holds the array '{twice[0]}' twice, once in {file.name}: give one file, or join."
        )
    arrays |= found


def load_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npy or .npz file. Raises UserError for what is damaged, or holds objects."""
    try:
        loaded = np.load(file, allow_pickle=False, mmap_mode="r" if file.suffix == ".npy" else None)
        if isinstance(loaded, np.ndarray):
            return {file.stem: loaded}
        with loaded:
            promised = sum(info.file_size for info in loaded.zip.infolist())
            if promised > _LARGEST:
                raise UserError(
                    f"{file} would fill {promised / 2**30:.0f} GiB of memory; save it as .npy instead."
                )
            return {name: loaded[name] for name in loaded.files}
    except UserError:
        raise
    except Exception as error:  # a damaged archive may raise anything
        raise UserError(f"{file} cannot be read as an array ({error}).") from error


def _choose(arrays: Mapping[str, NDArray[Any]], path: Path) -> PictureArray:
    """Take the array of pictures (the training part, then the longest), and what is as long as it."""
    possible = {name: a for name, a in arrays.items() if a.ndim in (3, 4) and a.size and is_number(a)}
    if not possible:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"{path} holds no array of pictures, (N, H, W) or (N, H, W, C); it holds {shapes}.")
    name = max(possible, key=lambda name: ("train" in name.lower(), len(possible[name])))
    pictures, axes = _channels_last(possible[name], name)
    scale, said = _scale(pictures, name)

    def picture(number: int) -> NDArray[np.uint8]:
        return to_rgba(scale(np.asarray(pictures[number])))

    part = next((p for p in ("train", "test", "val") if p in name.lower()), "")
    about = {
        other: array
        for other, array in arrays.items()
        if other != name
        and array.ndim <= 2
        and array.shape[:1] == pictures.shape[:1]
        and part in other.lower()
    }
    columns = all_columns(about)
    n, height, width = pictures.shape[:3]
    listed = f"; labels: {', '.join(columns)}" if columns else "; labels: none"
    unused = [other for other in arrays if other != name and other not in about]
    listed += f"; not used: {', '.join(unused)}" if unused else ""
    return PictureArray((n, height, width), picture, columns, f"arrays: {name}, {axes}{said}{listed}")


def is_label(name: str) -> bool:
    """Return whether an array or column of this name holds labels."""
    return any(word in f"{name.lower()}_" for word in _LABEL_WORDS)


def is_number(array: NDArray[Any]) -> bool:
    """Return whether an array holds truth values, whole numbers or floats."""
    return array.dtype.kind in "buif"


def _channels_last(array: NDArray[Any], name: str) -> tuple[NDArray[Any], str]:
    if array.ndim == 3:
        return array[..., None], "(N, H, W)"
    if array.shape[-1] in (1, 2, 3, 4):
        return array, "(N, H, W, C)"
    if array.shape[1] in (1, 2, 3, 4):
        return np.moveaxis(array, 1, -1), "(N, C, H, W)"
    raise UserError(f"{name} has shape {array.shape}: none of its axes has 1 to 4 channels.")


def _scale(array: NDArray[Any], name: str) -> tuple[Callable[[NDArray[Any]], NDArray[np.uint8]], str]:
    """Decide from the whole array what its numbers mean."""
    if array.dtype == np.uint8:
        return lambda x: x, ""
    if array.dtype == np.bool_:
        return lambda x: x.astype(np.uint8) * np.uint8(255), ", on and off"
    low, high = np.inf, -np.inf
    for start in range(0, len(array), 1024):
        part = array[start : start + 1024]
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    if low >= 0 and high <= 1 and array.dtype.kind == "f":
        zero, top = 0.0, 1.0
    elif low >= -1 and high <= 1:
        zero, top = -1.0, 1.0
    elif low >= 0 and high <= 255:
        zero, top = 0.0, 255.0
    elif low >= 0 and high <= 65535 and array.dtype.kind in "ui":
        zero, top = 0.0, 65535.0
    else:
        raise UserError(f"{name} holds numbers from {low:g} to {high:g}; scale them to 0..1 or 0..255.")

    def to_bytes(x: NDArray[Any]) -> NDArray[np.uint8]:
        return np.floor((x.astype(np.float64) - zero) * (255 / (top - zero)) + 0.5).astype(np.uint8)

    return to_bytes, f", {zero:g}..{top:g} scaled to 0..255"


def to_rgba(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W, 1..4) uint8, grey, grey and alpha, RGB or RGBA, as (H, W, 4)."""
    height, width, channels = picture.shape
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., :3] = picture[..., :3] if channels >= 3 else picture[..., :1]
    if has_alpha(channels):
        rgba[..., 3] = picture[..., -1]
        rgba[rgba[..., 3] == 0] = 0
    return rgba


def all_columns(arrays: Mapping[str, NDArray[Any]]) -> dict[str, list[Value]]:
    """Return the columns of labels in arrays: "label" for the one that is called so, or is the only such."""
    words = [name for name in arrays if is_label(name)]
    plain = [
        name for name in words if name.lower().rstrip("s_") in ("label", "target", "class", "classe", "y")
    ]
    label = next(iter(words if len(words) == 1 else plain), None)
    columns: dict[str, list[Value]] = {}
    for name, array in arrays.items():
        found = _columns_of("label" if name == label else name, np.asarray(array))
        if twice := sorted(columns.keys() & found.keys()):
            raise UserError(
                f"two arrays would both be the column '{twice[0]}': rename one of {', '.join(arrays)}."
            )
        columns |= found
    return columns


def _columns_of(column: str, array: NDArray[Any]) -> dict[str, list[Value]]:
    """The columns in an array of numbers or words, (N,) or (N, K)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        if not ((array == 0) | (array == 1)).all():
            return {f"{column}_{i}": array[:, i].astype(float).tolist() for i in range(array.shape[1])}
        ones = array.sum(1)
        if (ones <= 1).all() and 2 * (ones == 1).sum() > len(ones):
            classes = zip(ones.tolist(), array.argmax(1).tolist(), strict=True)
            return {column: [str(i) if one else None for one, i in classes]}
        return {column: [[str(i) for i in np.flatnonzero(row).tolist()] for row in array]}
    if array.dtype.kind == "f":
        known = array[np.isfinite(array)]
        if column == "label" and (known == np.floor(known)).all():
            return {column: [str(int(v)) if np.isfinite(v) else None for v in array.tolist()]}
        return {column: array.tolist()}
    values = [
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
        for value in array.tolist()
    ]
    return {column: [value.strip() or None for value in values]}
