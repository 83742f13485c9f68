"""What is known about each picture: everything that lies there to be read says its part, and nothing is lost.

Sources that say different things of one picture are an error that names it; so are rows without a picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fogcatcher.base.errors import Message, UserError, known_name
from fogcatcher.data.cells import cleaned, is_number
from fogcatcher.data.files import Files
from fogcatcher.data.label_files import LabelFiles, Said, some
from fogcatcher.data.values import USUAL_LABELS, Value

RULES = ("auto", "metadata", "dataset.json", "sidecars", "folders", "prefix", "none")


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

    ``rule`` "auto" joins what tables, EDM's dataset.json, files beside the pictures and sub-folders say, and
    takes prefixes of names where there is none of these. Where the first of them and the pictures do not
    match, ``unmatched`` "error" raises UserError with their names, and "use" uses the picture without a row
    and ignores the row without a picture. Rows about pictures in ``left_out`` are passed over. Raises
    UserError where two of them say different things of one picture.
    """
    rule = known_name("label rule", rule, RULES, about="labels")
    found = LabelFiles(files, pictures, left_out)
    groups = {
        name: read(rule == name)
        for name, read in (
            ("metadata", found.tables), ("dataset.json", found.dataset_json), ("sidecars", found.sidecars)
        )
        if rule in ("auto", name)
    }  # fmt: skip
    said = [source for group in groups.values() for source in group]
    folders = _folders(pictures) if rule in ("auto", "sidecars", "folders") else {}
    if rule not in ("auto", "none", "prefix") and not (folders if rule == "folders" else said):
        raise UserError(
            Message("{@labels:{rule!r}}: nothing of that kind is in {root}.", rule=rule, root=files.root)
        )
    notes = [*found.notes, *(found.not_read(said) if rule == "auto" else [])]
    if not said and not folders:
        if rule == "prefix" or (rule == "auto" and _has_prefixes(pictures)):
            told = Message("labels: the part of each name before the first _ ({@labels:'none'} ignores it)")
            return Labels({name: {"label": _prefix(name)} for name in pictures}, [told, *notes])
        none = " (no metadata, captions or sub-folders)" if rule == "auto" else ""
        return Labels({}, [f"labels: none{none}", *notes])
    rows = _joined(said)
    told, extra = [source.told for source in said], _beside(said, folders)
    if folders:
        _check_decoded(files, folders)
        told += [f"the sub-folders{'' if 'label' in extra else ' as ' + ', '.join(extra)}"] * bool(extra)
        for name, row in folders.items():
            rows.setdefault(name, {}).update({new: row.get(old) for new, old in extra.items()})
    notes = [*(note for source in said for note in source.notes), *notes]
    first = next((group for group in groups.values() if group), [])
    notes = [f"labels: {' and '.join(told)}", *_matches(first, said, pictures, unmatched, left_out), *notes]
    if rule == "auto" and _has_prefixes(pictures) and not _tells_prefixes(rows, pictures):
        notes.append(Message("not read as labels: what names begin with ({@labels:'prefix'} takes it)"))
    return Labels({name: rows[name] for name in pictures if name in rows}, notes)


# --- one table out of many ----------------------------------------------------------------------


def _joined(said: Sequence[Said]) -> dict[str, dict[str, Value]]:
    """Everything that sources say; a later one may add to an earlier one, but not change it."""
    rows: dict[str, dict[str, Value]] = {}
    for number, source in enumerate(said):
        conflicts: dict[str, list[str]] = {}
        for name, row in source.rows.items():
            mine = rows.setdefault(name, {})
            for column, value in row.items():
                before = mine.setdefault(column, value)
                if before is None:
                    mine[column] = value
                elif value is not None and not _same(before, value):
                    conflicts.setdefault(column, []).append(f"{name} ('{before}', '{value}')")
        for column, names in conflicts.items():
            others = [
                earlier.told
                for earlier in said[:number]
                if any(column in row for row in earlier.rows.values())
            ]
            raise UserError(
                Message(
                    "{one} and {other} say different things of {column}: {names} different. Mend one of "
                    "them, take it out of the folder, or read one kind only ({@labels}).",
                    one=" or ".join(others),
                    other=source.told,
                    column=column,
                    names=some(names),
                )
            )
    return rows


def _same(one: Value, other: Value) -> bool:
    """Whether two cells say the same; a table of text has its numbers as text."""
    if is_number(one) and is_number(other):
        return float(one) == float(other)  # type: ignore[arg-type]
    return _flag(one) == _flag(other)


def _flag(value: Value) -> Value:
    """True and false as they are, however a table writes them."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _matches(
    first: Sequence[Said],
    said: Sequence[Said],
    pictures: Sequence[str],
    unmatched: str,
    left_out: Collection[str],
) -> list[str]:
    """Compare rows with pictures, both ways; only the first kind of source must know all of them."""
    notes: list[str] = []
    if first and first[0].alone:
        for source in first:
            notes += _check_match(source.rows, pictures, f"labels: {source.told}", unmatched, left_out)
    elif first:
        known = dict.fromkeys(name for source in first for name in source.rows)
        told = ", ".join(source.told for source in first)
        notes += _check_match(known, pictures, f"labels: {told}", unmatched, left_out)
    for source in said:
        if source not in first:
            notes += _check_match(source.rows, pictures, f"labels: {source.told}", "use", left_out)
    return notes


def _check_match(
    rows: Iterable[str], pictures: Sequence[str], said: str, unmatched: str, left_out: Collection[str]
) -> list[str]:
    known, present = set(rows), set(pictures)
    complaints = []
    if without_picture := sorted(known - present - set(left_out)):
        complaints.append(f"{some(without_picture)} named there, but no such picture")
    if without_row := sorted(present - known):
        complaints.append(f"{some(without_row)} in the folder, but not named there")
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


# --- sub-folders and prefixes -------------------------------------------------------------------


def _folders(pictures: Sequence[str]) -> dict[str, dict[str, Value]]:
    """Column "label" is the first folder that tells pictures apart; "sublabel" is what lies below it."""
    parts = {name: tuple(map(str, map(cleaned, PurePosixPath(name).parts[:-1]))) for name in pictures}
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


def _beside(said: Sequence[Said], folders: Mapping[str, Mapping[str, Value]]) -> dict[str, str]:
    """What the columns of sub-folders are called beside those of files: name -> "label" or "sublabel".

    They stay label and sublabel, but for where files name a class themselves, or a table names pictures in
    numbered folders. A folder called as the class that a file names anyway is not said twice.
    """
    columns = {column: None for row in folders.values() for column in row}
    files = {column for source in said for row in source.rows.values() for column in row}
    labels = [column for column in files if column.lower() in USUAL_LABELS]
    counted = all(str(row["label"] or "0").isdecimal() for row in folders.values())
    if not labels and not (counted and any(not source.alone for source in said)) and "sublabel" not in files:
        return {column: column for column in columns}
    told = {name: row for source in said for name, row in source.rows.items()}
    again = any(
        all(told.get(name, {}).get(label) in (None, row["label"]) for name, row in folders.items())
        for label in labels
    )
    names = {"folder": "label", "subfolder": "sublabel"}
    return {new: old for new, old in names.items() if old in columns and not (again and old == "label")}


def _check_decoded(files: Files, folders: Mapping[str, Mapping[str, Value]]) -> None:
    """Raises UserError where classes are folders whose names are not UTF-8."""
    odd = sorted(
        {
            str(value)
            for name in files.undecoded
            for value in folders.get(name, {}).values()
            if "\\udc" in str(value)
        }
    )
    if odd:
        raise UserError(
            Message(
                "{folders} not called so in UTF-8, and the classes are the names of folders: say by "
                "{@encoding} how names are written (cp932, gbk, cp1251 ...), or add {@labels:'none'}.",
                folders=some(odd),
            )
        )


def _prefix(name: str) -> str:
    return PurePosixPath(name).name.split("_")[0]


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


def _tells_prefixes(rows: Mapping[str, Mapping[str, Value]], pictures: Sequence[str]) -> bool:
    """Whether some column already tells apart all that names begin with."""
    columns = {column for row in rows.values() for column in row}
    for column in columns:
        pairs = {(_prefix(name), str(rows.get(name, {}).get(column))) for name in pictures}
        if len(pairs) == len({value for _, value in pairs}):
            return True
    return False
