"""From a path to a data set: every picture decoded once, fitted to one size, and counted."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fogcatcher.base.disk import why_not_written
from fogcatcher.base.errors import Message, UserError, from_json, to_json
from fogcatcher.data.builtin import is_built_in, open_built_in
from fogcatcher.data.labels import Labels
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.backdrop import Rgba, prepared
from fogcatcher.data.pictures.fitting import Fitting
from fogcatcher.data.pictures.found_sheets import OWN, is_own_sheet
from fogcatcher.data.pictures.measuring import Measure, measure
from fogcatcher.data.pictures.picture_files import Unreadable, decode
from fogcatcher.data.pictures.store import PictureTensor, PictureWriter, cache_folder, cached, store
from fogcatcher.data.selection import select
from fogcatcher.data.sources import Source, open_source
from fogcatcher.data.values import Value

EXAMINED = 256
"""How many pictures decide the size."""
SHOWN = 5
"""Names in a sentence."""
CACHE_FROM = 2000
"""Smaller sets are read again in less time than anybody notices."""

Reading = Callable[[int, int], None]
"""Hears how many of all pictures have been read."""


@dataclass(frozen=True)
class _Facts:
    """What was found while reading, as JSON has it, for the cache; ``Dataset`` says what each is."""

    columns: dict[str, list[Any]]
    names: list[str]
    sizes: list[tuple[int, int, int]]
    """(height, width, how many)"""
    modes: dict[str, int]
    fitted: dict[str, int]
    skipped: dict[str, str]
    duplicates: dict[str, str]
    notes: list[Any]
    """Each as ``errors.to_json`` writes it."""
    digest: str
    prints: list[str]
    pixel_art: float | None


@dataclass(frozen=True)
class Dataset:
    """Decoded pictures, or rows of another kind of data, with what is known about them."""

    rows: PictureTensor
    """(N, C, H, W) uint8 for pictures; else floats, (N, C, ...)."""
    columns: dict[str, list[Value]]
    """Column -> one value per picture; None where it is missing."""
    names: list[str]
    """Where each picture came from, relative to the data set."""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How many pictures had each (height, width) before fitting."""
    modes: Counter[str] = field(default_factory=Counter)
    """How many pictures had each mode: RGBA, P, L, I;16 ..."""
    fitted: Counter[str] = field(default_factory=Counter)
    """What was done to how many pictures: padded, cropped, shrunk ..."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Picture -> why it could not be used."""
    duplicates: dict[str, str] = field(default_factory=dict)
    """Picture left out -> the one with the same pixels and the same labels."""
    ignored: dict[str, str] = field(default_factory=dict)
    """File that is not a picture, or was not opened -> why."""
    notes: list[str] = field(default_factory=list)
    """Sentences that say which rule applied."""
    digest: str = ""
    """Hash of all pictures."""
    prints: list[str] = field(default_factory=list)
    """A hash of each picture: equal for equal pixels."""
    pixel_art: float | None = None
    """Share of the examined pictures that look like pixel art; None where nothing was examined."""

    def __len__(self) -> int:
        return len(self.names)

    def report(self) -> dict[str, Any]:
        """Return what was read and what became of every file, as JSON has it."""
        return {
            "pictures": len(self),
            "shape": list(self.rows.shape[1:]),
            "sizes": {f"{w}x{h}": count for (h, w), count in self.sizes.most_common()},
            "modes": dict(self.modes.most_common()),
            "fitted": dict(self.fitted.most_common()),
            "skipped": self.skipped,
            "duplicates": self.duplicates,
            "ignored": self.ignored,
            "notes": self.notes,
        }


def read_dataset(
    path: str | Path, options: DataOptions | None = None, progress: Reading | None = None
) -> Dataset:
    """Read a folder, an archive, arrays, IDX files, a Hugging Face data set ("hub:NAME"), or a
    built-in set ("sprites", "scenes").

    Large sets are kept decoded in the user's cache, so the second start takes no time. Raises UserError
    when nothing can be read, or more than ``options.max_bad`` of the pictures are bad.
    """
    options = options or DataOptions()
    return _from_source(_source(path, options), options, progress)


def read_picture_file(path: Path, options: DataOptions) -> Dataset:
    """Read one picture by itself, as one of a folder. Raises UserError when it cannot be read."""
    content = path.read_bytes()
    if is_own_sheet(content):
        raise UserError(f"{path} {OWN}, of many pictures: give a single one.")
    source = Source([path.name], lambda number: decode(content), lambda: Labels({}), fingerprint="")
    return _from_source(source, options, None)


def _from_source(source: Source, options: DataOptions, progress: Reading | None) -> Dataset:
    unkept: Message | None = None
    if len(source.names) < CACHE_FROM:
        found = _read(source, options, progress, None)
    else:
        found, unkept = _through_the_cache(source, options, progress)
    dataset = _dataset(*found, source)
    if unkept:
        dataset.notes.append(unkept)
    check_bad(dataset, options.max_bad)
    return dataset


def _through_the_cache(
    source: Source, options: DataOptions, progress: Reading | None
) -> tuple[tuple[PictureTensor, _Facts], Message | None]:
    """What is kept of a set, or read and kept now; and what to say where it cannot be kept."""
    key = _key(source, options)
    kept = cached(key, _Facts)
    if kept:
        return kept, None
    pictures, facts, error = store(key, lambda folder: _read(source, options, progress, folder))
    if error is None:
        return (pictures, facts), None
    return (pictures, facts), Message(
        "not kept for the next time: the cache, {folder}, cannot be written ({why})",
        folder=str(cache_folder()),
        why=why_not_written(error) or str(error),
    )


def check_bad(dataset: Dataset, max_bad: float, kind: str = "pictures") -> None:
    """Raises UserError when more than the share ``max_bad`` of the rows could not be used."""
    bad = dataset.skipped
    total = len(dataset) + len(bad) + len(dataset.duplicates)
    share = len(bad) / total
    if share > max_bad:
        listed = "; ".join(f"{name} {reason}" for name, reason in list(bad.items())[:3])
        more = Message("; and {number} more", number=len(bad) - 3) if len(bad) > 3 else ""
        raise UserError(
            Message(
                "{bad} of {total} {kind} ({share:.0%}) cannot be used, and at most {most:.0%} may be bad: "
                "{listed}{more}. Mend or remove them, or allow more with {@max_bad:{enough:.2f}}.",
                bad=len(bad),
                total=total,
                kind=kind,
                share=share,
                most=max_bad,
                listed=listed,
                more=more,
                enough=min(1, share + 0.01),
            )
        )


def _source(path: str | Path, options: DataOptions) -> Source:
    """The built-in pictures of that name where no such folder exists; else what lies at the path."""
    return open_built_in(str(path)) if is_built_in(path) else open_source(path, options)


def _key(source: Source, options: DataOptions) -> str:
    """Everything that decides what is read; not what only decides how it is used."""
    used = asdict(options) | dict.fromkeys(("kind", "balance", "hold_out", "group", "max_bad"))
    return hashlib.sha256(f"{source.fingerprint}\n{used}".encode()).hexdigest()[:32]


def _dataset(pictures: PictureTensor, facts: _Facts, source: Source) -> Dataset:
    return Dataset(
        rows=pictures,
        columns=facts.columns,
        names=facts.names,
        sizes=Counter({(h, w): count for h, w, count in facts.sizes}),
        modes=Counter(facts.modes),
        fitted=Counter(facts.fitted),
        skipped=facts.skipped,
        duplicates=facts.duplicates,
        ignored=source.ignored,
        notes=[*source.notes, *map(from_json, facts.notes)],
        digest=facts.digest,
        prints=facts.prints,
        pixel_art=facts.pixel_art,
    )


def _read(
    source: Source, options: DataOptions, progress: Reading | None, folder: Path | None
) -> tuple[PictureTensor, _Facts]:
    """Decode, fit and collect."""
    labels = source.labels()
    columns = _columns(labels, source.names)
    chosen = select(columns, source.names, options.where, options.classes, options.limit)
    measured = _measure(source, chosen, options)
    with PictureWriter(measured.fitting.height, measured.fitting.width, folder) as writer:
        reader = _Collector(measured.fitting, options, writer)
        for done, number in enumerate(chosen, start=1):
            reader.add(source, number, labels.rows.get(source.names[number], {}))
            if progress:
                progress(done, len(chosen))
        if not reader.names:
            example, reason = next(iter(reader.skipped.items()))
            raise UserError(
                f"none of the {len(reader.skipped)} pictures can be read; {example}, for one, {reason}."
            )
        pictures, digest = writer.finish()
    rows = [labels.rows.get(source.names[number], {}) for number in reader.numbers]
    return pictures, _Facts(
        columns={column: [row.get(column) for row in rows] for column in columns},
        names=reader.names,
        sizes=[(h, w, count) for (h, w), count in reader.sizes.items()],
        modes=dict(reader.modes),
        fitted=dict(reader.fitted),
        skipped=reader.skipped,
        duplicates=reader.duplicates,
        notes=[to_json(note) for note in (*labels.notes, *measured.notes, *_of_animations(source.moving))],
        digest=digest,
        prints=reader.prints,
        pixel_art=measured.pixel_art,
    )


def _measure(source: Source, chosen: list[int], options: DataOptions) -> Measure:
    """Find out about size, scale and backdrop by pictures spread over the whole set."""

    def pictures() -> Iterator[Rgba]:
        for number in chosen[:: -(-len(chosen) // EXAMINED)]:
            with contextlib.suppress(Unreadable):
                yield source.decode(number)[0][1]

    return measure(pictures(), options)


def _of_animations(moving: Mapping[str, str]) -> list[Message]:
    """What to say where one frame stands for an animation."""
    if not moving:
        return []
    listed = ", ".join(f"{name} ({said})" for name, said in list(moving.items())[:SHOWN])
    return [
        Message(
            "animations: only the first frame that shows anything is used of {count:,}: {listed}{more} "
            "({@all_frames:True} takes all frames)",
            count=len(moving),
            listed=listed,
            more=f" and {len(moving) - SHOWN:,} more" if len(moving) > SHOWN else "",
        )
    ]


def _columns(labels: Labels, names: list[str]) -> dict[str, list[Value]]:
    """Turn rows into columns, in the order of ``names``."""
    known = dict.fromkeys(column for row in labels.rows.values() for column in row)
    return {column: [labels.rows.get(name, {}).get(column) for name in names] for column in known}


# --- collecting ---------------------------------------------------------------------------------


class _Collector:
    """Decodes and fits pictures one by one, and remembers what happened to each."""

    def __init__(self, fitting: Fitting, options: DataOptions, writer: PictureWriter) -> None:
        self.fitting, self.options, self.writer = fitting, options, writer
        self.names: list[str] = []
        self.prints: list[str] = []
        self.numbers: list[int] = []
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.modes: Counter[str] = Counter()
        self.fitted: Counter[str] = Counter()
        self.skipped: dict[str, str] = {}
        self.duplicates: dict[str, str] = {}
        self._seen: dict[bytes, str] = {}

    def add(self, source: Source, number: int, row: Mapping[str, Value]) -> None:
        name = source.names[number]
        try:
            frames = source.decode(number)
        except Unreadable as error:
            self.skipped[name] = str(error)
            return
        for frame, (mode, rgba) in enumerate(frames):
            self._add(f"{name}#{frame}" if len(frames) > 1 else name, number, mode, rgba, row)

    def _add(
        self, name: str, number: int, mode: str, rgba: NDArray[np.uint8], row: Mapping[str, Value]
    ) -> None:
        rgba, was_cut = prepared(rgba, self.options)
        digest = hashlib.blake2b(rgba.tobytes(), digest_size=16)
        digest.update(f"{rgba.shape}{sorted(row.items())}".encode("utf-8", "backslashreplace"))
        first = self._seen.setdefault(digest.digest(), name)
        if first != name:
            self.duplicates[name] = first
            return
        fitted, done = self.fitting.fit(rgba)
        self.sizes[rgba.shape[0], rgba.shape[1]] += 1
        self.modes[mode] += 1
        self.fitted.update(["cut out"] * was_cut)
        self.fitted.update(done)
        self.writer.add(fitted)
        self.names.append(name)
        self.prints.append(hashlib.blake2b(fitted.tobytes(), digest_size=8).hexdigest())
        self.numbers.append(number)
