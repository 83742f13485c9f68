"""What is worth knowing about a data set before training: figures first, then sentences.

Duplicates are looked for in all pictures. Colours and transparency come from a sample, spread evenly over the
set, and so does the question whether pictures may be flipped. Nothing is drawn by chance.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Int64
from torch import Tensor

from fogcatcher.base.errors import Message
from fogcatcher.base.printable import printable
from fogcatcher.data.conditions.conditions import class_name
from fogcatcher.data.pictures.palettes import as_rgba, count_colours
from fogcatcher.data.pictures.store import PictureTensor, has_alpha
from fogcatcher.data.pictures.twins import (
    MOST_COMPARED,
    SAFE,
    SOME,
    exact_duplicates,
    mirror_scores,
    near_duplicates,
    spread,
)
from fogcatcher.data.reading import Dataset
from fogcatcher.data.values import Value

MOST_CLASSES = 100
"""A column of more different values does not hold classes."""
MOST_COMMON = 20
MOST_USED = 64
MOST_PAIRS = 12
SYMMETRY_SAMPLE = 1000
CHUNK = 512

Numbers = Int64[Tensor, " _"]


@dataclass(frozen=True)
class Colours:
    """Different colours of visible pixels, in the examined pictures."""

    least: int
    median: int
    usual: int
    """95 of 100 pictures have at most so many."""
    most: int
    distinct: int
    """In all of these pictures together."""
    pictures: dict[int, int]
    """Number of colours -> how many pictures have so many; rising."""
    used: dict[str, float]
    """Colour, "#rrggbb" -> its share of the visible pixels: the most used ones, falling."""


@dataclass(frozen=True)
class Pair:
    """Two pictures that look nearly the same."""

    first: int
    second: int
    names: tuple[str, str]
    distance: float
    """See ``twins.near_duplicates``."""


@dataclass(frozen=True)
class Column:
    """One column of labels."""

    name: str
    distinct: int
    missing: int
    common: dict[str, int]
    """Value -> how many pictures have it: the most common ones, falling."""
    balance: float | None
    """The largest class is so many times the smallest; None where there are no classes."""


@dataclass(frozen=True)
class Facts:
    """What reading a data set told of it: plain numbers and texts."""

    pictures: int
    height: int
    width: int
    channels: int
    modes: dict[str, int]
    sizes: dict[str, int]
    """"WIDTHxHEIGHT" before fitting -> how many pictures; falling, as all counts here."""
    fitted: dict[str, int]
    """What was done to make pictures fit -> to how many."""
    skipped: dict[str, str]
    """Picture that could not be used -> why."""
    ignored: dict[str, str]
    """Other file -> why it was not opened."""
    dropped: int
    """Pictures left out, as another has the same pixels and labels."""
    pixel_art: float | None
    """Share of pictures that look like pixel art; None where nobody looked."""
    notes: tuple[str, ...]
    """Which rules applied when the set was read."""


@dataclass(frozen=True)
class Findings(Facts):
    """All that was found out about a data set."""

    examined: int
    """So many pictures were looked at for colours and transparency."""
    same: int
    """Pictures in use that have the same pixels as an earlier one."""
    near_pairs: int
    near_pictures: int
    """How many pictures these pairs are made of."""
    near: tuple[Pair, ...]
    """Some of the pairs, nearest first, no picture twice."""
    transparent: float
    """Share of the examined pictures with a pixel that is not opaque."""
    soft: float
    """Share of the examined pictures with a pixel that is neither opaque nor clear."""
    colours: Colours
    mirrors: dict[str, float]
    """left-right, up-down, quarter turn -> score; see ``twins.mirror_scores``."""
    columns: tuple[Column, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the findings in such types that writing and reading them as JSON changes nothing."""
        return _as_json(asdict(self))


def _as_json(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    return [_as_json(part) for part in value] if isinstance(value, (list, tuple)) else value


def facts(dataset: Dataset) -> Facts:
    """Return what is known without looking at any picture again."""
    count, channels, height, width = dataset.rows.shape
    return Facts(
        pictures=count,
        height=height,
        width=width,
        channels=channels,
        modes=_falling(dataset.modes),
        sizes=_falling({f"{w}x{h}": number for (h, w), number in dataset.sizes.items()}),
        fitted=_falling(dataset.fitted),
        skipped=dict(dataset.skipped),
        ignored=dict(dataset.ignored),
        dropped=len(dataset.duplicates),
        pixel_art=dataset.pixel_art,
        notes=tuple(dataset.notes),
    )


def describe_pictures(dataset: Dataset, verbose: bool = False, told: Callable[[str], str] = str) -> list[str]:
    """Return what was read and what became of every file, in sentences."""
    return list(describe(facts(dataset), verbose, told))


def inspect_dataset(dataset: Dataset, sample: int = 2000) -> Findings:
    """Find out about a data set; at most ``sample`` of its pictures are examined for colours."""
    pictures = dataset.rows
    chosen = spread(len(pictures), sample)
    near = near_duplicates(pictures)
    transparent, soft = _transparency(pictures, chosen)
    return Findings(
        **vars(facts(dataset)),
        examined=len(chosen),
        same=sum(len(group) - 1 for group in exact_duplicates(pictures)),
        near_pairs=len(near),
        near_pictures=len({number for pair in near for number in pair[:2]}),
        near=_examples(near, dataset.names),
        transparent=transparent,
        soft=soft,
        colours=_colours(pictures, chosen),
        mirrors=mirror_scores(pictures, min(sample, SYMMETRY_SAMPLE)),
        columns=tuple(_column(name, values) for name, values in dataset.columns.items()),
    )


def _falling(counts: Mapping[str, int], most: int | None = None) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])


def _examples(near: Sequence[tuple[int, int, float]], names: Sequence[str]) -> tuple[Pair, ...]:
    """Some of the pairs, no picture twice: one large family of twins would fill them all."""
    shown: list[Pair] = []
    used: set[int] = set()
    for i, j, distance in near:
        if len(shown) < MOST_PAIRS and not used & {i, j}:
            shown.append(Pair(i, j, (names[i], names[j]), distance))
            used |= {i, j}
    return tuple(shown)


def _transparency(pictures: PictureTensor, chosen: Numbers) -> tuple[float, float]:
    """Return the shares of pictures with any pixel that is not opaque, and with a half-transparent one."""
    transparent = soft = 0
    if has_alpha(pictures.shape[1]):
        for part in chosen.split(CHUNK):
            alpha = pictures[part][:, -1].flatten(1)
            transparent += int((alpha < 255).any(dim=1).sum())
            soft += int(((alpha > 0) & (alpha < 255)).any(dim=1).sum())
    return transparent / max(1, len(chosen)), soft / max(1, len(chosen))


def _colours(pictures: PictureTensor, chosen: Numbers) -> Colours:
    use: Counter[int] = Counter()
    counts: list[int] = []
    for part in chosen.split(CHUNK):
        for rgba in as_rgba(pictures[part]):
            own = count_colours([rgba])
            counts.append(len(own))
            use.update(own)
    counts.sort()
    most_used = _falling({f"#{code:06x}": count for code, count in use.items()}, MOST_USED)
    return Colours(
        least=counts[0],
        median=counts[(len(counts) - 1) // 2],
        usual=counts[-(-95 * len(counts) // 100) - 1],
        most=counts[-1],
        distinct=len(use),
        pictures=dict(sorted(Counter(counts).items())),
        used={colour: count / use.total() for colour, count in most_used.items()},
    )


def _column(name: str, values: Sequence[Value]) -> Column:
    counts = Counter(class_name(value) for value in values if value is not None)
    classes = 2 <= len(counts) <= MOST_CLASSES
    return Column(
        name=name,
        distinct=len(counts),
        missing=len(values) - counts.total(),
        common=_falling(counts, MOST_COMMON),
        balance=max(counts.values()) / min(counts.values()) if classes else None,
    )


# --- in words -----------------------------------------------------------------------------------

LINE = 110
FIRST = 5
"""So many entries of a long list are shown."""
CLASSES_SHOWN = 12
COLUMNS_SHOWN = 8
LONGEST = 40
"""Names and values are cut after so many letters."""
CHANNELS = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}


def describe(about: Facts, verbose: bool = False, told: Callable[[str], str] = str) -> list[str]:
    """Return what to tell a person, in lines for a terminal, the most important first.

    ``verbose`` lists all that was skipped or passed over, and all columns. ``told`` says a sentence, which
    may be a Message, as the person knows its options.
    """
    skipped = _number(len(about.skipped), "picture") + " cannot be used"
    lines = [*_about_pictures(about), *_listed(skipped, about.skipped, verbose), *about.notes]
    if isinstance(about, Findings):
        lines += _about_columns(about.columns, verbose)
    lines += _about_duplicates(about)
    if isinstance(about, Findings):
        passed = _number(len(about.ignored), "other file") + " passed over"
        lines += [*_about_flips(about), *_about_colours(about), *_listed(passed, about.ignored, verbose)]
    return [part for line in lines for part in _wrapped(printable(told(line)))]


def summary(findings: Findings) -> list[str]:
    """Return sentences about the whole set, without lists of files and without the columns."""
    skipped = [_number(len(findings.skipped), "picture") + " cannot be used"] if findings.skipped else []
    about = (_about_pictures, _about_duplicates, _about_flips, _about_colours)
    lines = [line for part in about for line in part(findings)]
    return [printable(line) for line in (*lines[:1], *skipped, *lines[1:], *findings.notes)]


def verdict(score: float) -> str:
    """Return what a score of ``twins.mirror_scores`` means for flips: "may be used: ..." and the like."""
    if score >= SAFE:
        return f"may be used: {score:.0%} of the pictures are symmetric, or the set has them both ways"
    if score >= SOME:
        return f"suit only some pictures: {score:.0%} are symmetric, or in the set both ways; better not"
    return f"should not be used: only {score:.0%} of the pictures are symmetric, or in the set both ways"


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(
        line, LINE, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    ) or [""]


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _counted(counts: Mapping[str, int], most: int, of: int | None = None) -> str:
    """Return "a (5), b (3) and 7 more": the first ``most`` counts of all, or of ``of``."""
    shown = list(counts.items())[:most]
    more = (of or len(counts)) - len(shown)
    listed = ", ".join(f"{printable(name, LONGEST)} ({count:,})" for name, count in shown)
    return listed + (f" and {more:,} more" if more else "")


def _about_pictures(findings: Facts) -> Iterator[str]:
    used, kind = f"{findings.width}x{findings.height}", CHANNELS[findings.channels]
    if list(findings.sizes) == [used]:
        yield f"{_number(findings.pictures, 'picture')}, all {used}, {kind}"
    else:
        yield f"{_number(findings.pictures, 'picture')}, used as {used}, {kind}"
        yield f"sizes found: {_counted(findings.sizes, FIRST)}"
    if findings.fitted:
        yield f"to make them fit: {_counted(findings.fitted, FIRST)}"
    if len(findings.modes) > 1:
        yield f"stored as: {_counted(findings.modes, FIRST)}"
    if findings.pixel_art is not None:
        yield f"pixel art: {findings.pixel_art:.0%} of the pictures look like it"


def _listed(what: str, reasons: Mapping[str, str], verbose: bool) -> Iterator[str]:
    if not reasons:
        return
    shown = list(reasons.items())[: None if verbose else FIRST]
    yield f"{what}:"
    for name, reason in shown:
        yield f"  {name}: {reason}"
    if len(shown) < len(reasons):
        yield Message("  and {n:,} more ({@verbose:True} lists all)", n=len(reasons) - len(shown))


def _about_columns(columns: Sequence[Column], verbose: bool) -> Iterator[str]:
    shown = columns[: None if verbose else COLUMNS_SHOWN]
    for column in shown:
        missing = f"; missing for {column.missing:,}" if column.missing else ""
        yield f"{printable(column.name, LONGEST)}: {_values(column)}{missing}"
    if len(shown) < len(columns):
        yield Message("and {n} more columns ({@verbose:True} lists all)", n=len(columns) - len(shown))


def _values(column: Column) -> str:
    if column.distinct <= 1:
        return f"always {_counted(column.common, 1)}" if column.common else "no values"
    if column.balance is None:
        examples = ", ".join(printable(value, LONGEST) for value in list(column.common)[:3])
        return f"{column.distinct:,} different values, such as {examples}"
    most = (
        f"; the largest is {column.balance:.3g} times the smallest" if column.balance > 1 else ", all equal"
    )
    return f"{_counted(column.common, CLASSES_SHOWN, column.distinct)}{most}"


def _about_duplicates(findings: Facts) -> Iterator[str]:
    if findings.dropped:
        pictures = _number(findings.dropped, "picture")
        yield f"duplicates: {pictures} left out, with the pixels and labels of another"
    if not isinstance(findings, Findings):
        return
    if findings.same:
        yield f"duplicates: {_number(findings.same, 'picture')} in use with the pixels of another"
    if findings.near_pairs:
        compared = f" (of {MOST_COMPARED:,} compared)" if findings.pictures > MOST_COMPARED else ""
        one, other = (printable(name, LONGEST) for name in findings.near[0].names)
        yield (
            f"near-duplicates: {findings.near_pictures:,} pictures{compared} look nearly like another, "
            f"such as {one} and {other}"
        )


def _about_flips(findings: Findings) -> Iterator[str]:
    asked = {"left-right": "flips left-right", "up-down": "flips up-down", "quarter turn": "quarter turns"}
    for name, score in findings.mirrors.items():
        yield f"{asked[name]} {verdict(score)}"


def _about_colours(findings: Findings) -> Iterator[str]:
    of = f" (of {findings.examined:,} examined)" if findings.examined < findings.pictures else ""
    c = findings.colours
    shades = "greys" if findings.channels < 3 else "colours"
    yield (
        f"{shades} per picture: {c.least:,} to {c.most:,}, half have up to {c.median:,}, "
        f"95% up to {c.usual:,}; {c.distinct:,} in all{of}"
    )
    if has_alpha(findings.channels):
        edges = f"half-transparent pixels in {findings.soft:.0%}" if findings.soft else "hard edges in all"
        yield f"transparency: in {findings.transparent:.0%} of the pictures, {edges}{of}"
