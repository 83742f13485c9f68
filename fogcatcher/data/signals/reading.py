"""From a path to a data set of signals: NumPy arrays, a table with one signal a line, or a file for each."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.arrays import all_columns, is_label, is_number, load_arrays
from fogcatcher.data.cells import tidied
from fogcatcher.data.files import open_files
from fogcatcher.data.labels import read_labels
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import Dataset, Reading, check_bad
from fogcatcher.data.selection import select
from fogcatcher.data.tables import is_table
from fogcatcher.data.texts import decoded
from fogcatcher.data.values import Value

Signal = NDArray[np.float32]
"""(C, L)"""
SUFFIXES = (".csv", ".npy")
OF_PICTURES = ("size", "alpha", "fit", "resample", "trim", "all_frames")
"""Options that say nothing of signals."""
LARGEST_FILE = 2**26
LARGEST_TABLE = 2**30


@dataclass
class Found:
    """Signals one by one, and what is known about them."""

    names: list[str]
    signal: Callable[[int], Signal]
    """Number -> (C, L). Raises ValueError for what is none."""
    columns: dict[str, list[Value]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)


def reads_signals(path: str | Path) -> bool:
    """Return whether what lies there can only be signals: a table, or a folder of tables and nothing else."""
    path = Path(path)
    if path.is_file():
        return path.suffix.lower() == ".csv"
    if not path.is_dir():
        return False
    suffixes = {p.suffix.lower() for p in path.rglob("*") if p.is_file() and not is_table(p.name)}
    return suffixes == {".csv"}


def read_signals(
    path: str | Path, options: DataOptions | None = None, progress: Reading | None = None
) -> Dataset:
    """Read signals of one length and one number of channels, as float32 rows (N, C, L).

    A NumPy file holds (N, L) or (N, C, L), with labels in arrays as long as it. A CSV file holds one signal a
    line; columns of words, and those called label, class or target, are labels. In a folder every .csv (a
    line for each time, a column for each channel) or .npy file, (L,) or (C, L), is one signal, and labels
    come from the usual layouts. Raises UserError when nothing can be read, or more than
    ``options.max_bad`` is bad.
    """
    options, path = options or DataOptions(), Path(path)
    for name in OF_PICTURES:
        if getattr(options, name) != getattr(DataOptions, name):
            raise UserError(Message(f"{{@{name}}} is for pictures; these are signals."), about=name)
    if not path.exists():
        raise UserError(f"there are no signals at {path}: check the spelling, or give the full path.")
    found = _found(path, options)
    dataset = _collect(found, options, progress)
    check_bad(dataset, options.max_bad, "signals")
    return dataset


def _found(path: Path, options: DataOptions) -> Found:
    if path.is_dir():
        return _in_files(path, options)
    match path.suffix.lower():
        case ".npy" | ".npz":
            return _in_arrays(path)
        case ".csv":
            return _in_table(path, options.encoding)
    raise UserError(f"{path} holds no signals: give a .npy, .npz or .csv file, or a folder of such files.")


def describe_signals(dataset: Dataset, verbose: bool = False, told: Callable[[str], str] = str) -> list[str]:
    """Return what was read and what became of every file, in sentences."""
    count, channels, length = dataset.rows.shape
    lines = [f"{count:,} signals of {length:,} values, {channels} channel{'s' * (channels > 1)}"]
    lines += map(told, dataset.notes)
    if dataset.duplicates:
        lines.append(
            f"duplicates: {len(dataset.duplicates)} signals left out, with the values and labels of another"
        )
    for what, reasons in (("skipped", dataset.skipped), ("ignored", dataset.ignored)):
        shown = list(reasons.items())[: None if verbose else 3]
        lines += [f"{what}: {name} {reason}" for name, reason in shown]
        if len(reasons) > len(shown):
            lines.append(f"{what}: {len(reasons) - len(shown)} more")
    return lines


# --- arrays -------------------------------------------------------------------------------------


def _in_arrays(path: Path) -> Found:
    arrays = load_arrays(path)
    possible = {
        name: array
        for name, array in arrays.items()
        if array.ndim in (2, 3) and array.size and is_number(array) and not is_label(name)
    }
    if not possible:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise UserError(f"{path} holds no signals, (N, L) or (N, C, L); it holds {shapes}.")
    name = max(possible, key=lambda name: (possible[name].size, name))
    array = possible[name] if possible[name].ndim == 3 else possible[name][:, None]
    columns = all_columns(
        {
            other: values
            for other, values in arrays.items()
            if other != name and values.ndim <= 2 and values.shape[:1] == array.shape[:1]
        }
    )
    return Found(
        [f"{path.name}[{i}]" for i in range(len(array))],
        lambda number: np.array(array[number], np.float32),
        columns,
        [f"arrays: {name}, (N, C, L) = {array.shape}; labels: {', '.join(columns) or 'none'}"],
    )


# --- a table ------------------------------------------------------------------------------------


def _in_table(path: Path, encoding: str | None) -> Found:
    header, lines = _table(path.name, _content(path, encoding))
    if not lines:
        raise UserError(f"{path} holds no signals: it is empty.")
    width = Counter(len(line) for line in lines).most_common(1)[0][0]
    header = header or [str(i) for i in range(width)]
    if len(header) != width or len(set(header)) < width:
        raise UserError(
            f"{path}: the header names {len(set(header))} columns and most lines have {width}; each needs a "
            "name of its own, and a text that holds a comma must stand in quotes."
        )
    numbers = [i for i in range(width) if not is_label(header[i]) and _all_numbers(lines, i, width)]
    if not numbers:
        raise UserError(f"{path} holds no signals: no column holds only numbers.")
    columns: dict[str, list[Value]] = {
        header[i]: [line[i].strip() or None if len(line) == width else None for line in lines]
        for i in range(width)
        if i not in numbers
    }

    def signal(number: int) -> Signal:
        line = lines[number]
        if len(line) != width:
            raise ValueError(f"has {len(line)} columns, and most lines have {width}")
        return np.array([[float(line[i]) for i in numbers]], np.float32)

    names = [f"{path.name}[{i}]" for i in range(len(lines))]
    told = f"a table: {len(numbers)} numbers a line; labels: {', '.join(columns) or 'none'}"
    return Found(names, signal, columns, [told])


def _content(path: Path, encoding: str | None) -> str:
    if path.stat().st_size > LARGEST_TABLE:
        raise UserError(f"{path} is larger than 1 GiB: save it as .npy instead.")
    return _text(path.name, path.read_bytes(), encoding)


def _text(name: str, content: bytes, encoding: str | None) -> str:
    if encoding is not None:
        return decoded(content, name, encoding)[0]
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            Message(
                "{name} is not UTF-8 text ({reason}): save it as such, or say {@encoding}.",
                name=name,
                reason=error.reason,
            )
        ) from error


def _table(name: str, text: str) -> tuple[list[str] | None, list[list[str]]]:
    """Return the header, where there is one, and the lines that hold anything."""
    try:
        lines = [
            line for line in csv.reader(io.StringIO(text), strict=True) if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:
        raise UserError(f"{name} is not a table of comma-separated values ({error}).") from error
    if lines and not any(_is_float(cell) for cell in lines[0]):
        return [cell.strip() for cell in lines[0]], lines[1:]
    return None, lines


def _all_numbers(lines: Sequence[Sequence[str]], column: int, width: int) -> bool:
    """Whether the first lines of the usual width hold numbers there."""
    return all(_is_float(line[column]) for line in lines[:100] if len(line) == width)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --- a file for each ----------------------------------------------------------------------------


def _in_files(path: Path, options: DataOptions) -> Found:
    files = open_files(path, options.encoding)
    used = [
        name for name in files.names if PurePosixPath(name).suffix.lower() in SUFFIXES and not is_table(name)
    ]
    if not used:
        raise UserError(
            f"no signals among the {len(files.names)} files in {path}: .csv and .npy can be read."
        )
    labels = read_labels(files, used, options.labels, options.unmatched)
    known = dict.fromkeys(column for row in labels.rows.values() for column in row)
    columns = {column: [labels.rows.get(name, {}).get(column) for name in used] for column in known}

    def signal(number: int) -> Signal:
        return _one_file(used[number], files.read(used[number], limit=LARGEST_FILE), files.encoding)

    known = set(used)
    ignored = dict(files.ignored) | {
        name: "is no signal" for name in files.names if name not in known and not is_table(name)
    }
    return Found(used, signal, columns, labels.notes, ignored)


def _one_file(name: str, content: bytes, encoding: str | None) -> Signal:
    if name.lower().endswith(".npy"):
        array = np.load(io.BytesIO(content), allow_pickle=False)
        if array.ndim not in (1, 2) or not is_number(array):
            raise ValueError(f"is no signal, (L,) or (C, L), but {array.dtype} {array.shape}")
        return np.atleast_2d(array).astype(np.float32)
    _, lines = _table(name, _text(name, content, encoding))
    if len({len(line) for line in lines}) != 1:
        raise ValueError("has lines of different lengths, or none")
    return np.array([[float(cell) for cell in line] for line in lines], np.float32).T


# --- the set ------------------------------------------------------------------------------------


def _collect(found: Found, options: DataOptions, progress: Reading | None) -> Dataset:
    found.columns, notes = tidied(found.columns)
    found.notes += notes
    chosen = select(found.columns, found.names, options.where, options.classes, options.limit)
    read: dict[int, Signal] = {}
    skipped: dict[str, str] = {}
    for done, number in enumerate(chosen, start=1):
        try:
            signal = found.signal(number)
            if not np.isfinite(signal).all():
                raise ValueError("holds a number that is not finite")
            read[number] = signal
        except (ValueError, OSError, EOFError, UserError) as error:
            skipped[found.names[number]] = str(error).rstrip(".")
        if progress:
            progress(done, len(chosen))
    if not read:
        example, reason = next(iter(skipped.items()), ("", "there are none"))
        raise UserError(f"none of the {len(chosen)} signals can be read; {example}, for one, {reason}.")
    shape = Counter(signal.shape for signal in read.values()).most_common(1)[0][0]
    for number in [number for number, signal in read.items() if signal.shape != shape]:
        odd = read.pop(number).shape
        skipped[found.names[number]] = f"has shape {odd}, channels x length, and most have {shape}"
    return _dataset(found, read, skipped)


def _dataset(found: Found, read: dict[int, Signal], skipped: dict[str, str]) -> Dataset:
    """Equal signals with equal labels count once."""
    first: dict[tuple[bytes, str], str] = {}
    duplicates: dict[str, str] = {}
    kept: list[int] = []
    for number, signal in read.items():
        said = str([values[number] for values in found.columns.values()])
        other = first.setdefault((signal.tobytes(), said), found.names[number])
        if other == found.names[number]:
            kept.append(number)
        else:
            duplicates[found.names[number]] = other
    rows = torch.from_numpy(np.stack([read[number] for number in kept]))
    return Dataset(
        rows=rows,
        columns={name: [values[number] for number in kept] for name, values in found.columns.items()},
        names=[found.names[number] for number in kept],
        skipped=skipped,
        duplicates=duplicates,
        ignored=found.ignored,
        notes=found.notes,
        digest=hashlib.sha256(rows.numpy().tobytes()).hexdigest()[:16],
        prints=[hashlib.blake2b(row.numpy().tobytes(), digest_size=8).hexdigest() for row in rows],
    )
