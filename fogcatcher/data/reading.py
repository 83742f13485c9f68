"""From a path to a data set: which files are pictures, and what is known about each."""

from __future__ import annotations

import csv
import json
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from fogcatcher.data.idx import find_idx_pairs, read_idx
from fogcatcher.data.picture_files import READING_ERRORS, SUFFIXES, fit_to, read_picture
from fogcatcher.data.spec import Pictures
from fogcatcher.errors import UserError, unknown_name

LARGEST_DEFAULT_SIZE = 64
FALLBACK_SIZE = 32
USUAL_LABELS = ("kind", "label", "class", "category", "type")
METADATA_FILES = ("metadata.jsonl", "metadata.csv")


@dataclass(frozen=True)
class Dataset:
    """Decoded pictures with what is known about them."""

    pictures: Pictures
    """(N, C, H, W) uint8."""
    labels: dict[str, list[str | None]]
    """Column -> one value per picture; None where it is missing."""
    names: list[str]
    """Where each picture came from, relative to the data set."""
    sizes: Counter[tuple[int, int]]
    """How many pictures had each (height, width) before fitting."""
    skipped: dict[str, str] = field(default_factory=dict)
    """File -> why it could not be used."""
    notes: list[str] = field(default_factory=list)
    """Sentences that say which rule applied."""

    def __len__(self) -> int:
        return len(self.names)


def read_dataset(path: Path, size: tuple[int, int] | None = None, column: str | None = None) -> Dataset:
    """Read a folder of pictures (sub-folders or metadata as labels) or of IDX files.

    ``size`` (height, width) None takes the most common size up to 64, else 32. ``column`` chooses the
    label column; None takes the usual one (a column named kind, label, class, category or type; or
    the sub-folders). Broken files are skipped and named. Raises UserError when nothing can be read.
    """
    if not path.exists():
        raise UserError(f"there is no folder {path}: check the spelling, or give the full path.")
    if not path.is_dir():
        raise UserError(f"{path} is a file: give the folder that holds the pictures.")
    pairs = find_idx_pairs(path)
    dataset = _from_idx(pairs, size) if pairs else _from_folder(path, size)
    return choose_column(dataset, column)


def choose_column(dataset: Dataset, column: str | None) -> Dataset:
    """Keep the one column of labels that the model is to know."""
    if column is not None and column not in dataset.labels:
        raise unknown_name("condition column", column, dataset.labels)
    if column is None:
        column = next((name for name in USUAL_LABELS if name in dataset.labels), None)
    if column is None:
        if dataset.labels:
            listed = ", ".join(dataset.labels)
            dataset.notes.append(f"no column is used as a condition; --condition takes one of: {listed}")
        return replace(dataset, labels={})
    classes = {value for value in dataset.labels[column] if value is not None}
    if len(classes) < 2:
        dataset.notes.append(f"'{column}' has one value for all pictures and is not used as a condition")
        return replace(dataset, labels={})
    dataset.notes.append(f"condition: {column} ({len(classes)} classes)")
    return replace(dataset, labels={column: dataset.labels[column]})


# --- folders of pictures ------------------------------------------------------------------------


def _from_folder(root: Path, size: tuple[int, int] | None) -> Dataset:
    everything = sorted(_walk(root))
    candidates = [f for f in everything if f.suffix.lower() in SUFFIXES]
    if not candidates:
        raise _no_pictures(root, everything)
    files, notes = _one_split(root, candidates)
    rows, rule = _labels_of(root, files, [f for f in everything if f.name in METADATA_FILES])
    size = size or _usual_size(files)
    fitted, sizes, skipped = _decode(root, files, size)
    if not fitted:
        example, reason = next(iter(skipped.items()))
        raise UserError(
            f"none of the {len(files)} pictures in {root} can be read; {example}, for one: {reason}."
        )
    present = {f.relative_to(root).as_posix() for f in candidates}
    missing = [name for name in rows if name not in present]
    skipped |= dict.fromkeys(missing, "named in the metadata, but the file is missing")
    names = list(fitted)
    pictures, labels = _stack(list(fitted.values())), _columns(rows, names)
    return Dataset(pictures, labels, names, sizes, skipped, [*notes, rule])


def _walk(root: Path) -> Iterator[Path]:
    """All visible files below ``root``; links to folders are not followed, so there are no circles."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _no_pictures(root: Path, files: list[Path]) -> UserError:
    if not files:
        return UserError(f"{root} is empty: put PNG, JPEG, GIF, BMP or WebP pictures into it.")
    seen = Counter(f.suffix.lower() or "(none)" for f in files)
    listed = ", ".join(f"{suffix} x {count}" for suffix, count in seen.most_common(6))
    return UserError(
        f"no pictures among the {len(files)} files in {root} (suffixes seen: {listed}); "
        "PNG, JPEG, GIF, BMP and WebP can be read."
    )


def _one_split(root: Path, files: list[Path]) -> tuple[list[Path], list[str]]:
    """Where the top folders are train, test and so on, keep train."""
    top = {f.relative_to(root).parts[0] for f in files if len(f.relative_to(root).parts) > 1}
    others = top & {"test", "val", "valid", "validation"}
    if "train" not in top or not others:
        return files, []
    kept = [f for f in files if f.relative_to(root).parts[0] == "train"]
    return kept, [f"only 'train' is used; {', '.join(sorted(others))} is left for judging"]


def _usual_size(files: list[Path]) -> tuple[int, int]:
    """The most common size if it is small (the larger of two equally common), else 32 x 32.

    Only headers are read, so a folder of large photographs costs no memory here.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(file) as image:
                    sizes[image.height, image.width] += 1
        except READING_ERRORS:
            continue
    most = max(sizes.values(), default=0)
    size = max((s for s, count in sizes.items() if count == most), default=(FALLBACK_SIZE, FALLBACK_SIZE))
    return size if max(size) <= LARGEST_DEFAULT_SIZE else (FALLBACK_SIZE, FALLBACK_SIZE)


def _decode(
    root: Path, files: list[Path], size: tuple[int, int]
) -> tuple[dict[str, NDArray[np.uint8]], Counter[tuple[int, int]], dict[str, str]]:
    """Return name -> fitted RGBA picture, the sizes before fitting, and name -> why not."""
    fitted: dict[str, NDArray[np.uint8]] = {}
    sizes: Counter[tuple[int, int]] = Counter()
    skipped: dict[str, str] = {}
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            rgba = read_picture(file)
        except READING_ERRORS as error:
            skipped[name] = _reason(file, error)
            continue
        sizes[rgba.shape[0], rgba.shape[1]] += 1
        fitted[name] = fit_to(rgba, *size)
    return fitted, sizes, skipped


def _reason(file: Path, error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    if file.stat().st_size == 0:
        return "is empty (0 bytes)"
    if isinstance(error, Image.UnidentifiedImageError):
        return "is not a picture, whatever its name says"
    return f"is broken ({error})"


def _stack(fitted: list[NDArray[np.uint8]]) -> Pictures:
    """Join (H, W, 4) pictures, with no more channels than they need: grey, RGB or RGBA."""
    rgba = np.stack(fitted)
    if (rgba[..., 3] == 255).all():
        grey = (rgba[..., :1] == rgba[..., 1:3]).all()
        rgba = rgba[..., :1] if grey else rgba[..., :3]
    return torch.from_numpy(np.ascontiguousarray(rgba.transpose(0, 3, 1, 2)))


# --- what is known about each picture -----------------------------------------------------------

Rows = dict[str, dict[str, str | None]]
"""Picture -> column -> value."""


def _labels_of(root: Path, files: list[Path], metadata: list[Path]) -> tuple[Rows, str]:
    """Return what is known about each picture, and the rule that said so."""
    if metadata:
        rows: Rows = {}
        for file in metadata:
            rows |= {_inside(root, file, name): row for name, row in _metadata_rows(file)}
        return rows, f"labels: {', '.join(f.relative_to(root).as_posix() for f in metadata)}"
    folders = {f: f.parent.name for f in files if f.parent != root and f.parent.name != "train"}
    if len(set(folders.values())) < 2:
        return {}, "labels: none (no sub-folders, no metadata.jsonl or metadata.csv)"
    rows = {f.relative_to(root).as_posix(): {"label": name} for f, name in folders.items()}
    return rows, "labels: the sub-folders"


def _inside(root: Path, metadata: Path, name: str) -> str:
    """Return the picture's path below ``root``; a name that leads outside it is an error."""
    path = Path(os.path.normpath(metadata.parent / name))
    if not path.is_relative_to(os.path.normpath(root)):
        raise UserError(f"{metadata} names a file outside the folder: {name}")
    return path.relative_to(os.path.normpath(root)).as_posix()


def _metadata_rows(file: Path) -> Iterator[tuple[str, dict[str, str | None]]]:
    for number, row in enumerate(_raw_rows(file), start=1):
        name = row.pop("file_name", None)
        if not isinstance(name, str) or not name:
            raise UserError(f"{file}, row {number}: no 'file_name', so it belongs to no picture.")
        yield name, {column: _as_label(value) for column, value in row.items()}


def _raw_rows(file: Path) -> Iterable[dict[str, object]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix == ".csv":
            return [dict(row) for row in csv.DictReader(text.splitlines())]
        return [dict(json.loads(line)) for line in text.splitlines() if line.strip()]
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read: {error}.") from error


def _as_label(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _columns(rows: Rows, names: list[str]) -> dict[str, list[str | None]]:
    """Turn rows into columns, in the order of ``names``."""
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    return {column: [rows.get(name, {}).get(column) for name in names] for column in columns}


# --- IDX ----------------------------------------------------------------------------------------


def _from_idx(pairs: list[tuple[Path, Path | None]], size: tuple[int, int] | None) -> Dataset:
    """The training pair where there is one, else the first."""
    images, labels = next((p for p in pairs if p[0].name.startswith("train")), pairs[0])
    grey = read_idx(images)
    if grey.ndim != 3:
        raise UserError(f"{images} holds {grey.ndim}-dimensional data, not pictures.")
    n, height, width = grey.shape
    pictures = torch.from_numpy(grey.copy())[:, None]
    if size is not None and size != (height, width):
        opaque = np.full((*grey.shape, 1), 255, np.uint8)
        rgba = np.concatenate([grey[..., None].repeat(3, -1), opaque], -1)
        pictures = _stack([fit_to(picture, *size) for picture in rgba])
    columns: dict[str, list[str | None]] = {}
    if labels is not None:
        values = read_idx(labels)
        if values.shape != (n,):
            raise UserError(f"{labels} has {len(values)} labels for {n} pictures.")
        columns["label"] = [str(value) for value in values.tolist()]
    names = [f"{images.name}[{i}]" for i in range(n)]
    return Dataset(pictures, columns, names, Counter({(height, width): n}), notes=[f"IDX: {images.name}"])
