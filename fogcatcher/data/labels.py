"""What is known about each picture: the usual layouts of labels, and which of them applies."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.base.printable import printable
from fogcatcher.base.read_json import parsed
from fogcatcher.data.files import Files
from fogcatcher.data.pictures.picture_files import Unreadable
from fogcatcher.data.values import Value

RULES = ("auto", "metadata", "dataset.json", "sidecars", "folders", "prefix", "none")
METADATA = frozenset({"metadata.jsonl", "metadata.csv", "labels.jsonl", "labels.csv"})
NAME_COLUMNS = ("file_name", "filename", "file", "image", "image_path", "path")
SIDECARS = {".txt": "text", ".caption": "text", ".cls": "label", ".json": ""}
"""Files beside a picture, of the same name but for the suffix -> their column ("": they name it)."""
_NOT_CAPTIONS = frozenset({"readme", "license", "licence", "credits", "notes", "changelog", "requirements"})
_SHOWN = 5


@dataclass
class Labels:
    """Picture -> column -> value, and the sentences that say which rule applied."""

    rows: dict[str, dict[str, Value]]
    notes: list[str] = field(default_factory=list)


def read_labels(
    files: Files,
    pictures: Sequence[str],
    rule: str = "auto",
    unmatched: str = "error",
    left_out: Collection[str] = (),
) -> Labels:
    """Return what the files of a data set say about its pictures.

    ``rule`` "auto" takes the first that fits: metadata files, EDM's dataset.json, files beside the pictures,
    sub-folders, prefixes of names. Where rows and pictures do not match, ``unmatched`` "error" raises
    UserError with their names, and "use" uses the picture without a row and ignores the row without a
    picture. Rows about pictures in ``left_out`` are passed over.
    """
    if rule not in RULES:
        raise unknown_name("label rule", rule, RULES, about="labels")
    beside = [
        name for name in files.names if PurePosixPath(name).name in METADATA and _same_split(name, pictures)
    ]
    edm = next((name for name in files.names if name in ("dataset.json", "train/dataset.json")), None)
    if rule in ("auto", "metadata") and beside:
        table = _metadata(files, beside)
        said = f"labels: {', '.join(beside)}"
    elif rule in ("auto", "dataset.json") and edm and (found := _dataset_json(files, edm)) is not None:
        table, said = found, f"labels: {edm}, as EDM writes it"
    elif rule in ("auto", "sidecars") and (kinds := _sidecar_kinds(files, pictures)):
        return _sidecars(files, pictures, kinds, unmatched)
    elif rule in ("auto", "folders") and (rows := _folders(pictures)):
        return Labels(rows, ["labels: the sub-folders"])
    elif rule == "prefix" or (rule == "auto" and _has_prefixes(pictures)):
        prefixes = {name: _row(label=PurePosixPath(name).name.split("_")[0]) for name in pictures}
        said = "labels: the part of each name before the first _ ({@labels:'none'} ignores it)"
        return Labels(prefixes, [Message(said)])
    elif rule in ("auto", "none"):
        return Labels(
            {}, ["labels: none" + (" (no metadata, captions or sub-folders)" if rule == "auto" else "")]
        )
    else:
        raise UserError(
            Message("{@labels:{rule!r}}: nothing of that kind is in {root}.", rule=rule, root=files.root)
        )
    notes = _check_match(table, pictures, said, unmatched, left_out)
    return Labels({name: row for name, row in table.items() if name in set(pictures)}, [said, *notes])


def _same_split(metadata: str, pictures: Sequence[str]) -> bool:
    """Whether a metadata file lies in a folder that holds used pictures, or above one."""
    folder = metadata.rpartition("/")[0]
    return not folder or any(name.startswith(f"{folder}/") for name in pictures)


def _check_match(
    rows: Iterable[str], pictures: Sequence[str], said: str, unmatched: str, left_out: Collection[str]
) -> list[str]:
    """Compare rows with pictures, both ways."""
    known, present = set(rows), set(pictures)
    complaints = []
    if without_picture := sorted(known - present - set(left_out)):
        complaints.append(f"{_some(without_picture)} named there, but no such picture")
    if without_row := sorted(present - known):
        complaints.append(f"{_some(without_row)} in the folder, but not named there")
    if complaints and unmatched == "error":
        raise UserError(
            Message(
                "{said}, but pictures and rows do not match: {complaints}. "
                "Mend it, or add {@unmatched:'use'} to go on all the same.",
                said=said,
                complaints="; and ".join(complaints),
            )
        )
    return [f"not matched: {complaint}" for complaint in complaints]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more + (" is" if len(names) == 1 else " are")


def _text(files: Files, name: str) -> str:
    """Decode text as UTF-8, as UTF-16 where its mark says so, else as Windows wrote it."""
    try:
        content = files.read(name)
    except Unreadable as error:
        raise UserError(f"{name} {error}.") from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


# --- metadata.jsonl, metadata.csv ---------------------------------------------------------------


def _metadata(files: Files, beside: Sequence[str]) -> dict[str, dict[str, Value]]:
    table: dict[str, dict[str, Value]] = {}
    for metadata in beside:
        origin: dict[str, int] = {}
        for number, row in _rows(metadata, _text(files, metadata)):
            key = next((column for column in NAME_COLUMNS if isinstance(row.get(column), str)), None)
            if key is None or not row[key]:
                raise UserError(f"{metadata}, row {number}: no 'file_name', so it belongs to no picture.")
            name = _inside(metadata, str(row.pop(key)))
            if name in origin:
                raise UserError(f"{metadata}: rows {origin[name]} and {number} both name {name}.")
            origin[name] = number
            table[name] = {str(column): _value(value) for column, value in row.items() if column is not None}
    return table


def _rows(name: str, text: str) -> Iterable[tuple[int, dict[Any, Any]]]:
    """Yield (row number, row); the row under a CSV header is number 1."""
    if name.endswith(".csv"):
        # Spreadsheets of many countries part cells by semicolons.
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        try:
            yield from enumerate(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter), start=1)
        except csv.Error as error:
            raise UserError(f"{name} cannot be read as CSV: {error}.") from error
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, _object(line, f"{name}, row {number}")


def _object(text: str, where: str) -> dict[Any, Any]:
    try:
        row = parsed(text, finite=False)  # other programs write NaN where a number is missing
    except ValueError as error:
        raise UserError(f"{where} is not JSON: {error}.") from error
    if not isinstance(row, dict):
        raise UserError(f'{where} is not an object of columns, such as {{"file_name": "a.png"}}.')
    return row


def _inside(metadata: str, name: str) -> str:
    """Return the picture's path below the root; a name that leads outside it is an error."""
    path = os.path.normpath(os.path.join(os.path.dirname(metadata), name.replace("\\", "/")))
    if os.path.isabs(path) or path.split("/")[0] == "..":
        raise UserError(f"{metadata} names a file outside the folder: {name}")
    return printable(path)


def _value(value: object) -> Value:
    if value is None or isinstance(value, str):
        return value.strip() or None if value else None
    return value if isinstance(value, (bool, int, float, list)) else json.dumps(value)


# --- dataset.json of EDM ------------------------------------------------------------------------


def _dataset_json(files: Files, name: str) -> dict[str, dict[str, Value]] | None:
    """{"labels": [["00000/img.png", 6], ...]}: a class number or a vector each; None without labels."""
    labels = _object(_text(files, name), name).get("labels")
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in labels
    ):
        raise UserError(f"{name}: 'labels' is not a list of [file name, label] pairs.")
    return {_inside(name, file): {"label": _class_name(label)} for file, label in labels}


def _class_name(label: object) -> Value:
    """A class number is a name, not a quantity."""
    whole = isinstance(label, int) and not isinstance(label, bool)
    return str(label) if whole else _value(label)


# --- files beside the pictures ------------------------------------------------------------------


def _sidecar_kinds(files: Files, pictures: Sequence[str]) -> list[str]:
    """The suffixes that at least half of the pictures have beside them."""
    stems = {_stem(name) for name in pictures}
    found = Counter(
        suffix
        for name in files.names
        if (suffix := PurePosixPath(name).suffix.lower()) in SIDECARS and _stem(name) in stems
    )
    return [suffix for suffix in SIDECARS if 2 * found[suffix] >= len(pictures) > 0]


def _stem(name: str) -> str:
    return name[: len(name) - len(PurePosixPath(name).suffix)]


def _sidecars(files: Files, pictures: Sequence[str], kinds: Sequence[str], unmatched: str) -> Labels:
    folders = _folders(pictures)
    rows: dict[str, dict[str, Value]] = {name: dict(folders.get(name, {})) for name in pictures}
    said = f"labels: the {', '.join(kinds)} files beside the pictures"
    if folders:
        said += ", and the sub-folders"
    notes = [said]
    by_stem = {_stem(name): name for name in pictures}
    folder_names = {name.rpartition("/")[0] for name in pictures}
    for kind in kinds:
        beside = {
            _stem(name): name
            for name in files.names
            if name.lower().endswith(kind)
            and name.rpartition("/")[0] in folder_names
            and PurePosixPath(name).stem.lower() not in _NOT_CAPTIONS
        }
        matched = {by_stem.get(stem, f"{stem}.*"): name for stem, name in beside.items()}
        notes += _check_match(
            matched, pictures, f"labels: {kind} files beside the pictures", unmatched, set()
        )
        for picture, name in matched.items():
            if picture in rows:
                rows[picture] |= _sidecar(kind, name, _text(files, name))
    return Labels(rows, notes)


def _sidecar(kind: str, name: str, text: str) -> Mapping[str, Value]:
    if column := SIDECARS[kind]:
        return {column: " ".join(text.split()) or None}
    return {str(column): _value(value) for column, value in _object(text, name).items()}


# --- sub-folders and prefixes -------------------------------------------------------------------


def _folders(pictures: Sequence[str]) -> dict[str, dict[str, Value]]:
    """Column "label" is the first folder that tells pictures apart; "sublabel" is what lies below it."""
    parts = {name: PurePosixPath(name).parts[:-1] for name in pictures}
    first, last = min(inside := [p for p in parts.values() if p] or [()]), max(inside)
    shared = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    rows: dict[str, dict[str, Value]] = {}
    deeper = len({p[shared + 1 :] for p in parts.values()}) > 1
    for name, folders in parts.items():
        rows[name] = {"label": folders[shared] if len(folders) > shared else None}
        if deeper:
            rows[name]["sublabel"] = "/".join(folders[shared + 1 :]) or None
    # One folder says nothing: a class needs another class.
    return rows if len({str(row["label"]) for row in rows.values() if row["label"] is not None}) > 1 else {}


def _row(**columns: Value) -> dict[str, Value]:
    return columns


def _has_prefixes(pictures: Sequence[str]) -> bool:
    """Whether the names look like knight_01.png, slime_03.png: few prefixes, many pictures each."""
    matches = [re.match(r"([A-Za-z0-9-]+)_", PurePosixPath(name).name) for name in pictures]
    prefixes = Counter(match[1] for match in matches if match)
    return (
        all(matches)
        and 2 <= len(prefixes) <= 100
        and 4 * len(prefixes) <= len(pictures)
        and min(prefixes.values()) > 1
    )
