"""Tables of what is known about pictures, as spreadsheets and programs write them, row by row.

Nothing is lost unsaid: a row that can be read in two ways, or a column that is there twice, is an error that
names it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import parsed

TITLES = ("metadata", "labels", "captions")
"""What the files of tables are called, in small or large letters."""
FORMS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
NAME_COLUMNS = (
    *("file_name", "filename", "file", "image", "image_path", "path"),
    *("file_path", "filepath", "image_file", "image_name", "img", "picture"),
)
"""Columns that name the picture, in this order, in any writing: File Name is one too."""
_DELIMITERS = ",;\t|"
_SHOWN = 5
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?")


@dataclass
class Table:
    """Rows that name pictures, with the number each has in its file."""

    name: str
    rows: Sequence[tuple[int, Mapping[str, object]]]
    notes: list[str] = field(default_factory=list)

    def keys(self) -> list[str]:
        """The columns that may name the pictures, the usual ones first."""
        found: dict[str, None] = {}
        for _, row in self.rows:
            found |= dict.fromkeys(row)
        known = {column: re.sub(r"[\s-]+", "_", column.casefold()) for column in found}
        named = [column for column in found if known[column] in NAME_COLUMNS]
        return sorted(named, key=lambda column: NAME_COLUMNS.index(known[column]))


def is_table(name: str) -> bool:
    """Whether a file is a table of labels by its name: metadata.csv, Labels.JSONL ..."""
    path = PurePosixPath(name)
    return path.stem.lower() in TITLES and path.suffix.lower() in FORMS


def read_table(name: str, text: str) -> Table:
    """Return the rows of a CSV, TSV, JSON-lines or JSON file, with columns called as they are written.

    Raises UserError, which names the rows, where it is none of these or could be read in two ways.
    """
    match PurePosixPath(name).suffix.lower():
        case ".csv":
            return _read_cells(name, text, _DELIMITERS)
        case ".tsv":
            return _read_cells(name, text, "\t")
        case ".json":
            return Table(name, list(_read_tree(name, text)))
        case _:
            # Only line feeds part lines: U+2028 and its like may stand inside a text.
            lines = enumerate(text.split("\n"), start=1)
            return Table(
                name, [(n, json_object(line, f"{name}, row {n}")) for n, line in lines if line.strip()]
            )


def json_object(text: str, where: str) -> dict[str, Any]:
    """Return one JSON object. Raises UserError for anything else."""
    try:
        row = parsed(text, finite=False)  # other programs write NaN where a number is missing
    except ValueError as error:
        raise UserError(f"{where} is not JSON: {error}.") from error
    if not isinstance(row, dict):
        raise UserError(f'{where} is not an object of columns, such as {{"file_name": "a.png"}}.')
    return _stripped(row.items(), where)


def _stripped(cells: Iterable[tuple[str, Any]], where: str) -> dict[str, Any]:
    """The cells by column; blanks around the names of columns are not meant."""
    row: dict[str, Any] = {}
    for column, cell in cells:
        if (column := column.strip()) in row:
            raise UserError(f"{where} has two columns called '{column}': rename one, or take it out.")
        row[column] = cell
    return row


# --- JSON ---------------------------------------------------------------------------------------


def _read_tree(name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """A list of rows, or an object from names of pictures to rows, captions or labels."""
    try:
        tree = parsed(text, finite=False)
    except ValueError as error:
        raise UserError(f"{name} is not JSON: {error}.") from error
    if isinstance(tree, dict):
        plain = PurePosixPath(name).stem.lower()
        column = {"captions": "text", "labels": "label"}.get(plain, "text")
        tree = [
            {"file_name": key, **(row if isinstance(row, dict) else {column: row})}
            for key, row in tree.items()
        ]
    if not isinstance(tree, list) or not all(isinstance(row, dict) for row in tree):
        raise UserError(f'{name} is not a list of rows, such as [{{"file_name": "a.png", "label": "orc"}}].')
    for number, row in enumerate(tree, start=1):
        yield number, _stripped(row.items(), f"{name}, row {number}")


# --- cells parted by signs ----------------------------------------------------------------------


def _read_cells(name: str, text: str, delimiters: str) -> Table:
    """The row under the header is number 1."""
    lead = re.match(r"sep=(.)\r?\n", text)  # Excel's own hint
    if lead:
        text, delimiters = text[lead.end() :], lead[1]
    delimiter = max(delimiters, key=lambda d: _fits(text, d))
    try:
        header, *lines = [line for line in _lines(text, delimiter) if any(line)] or [[]]
    except ValueError as error:
        raise UserError(
            f"{name} cannot be read as a table ({error}): a text that holds quotes must stand in quotes, "
            "with the inner ones doubled."
        ) from error
    used = max((i + 1 for line in [header, *lines] for i, cell in enumerate(line) if cell), default=0)
    if long := [number for number, line in enumerate(lines, start=1) if any(line[len(header) :])]:
        example = lines[long[0] - 1]
        have, last = "has" if len(long) == 1 else "have", example[-1] or example[len(header)]
        raise UserError(
            f"{name}: {_rows(long)} {have} more cells than the header has columns ({len(example)} and "
            f"{len(header)}; the last is '{last}'): a text that holds '{delimiter}' must stand in quotes."
        )
    columns = [column or f"column {i + 1}" for i, column in enumerate(header[:used])]
    if twice := [column for column, count in Counter(columns).items() if count > 1]:
        raise UserError(f"{name} has two columns called '{twice[0]}': rename one, or take it out.")
    short = [number for number, line in enumerate(lines, start=1) if len(line) < len(columns)]
    notes = [f"{name}: too few cells in {_rows(short)}; what is not there is missing"] if short else []
    for line in lines:
        line += [""] * (len(columns) - len(line))
    if delimiter == ";":
        notes += _with_decimal_points(name, columns, lines)
    rows = [(number, dict(zip(columns, line, strict=False))) for number, line in enumerate(lines, start=1)]
    return Table(name, rows, notes)


def _lines(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    try:
        for line in reader:
            yield [cell.strip() for cell in line]
    except csv.Error as error:
        raise ValueError(f"{error}, line {reader.line_num}") from error


def _fits(text: str, delimiter: str) -> tuple[bool, int]:
    """How well a sign parts the cells of the header: whether one names pictures, and how many there are."""
    try:
        header = next((line for line in _lines(text, delimiter) if any(line)), [])
    except ValueError:
        return False, 0
    return bool(Table("", [(0, dict.fromkeys(header))]).keys()), len(header)


def _rows(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    return f"row{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers[:_SHOWN]))}{more}"


def _with_decimal_points(name: str, columns: Sequence[str], lines: Sequence[list[str]]) -> list[str]:
    """Where semicolons part cells, numbers have decimal commas: write points; return what to say of it."""
    notes = []
    for i, column in enumerate(columns):
        cells = [line[i] for line in lines if line[i]]
        commas = [cell for cell in cells if "," in cell]
        if commas and all(map(_DECIMAL_COMMA.fullmatch, cells)):
            for line in lines:
                line[i] = line[i].replace(",", ".")
            notes.append(f"{name}: {column} has decimal commas; {commas[0]} is {commas[0].replace(',', '.')}")
    return notes
