"""From a path to a source of pictures: which kind of data set is this, and what are its parts?"""

from __future__ import annotations

import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from fogcatcher.base.errors import UserError
from fogcatcher.data.arrays import PictureArray, read_arrays
from fogcatcher.data.cells import tidied
from fogcatcher.data.files import Files, open_files, shards_of
from fogcatcher.data.hub import PREFIX, HubRows, is_saved_dataset, read_hub
from fogcatcher.data.idx import read_idx_pair
from fogcatcher.data.labels import Labels, read_labels
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.found_sheets import find_sheets, told
from fogcatcher.data.pictures.picture_files import SUFFIXES, Unreadable, decode, has_picture_content, moves
from fogcatcher.data.values import Value

Frames = list[tuple[str, NDArray[np.uint8]]]
"""(mode, (H, W, 4) uint8 RGBA) of every frame of one picture file."""

_FOREIGN = {
    ".psd": "Photoshop", ".xcf": "GIMP", ".ase": "Aseprite", ".aseprite": "Aseprite", ".kra": "Krita",
    ".svg": "vector graphics", ".ai": "Illustrator", ".heic": "HEIC", ".heif": "HEIC", ".pdf": "PDF",
    ".clip": "Clip Studio", ".pdn": "Paint.NET", ".ora": "OpenRaster", ".piskel": "Piskel", ".jxl": "JPEG XL",
    ".exr": "OpenEXR", ".hdr": "Radiance", ".eps": "PostScript",
}  # fmt: skip
_HELD_BACK = {"test", "val", "valid", "validation"}


@dataclass
class Source:
    """Pictures that can be decoded one by one, and what is known about them."""

    names: list[str]
    decode: Callable[[int], Frames]
    """Number -> its frames. Raises Unreadable."""
    labels: Callable[[], Labels]
    """What is known about the pictures; asked for once, for it may take a while."""
    fingerprint: str
    """Changes when the data set does."""
    notes: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    moving: dict[str, str] = field(default_factory=dict)
    """Animation of which one frame was decoded -> how many it has."""


def open_source(path: str | Path, options: DataOptions) -> Source:
    """Return the pictures of a folder, an archive, an array file, IDX files or a Hugging Face data set.

    Raises UserError when there is nothing of the kind.
    """
    if str(path).startswith(PREFIX):
        return _hub_source(read_hub(str(path)), options)
    path = Path(path)
    if shards_of(path):
        return _file_source(open_files(path, options.encoding), options)
    if not path.exists():
        raise UserError(f"there is no folder {path}: check the spelling, or give the full path.")
    if path.is_file():
        if path.suffix in (".npy", ".npz"):
            return _array_source(path)
        with open(path, "rb") as file:
            if has_picture_content(file.read(16)):
                raise UserError(
                    f"{path} is one picture: give the folder that holds the pictures "
                    f"(a sprite sheet is cut up by: fogcatcher data split-sheet {path})."
                )
        if not (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
            raise UserError(
                f"{path} is a file: give the folder that holds the pictures, or a .zip, .tar, .npy or .npz."
            )
        return _file_source(open_files(path, options.encoding), options)
    if not any(path.iterdir()):
        raise UserError(f"{path} is empty: put PNG, JPEG, GIF, BMP, WebP or TIFF pictures into it.")
    if is_saved_dataset(path):
        return _hub_source(read_hub(str(path)), options)
    if (pair := read_idx_pair(path)) is not None:
        return _from_array(pair, path)
    files = open_files(path, options.encoding)
    if not any(_is_picture(files, name) for name in files.names) and any(path.glob("*.np[yz]")):
        return _array_source(path)
    return _file_source(files, options)


# --- files --------------------------------------------------------------------------------------


def _file_source(files: Files, options: DataOptions) -> Source:
    pictures = [name for name in files.names if _is_picture(files, name)]
    ignored = dict(files.ignored)
    known = set(pictures)
    for name in files.names:
        if name not in known:
            kind = _FOREIGN.get(PurePosixPath(name).suffix.lower())
            ignored[name] = f"is a {kind} file; export it as PNG" if kind else "is not a picture"
    if not pictures:
        raise _no_pictures(files, ignored)
    used, notes = _one_split(pictures)
    sheets = find_sheets(used, files.read, files.root)
    used = [name for name in used if name not in sheets]
    ignored |= sheets
    notes += told(sheets)
    if not used:
        raise UserError(f"no pictures in {files.root}: {'; '.join(told(sheets))}.")

    def labels() -> Labels:
        return read_labels(files, used, options.labels, options.unmatched, known - set(used))

    moving: dict[str, str] = {}

    def frames(number: int) -> Frames:
        content = files.read(used[number])
        if not options.all_frames and (said := moves(content)):
            moving[used[number]] = said
        return decode(content, options.all_frames)

    return Source(used, frames, labels, files.fingerprint(), notes, ignored, moving)


def _is_picture(files: Files, name: str) -> bool:
    """By its name or, where that says nothing, by its content."""
    if PurePosixPath(name).suffix.lower() in SUFFIXES:
        return True
    try:
        return has_picture_content(files.read(name, limit=16))
    except Unreadable:
        return False


def _no_pictures(files: Files, ignored: dict[str, str]) -> UserError:
    seen = Counter(PurePosixPath(name).suffix.lower() or "(none)" for name in files.names)
    listed = ", ".join(f"{suffix} x {count}" for suffix, count in seen.most_common(6)) or "none"
    links = sum("link" in reason for reason in ignored.values())
    more = f" {links} links were not followed." if links else ""
    return UserError(
        f"no pictures among the {len(files.names)} files in {files.root} (suffixes seen: {listed}); "
        f"PNG, JPEG, GIF, BMP, WebP and TIFF can be read.{more}"
    )


def _one_split(names: list[str]) -> tuple[list[str], list[str]]:
    """Where the top folders are train, test and so on, keep train."""
    top = {name.split("/")[0] for name in names if "/" in name}
    others = top & _HELD_BACK
    if "train" not in top or not others:
        return names, []
    kept = [name for name in names if name.startswith("train/")]
    return kept, [f"only 'train' is used; {', '.join(sorted(others))} is left for judging"]


# --- tables of pictures -------------------------------------------------------------------------


def _array_source(path: Path) -> Source:
    array = read_arrays(path)
    if array is None:
        raise UserError(f"{path} holds no arrays.")
    return _from_array(array, path)


def _from_array(array: PictureArray, path: Path) -> Source:
    names = [f"{path.name}[{i}]" for i in range(array.shape[0])]
    files = sorted(p for p in ([path] if path.is_file() else path.iterdir()) if p.is_file())
    marks = [f"{p.resolve()} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files]
    labels = _in_rows(names, array.columns)
    return Source(
        names, lambda i: [("array", array.picture(i))], lambda: labels, "\n".join(marks), [array.note]
    )


def _hub_source(rows: HubRows, options: DataOptions) -> Source:
    names = [f"row {i}" for i in range(rows.count)]
    labels = _in_rows(names, rows.columns)
    return Source(
        names,
        lambda i: decode(rows.content(i), options.all_frames),
        lambda: labels,
        rows.fingerprint,
        [rows.note],
    )


def _in_rows(names: Sequence[str], columns: dict[str, list[Value]]) -> Labels:
    columns, notes = tidied(columns)
    rows = {name: {c: values[i] for c, values in columns.items()} for i, name in enumerate(names)}
    return Labels(rows, notes)
