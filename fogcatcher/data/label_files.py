"""The files that say something of pictures: tables, EDM's dataset.json, and files beside the pictures."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.printable import printable
from fogcatcher.data.cells import cleaned, tidied
from fogcatcher.data.files import Files
from fogcatcher.data.pictures.picture_files import Unreadable
from fogcatcher.data.tables import FORMS, TITLES, is_table, json_object, read_table
from fogcatcher.data.texts import decoded
from fogcatcher.data.values import Value

SIDECARS = {".txt": "text", ".caption": "text", ".cls": "label", ".json": ""}
"""Files beside a picture, of the same name but for the suffix -> their column ("": they name it)."""
_NOT_CAPTIONS = frozenset(
    {"readme", "license", "licence", "credits", "notes", "changelog", "requirements", "sheet"}
)
_LIKE_TABLES = frozenset({*FORMS, ".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".ods"} - {".json"})
_SHOWN = 5

Rows = dict[str, dict[str, Value]]
"""Picture -> column -> value."""


@dataclass(eq=False)
class Said:
    """What one source says."""

    told: str
    """What it is called in a sentence."""
    rows: Rows
    alone: bool = False
    """Every file beside a picture stands for itself: all of its kind must be there."""
    notes: list[str] = field(default_factory=list)


class LabelFiles:
    """Reads what the files of a data set say about ``pictures``."""

    def __init__(self, files: Files, pictures: Sequence[str], left_out: Collection[str] = ()) -> None:
        self._files, self._pictures = files, pictures
        self._known, self._left_out = set(pictures), left_out
        self.notes: list[Message] = []
        """How texts were read, where that was guessed."""

    def not_read(self, said: Collection[Said]) -> list[str]:
        """Return a sentence that names the files which look like labels and are none of the sources."""
        used = {source.told for source in said}
        elsewhere = _folders_of(self._left_out) - _folders_of(self._pictures)
        left = [
            name
            for name in self._files.names
            if _is_like_a_table(name)
            and not {name, *self._pictures_of(name)} & (used | self._known)
            and str(PurePosixPath(name).parent) not in elsewhere
        ]
        if not left:
            return []
        return [
            f"not read as labels: {', '.join(left[:_SHOWN])}"
            + (f" and {len(left) - _SHOWN:,} more" if len(left) > _SHOWN else "")
            + f" (read are {', '.join(TITLES)} with the suffix {', '.join(FORMS)})"
        ]

    @cached_property
    def _others(self) -> list[str]:
        """The files in or above folders of pictures that are none themselves."""
        folders = _folders_of(self._pictures)
        return [
            name
            for name in self._files.names
            if name not in self._known and str(PurePosixPath(name).parent) in folders
        ]

    @cached_property
    def _by_stem(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for name in self._pictures:
            found.setdefault(_stem(name), []).append(name)
        return found

    def _text(self, name: str) -> str:
        try:
            content = self._files.read(name)
        except Unreadable as error:
            raise UserError(f"{name} {error}.") from error
        text, guessed = decoded(content, name, self._files.encoding)
        if guessed and not self.notes:
            odd = next(word for word in text.split() if not word.isascii())
            self.notes.append(
                Message(
                    "{name} is not UTF-8; read as {codec}, with '{odd}' ({@encoding} says otherwise)",
                    name=name,
                    codec=guessed,
                    odd=printable(odd, 24),
                )
            )
        return text

    def _place(self, source: str, name: str) -> str:
        """Return the picture's path below the root; a name that leads outside it is an error."""
        path = os.path.normpath(os.path.join(os.path.dirname(source), name.replace("\\", "/")))
        if os.path.isabs(path) or path.split("/")[0] == "..":
            raise UserError(f"{source} names a file outside the folder: {name}")
        path = printable(path)
        return path if path in self._known else unicodedata.normalize("NFC", path)

    # --- tables and dataset.json ----------------------------------------------------------------

    def tables(self, asked: bool) -> list[Said]:
        """Return what metadata.csv and its like say, each for itself. ``asked``: they were asked for."""
        found = [self._table(name) for name in self._others if is_table(name)]
        # A .json file may hold anything: it is a table if it names a picture.
        return [
            s for s in found if asked or not s.told.lower().endswith(".json") or self._known & s.rows.keys()
        ]

    def _table(self, name: str) -> Said:
        table = read_table(name, self._text(name))
        keys = table.keys()

        def places(column: str) -> list[str]:
            cells = [(number, row.get(column)) for number, row in table.rows]
            for number, cell in cells:
                if not isinstance(cell, str) or not cell.strip():
                    raise UserError(f"{name}, row {number}: no '{column}', so it belongs to no picture.")
            return [self._place(name, str(cell).strip()) for _, cell in cells]

        def matches(column: str) -> int:
            cells = (row.get(column) for _, row in table.rows)
            return sum(isinstance(c, str) and os.path.normpath(c) in self._known for c in cells)

        key = max(keys, key=matches) if len(keys) > 1 else keys[0] if keys else "file_name"
        named = places(key)
        origin: dict[str, int] = {}
        for (number, _), place in zip(table.rows, named, strict=True):
            if place in origin:
                raise UserError(f"{name}: rows {origin[place]} and {number} both name {place}.")
            origin[place] = number
        rows = [
            {column: _value(cell) for column, cell in row.items() if column != key} for _, row in table.rows
        ]
        rows, notes = _tidied(dict(zip(named, rows, strict=True)))
        return Said(name, rows, notes=[*table.notes, *notes])

    def dataset_json(self, asked: bool) -> list[Said]:
        """Return what EDM's dataset.json says."""
        del asked
        names = [name for name in self._others if PurePosixPath(name).name.lower() == "dataset.json"]
        return [Said(name, rows) for name in names if (rows := self._pairs(name)) is not None]

    def _pairs(self, name: str) -> Rows | None:
        """{"labels": [["00000/img.png", 6], ...]}: a class number or a vector each; None without labels."""
        pairs = json_object(self._text(name), name).get("labels")
        if pairs is None:
            return None
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs
        ):
            raise UserError(f"{name}: 'labels' is not a list of [file name, label] pairs.")
        origin: dict[str, int] = {}
        one_hot = all(_is_one_hot(label) for _, label in pairs)
        rows: Rows = {}
        for number, (file, label) in enumerate(pairs, start=1):
            place = self._place(name, file)
            if place in origin:
                raise UserError(f"{name}: rows {origin[place]} and {number} both name {place}.")
            origin[place] = number
            rows[place] = {"label": str(label.index(1)) if one_hot else _class_name(label)}
        return rows

    # --- files beside the pictures --------------------------------------------------------------

    def sidecars(self, asked: bool) -> list[Said]:
        """Return what the files beside pictures say, by their suffixes.

        Those beside less than half of the pictures may be anything: they are read only if ``asked``.
        """
        found: dict[str, Said] = {}
        for suffix in SIDECARS:
            files = [name for name in self._others if name.lower().endswith(suffix) and _may_be_beside(name)]
            beside = {name: self._pictures_of(name) for name in files}
            covered = {picture for pictures in beside.values() for picture in pictures}
            if covered and (asked or 2 * len(covered) >= len(self._pictures)):
                found[suffix] = self._beside(suffix, beside)
            elif covered:
                self.notes.append(
                    Message(
                        "not read as labels: {suffix} files beside {few:,} of {all:,} pictures "
                        "({@labels:'sidecars'} takes them)",
                        suffix=suffix,
                        few=len(covered),
                        all=len(self._pictures),
                    )
                )
        if {
            ".txt",
            ".caption",
        } <= found.keys():  # some trainers have tags in one, and a sentence in the other
            both = found[".caption"]
            both.rows = {name: {"caption": row["text"]} for name, row in both.rows.items() if row}
        return list(found.values())

    def _pictures_of(self, name: str) -> Sequence[str]:
        """a.txt and a.png.txt lie beside a.png."""
        stem = _stem(name)
        return [stem] if stem in self._known else self._by_stem.get(stem, [])

    def _beside(self, suffix: str, beside: Mapping[str, Sequence[str]]) -> Said:
        rows: Rows = {}
        for name, pictures in beside.items():
            said = _sidecar(suffix, name, self._text(name)) if pictures else {}
            for picture in pictures or [f"{_stem(name)}.*"]:
                if picture in rows and rows[picture] != said:
                    raise UserError(f"two {suffix} files say different things of {picture}: take one away.")
                rows[picture] = said
        notes: list[str] = []
        if not SIDECARS[suffix]:
            rows, notes = _tidied(rows)
        return Said(f"the {suffix} files beside the pictures", rows, True, notes)


def _folders_of(names: Collection[str]) -> set[str]:
    """All folders that names lie in, at any depth."""
    return {str(parent) for name in names for parent in PurePosixPath(name).parents}


def some(names: Sequence[str]) -> str:
    """Return "a, b and 3 more are", or "a is"."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more + (" is" if len(names) == 1 else " are")


def _is_like_a_table(name: str) -> bool:
    path = PurePosixPath(name)
    titled = path.stem.lower() in (*TITLES, "annotations", "classes", "tags")
    return titled or path.suffix.lower() in _LIKE_TABLES


def _may_be_beside(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        path.stem.lower() not in _NOT_CAPTIONS and not is_table(name) and path.name.lower() != "dataset.json"
    )


def _stem(name: str) -> str:
    return name[: len(name) - len(PurePosixPath(name).suffix)]


def _sidecar(suffix: str, name: str, text: str) -> dict[str, Value]:
    if column := SIDECARS[suffix]:
        return {column: _value(" ".join(text.split()))}
    return {column: _value(cell) for column, cell in json_object(text, name).items()}


def _tidied(rows: Rows) -> tuple[Rows, list[str]]:
    """The rows with None for what is missing, and what to say of it."""
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    tidy, notes = tidied({column: [row.get(column) for row in rows.values()] for column in columns})
    for i, row in enumerate(rows.values()):
        row |= {column: values[i] for column, values in tidy.items()}
    return rows, notes


def _value(cell: object) -> Value:
    """A cell as JSON has it; an object as its text."""
    cell = cleaned(cell)
    return cell if cell is None or isinstance(cell, (bool, int, float, str, list)) else json.dumps(cell)


def _class_name(label: object) -> Value:
    """A class number is a name, not a quantity."""
    whole = isinstance(label, int) and not isinstance(label, bool)
    return str(label) if whole else _value(label)


def _is_one_hot(label: object) -> bool:
    return isinstance(label, list) and label.count(1) == 1 and label.count(0) == len(label) - 1
