"""Sprite sheets: where the cells of a sheet lie, cutting them out, and putting them together again.

Pictures are (H, W, 4) uint8 RGBA. A place is (row, column), counted from 0.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.typed_json import Length, Range, typed
from fogcatcher.data.pictures.picture_files import Unreadable, decode

Rgba = UInt8[np.ndarray, "_ _ 4"]
Pixel = tuple[int, int, int, int]
Place = tuple[int, int]

CLEAR: Pixel = (0, 0, 0, 0)
MOST_CELLS = 65_536
MOST_PIXELS = 50_000_000
Pixels = Annotated[int, Range(1, MOST_PIXELS)]
Gap = Annotated[int, Range(0, MOST_PIXELS)]


@dataclass(frozen=True)
class Layout:
    """Where the cells of a sheet lie; all lengths in pixels."""

    height: int
    width: int
    """Size of the whole sheet."""
    cell: tuple[int, int]
    """(height, width)"""
    spacing: int
    """Between two cells."""
    margin: int
    """Before the first cell; as a rule also after the last one."""
    rows: int
    columns: int
    background: Pixel = CLEAR
    """RGBA of what is not a cell, and of empty cells."""

    def corner(self, place: Place) -> tuple[int, int]:
        """Return (y, x) of the upper left pixel of a cell."""
        (row, column), (height, width) = place, self.cell
        return self.margin + row * (height + self.spacing), self.margin + column * (width + self.spacing)

    def leftover(self) -> tuple[int, int]:
        """Return how many (lines at the bottom, columns at the right) belong to no cell, gutter or margin."""
        y, x = self.corner((self.rows, self.columns))
        # After the last cell a margin, another gutter or nothing at all are usual.
        usual = (0, self.margin, self.spacing)
        below, beside = self.height - y + self.spacing, self.width - x + self.spacing
        return 0 if below in usual else below, 0 if beside in usual else beside


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet taken apart: ``join_sheet(sheet.cells, sheet.layout, sheet.rest)`` gives it back."""

    layout: Layout
    cells: dict[Place, Rgba]
    """The cells that are kept."""
    rest: Rgba | None
    """The sheet without its cells, where it is more than flat background; otherwise None."""

    @property
    def empty(self) -> int:
        """Number of cells that were left out."""
        return self.layout.rows * self.layout.columns - len(self.cells)


def split_sheet(rgba: Rgba, layout: Layout, keep_empty: bool = False) -> Sheet:
    """Cut the cells out of a sheet.

    A cell is empty, and left out unless ``keep_empty``, when it is fully transparent or has the colour of
    the background everywhere.
    """
    cells = {}
    rest = rgba.copy()
    for place in product(range(layout.rows), range(layout.columns)):
        window = _window(layout, place, layout.cell)
        cell = rgba[window]
        if keep_empty or not (_is_flat(cell, CLEAR) or _is_flat(cell, layout.background)):
            cells[place] = cell.copy()
            rest[window] = layout.background
    return Sheet(layout, cells, None if _is_flat(rest, layout.background) else rest)


def join_sheet(cells: Mapping[Place, Rgba], layout: Layout, rest: Rgba | None = None) -> Rgba:
    """Return the sheet, (height, width, 4), with the cells in their places.

    Everything else is ``rest``, or flat background without it. Cells may be smaller than the layout's; they
    lie in the upper left corner of their place. Raises ValueError for larger ones, for places outside the
    layout, and for a ``rest`` of another size.
    """
    sheet = np.empty((layout.height, layout.width, 4), np.uint8)
    if rest is not None and rest.shape != sheet.shape:
        raise ValueError(f"the rest of the sheet has shape {rest.shape}, not {sheet.shape}")
    sheet[:] = layout.background if rest is None else rest
    for (row, column), cell in cells.items():
        height, width = cell.shape[:2]
        if height > layout.cell[0] or width > layout.cell[1]:
            raise ValueError(
                f"a picture of {width}x{height} does not fit into a cell of {_size(layout.cell)}"
            )
        if not (0 <= row < layout.rows and 0 <= column < layout.columns):
            raise ValueError(f"row {row}, column {column} is outside the sheet")
        sheet[_window(layout, (row, column), (height, width))] = cell
    return sheet


def _window(layout: Layout, place: Place, size: tuple[int, int]) -> tuple[slice, slice]:
    y, x = layout.corner(place)
    return slice(y, y + size[0]), slice(x, x + size[1])


def _is_flat(rgba: Rgba, colour: Pixel) -> bool:
    return bool((rgba == np.array(colour, np.uint8)).all())


def _size(size: tuple[int, int]) -> str:
    """As people write it: width x height."""
    return f"{size[1]}x{size[0]}"


# --- layouts that are said ----------------------------------------------------------------------


def new_layout(
    count: int,
    cell: tuple[int, int],
    columns: int | None = None,
    spacing: int = 0,
    margin: int = 0,
    background: Pixel = CLEAR,
) -> Layout:
    """Return the layout of a new sheet for ``count`` cells, row by row; by default about square.

    Raises UserError when a number makes no sense, or the sheet would have over 50 million pixels.
    """
    _check(cell, spacing, margin)
    columns = columns if columns is not None else min(count, round((count * cell[0] / cell[1]) ** 0.5) or 1)
    if columns < 1:
        raise UserError(f"a sheet of {columns} columns is not possible: ask for 1 or more.")
    rows = -(-count // columns)
    height, width = (
        2 * margin + number * size + (number - 1) * spacing
        for number, size in zip((rows, columns), cell, strict=True)
    )
    check_pixels(width, height)
    return Layout(height, width, cell, spacing, margin, rows, columns, background)


def check_pixels(width: int, height: int) -> None:
    """Raises UserError for a sheet of over 50 million pixels."""
    if height * width > MOST_PIXELS:
        raise UserError(
            f"a sheet of {width}x{height} is too large: put fewer pictures into one, or enlarge them less."
        )


def fixed_layout(rgba: Rgba, cell: tuple[int, int], spacing: int = 0, margin: int = 0) -> Layout:
    """Return the layout of a sheet whose cells are known: as many whole ones as fit.

    Raises UserError when not one fits, or there would be over 65,536.
    """
    _check(cell, spacing, margin)
    height, width = rgba.shape[:2]
    rows, columns = (
        _count(length, size, spacing, margin) for length, size in zip((height, width), cell, strict=True)
    )
    if rows < 1 or columns < 1:
        around = f" with a margin of {margin}" if margin else ""
        raise UserError(f"the sheet is {width}x{height}: not one cell of {_size(cell)}{around} fits into it.")
    if rows * columns > MOST_CELLS:
        raise UserError(
            Message(
                "cells of {size} would make {pictures:,} pictures: give a larger {@cell}.",
                size=_size(cell),
                pictures=rows * columns,
            )
        )
    layout = Layout(height, width, cell, spacing, margin, rows, columns)
    return Layout(height, width, cell, spacing, margin, rows, columns, _background(rgba, layout))


def _check(cell: tuple[int, int], spacing: int, margin: int) -> None:
    if min(cell) < 1:
        raise UserError(f"cells of {_size(cell)} are not possible: both sides need 1 pixel or more.")
    if spacing < 0 or margin < 0:
        raise UserError("spacing and margin cannot be below 0.")


def _count(length: int, size: int, spacing: int, margin: int) -> int:
    """As many cells as fit between two equal margins if that comes out even, else between one and the end."""
    even, odd = divmod(length - 2 * margin + spacing, size + spacing)
    return even if even >= 1 and not odd else (length - margin + spacing) // (size + spacing)


def _background(rgba: Rgba, layout: Layout) -> Pixel:
    """The one colour of gutters and margins; without any, transparent or the colour of the edge."""
    is_cell = np.zeros(rgba.shape[:2], bool)
    for place in product(range(layout.rows), range(layout.columns)):
        is_cell[_window(layout, place, layout.cell)] = True
    codes = _codes(rgba)
    between = codes[~is_cell]
    if between.size and (between == between[0]).all():
        return _pixel(between[0])
    edge = np.concatenate([codes[0], codes[-1], codes[:, 0], codes[:, -1]])
    common = _most_common(codes)
    # Tiles that fill their cells have no background; sprites hardly ever cover half of the edge.
    if (rgba[..., 3] == 0).any() or (edge == common).mean() < 0.5:
        return CLEAR
    return _pixel(common)


def _codes(rgba: Rgba) -> NDArray[np.uint32]:
    """Return (H, W): one number per colour."""
    return np.ascontiguousarray(rgba).view(np.uint32)[..., 0]


def _pixel(code: np.uint32) -> Pixel:
    red, green, blue, alpha = np.array([code], np.uint32).view(np.uint8).tolist()
    return red, green, blue, alpha


def _most_common(codes: NDArray[np.uint32]) -> np.uint32:
    values, counts = np.unique(codes, return_counts=True)
    return values[counts.argmax()]


# --- layouts that are detected ------------------------------------------------------------------

SMALLEST_CELL = 4
MOST_ENLARGED = 64
MOST_SPACING = 8
MOST_MARGIN = 8
USUAL_GAP = 2
"""Pixels of spacing or margin; wider ones are rare."""
CROSSING = 0.4
"""Where cells meet, content runs across at most this often, compared with everywhere else."""


class _Fit(NamedTuple):
    cell: tuple[int, int]
    spacing: int
    margin: int
    even: bool
    """The margins on both sides are equal."""

    def cost(self) -> tuple[float, ...]:
        """How far-fetched the explanation is: a long period and unusual numbers, then small differences."""
        unusual = 1.5 if max(self.spacing, self.margin) > USUAL_GAP else 1.0
        unusual *= max(1.0 if size % 8 == 0 else 1.1 if size % 4 == 0 else 1.25 for size in self.cell)
        unusual *= 1.0 if self.cell[0] == self.cell[1] else 1.1
        period = sum(self.cell) + 2 * self.spacing
        return period * unusual, self.spacing, not self.even, self.margin


@dataclass(frozen=True, eq=False)
class _Lines:
    """What each line of pixels says, for one direction of a sheet of that ``length``."""

    length: int
    colour: NDArray[np.int64]
    """Its colour where it is flat, else -1."""
    crossing: NDArray[np.int64]
    """At how many places both it and the line before have content."""


def detect_layout(
    rgba: Rgba, cell: tuple[int, int] | None = None, spacing: int | None = None, margin: int | None = None
) -> Layout:
    """Return the layout that explains a sheet, taking what is given (cell as (height, width)) for granted.

    An explanation must come out even: cells, equal gutters, equal margins, nothing left over (one more gutter
    after the last cell, or one before the first, is allowed). Gutters and margins must have one flat colour;
    where cells touch, content must seldom run across from one to the next (at most 0.4 times as often as
    within them). Content is what does not have the most common colour. Of all explanations that hold:

    - the smallest period (cell + spacing) is taken, so sprites that never touch the middle of their cells
      are cut too small;
    - where periods are about equal, the more usual numbers: a spacing and margin up to 2, square cells, sides
      that are multiples of 8, or at least of 4. So cells of 10x10 whose outermost pixels are all empty are
      taken for cells of 8x8 with a spacing of 2, and wide gutters for empty pixels at the borders of larger
      cells: nothing on the sheet tells the two apart.

    Where a cell is given and nothing holds, something may be left over at the ends; and where still nothing
    holds, content may run across (tiles fill their cells), with no spacing and no margin. A sheet that was
    enlarged by whole steps is explained as it was before, if it can be. Raises UserError when no cell is
    given and nothing holds.
    """
    _check(cell or (1, 1), spacing or 0, margin or 0)
    step = enlarged(rgba)
    if step > 1 and cell is None and spacing is None and margin is None:
        with contextlib.suppress(UserError):
            small = detect_layout(np.ascontiguousarray(rgba[::step, ::step]))
            cell = small.cell[0] * step, small.cell[1] * step
            return fixed_layout(rgba, cell, small.spacing * step, small.margin * step)
    codes = _codes(rgba)
    content = codes != _most_common(codes)
    if cell is None and not content.any():
        raise UserError(
            Message("the sheet has one flat colour, so there is nothing to find cells by: give {@cell}.")
        )
    lines = _lines(codes, content), _lines(codes.T, content.T)
    spacings = range(MOST_SPACING + 1) if spacing is None else range(spacing, spacing + 1)
    margins = range(MOST_MARGIN + 1) if margin is None else range(margin, margin + 1)
    fits = [fit for s, m in product(spacings, margins) for fit in _even_fits(lines, cell, s, m)]
    if cell is None and not fits:
        height, width = codes.shape
        raise UserError(
            Message(
                "no cell size explains this sheet of {width}x{height}: "
                "give it, for example {@cell:(16, 16)}.",
                width=width,
                height=height,
            )
        )
    if cell is not None and not fits:
        fits = [
            fit for s, m in product(spacings, margins) if (fit := _uneven_fit(codes, content, cell, s, m))
        ]
    if cell is not None and not fits:
        fits = [_Fit(cell, spacing or 0, margin or 0, True)]
    best = min(fits, key=_Fit.cost)
    return fixed_layout(rgba, best.cell, best.spacing, best.margin)


def enlarged(rgba: Rgba) -> int:
    """Return the largest k of which every k x k pixels are the same; 1 where nothing was enlarged."""
    height, width = rgba.shape[:2]
    both = math.gcd(height, width)
    for k in range(min(both, MOST_ENLARGED), 1, -1):
        if both % k == 0:
            blocks = rgba.reshape(height // k, k, width // k, k, 4)
            if (blocks == blocks[:, :1, :, :1]).all():
                return k
    return 1


def _lines(codes: NDArray[np.uint32], content: NDArray[np.bool_]) -> _Lines:
    """Read the lines along the first axis."""
    flat = (codes == codes[:, :1]).all(axis=1)
    crossing = np.zeros(len(codes), np.int64)
    crossing[1:] = (content[1:] & content[:-1]).sum(axis=1)
    return _Lines(len(codes), np.where(flat, codes[:, 0].astype(np.int64), -1), crossing)


def _even_fits(
    lines: tuple[_Lines, _Lines], cell: tuple[int, int] | None, spacing: int, margin: int
) -> Iterator[_Fit]:
    """Explanations with this spacing and margin in which nothing is left over, in each direction."""
    ends = {margin} | ({spacing} if margin == 0 else set()) | ({0} if margin == spacing else set())
    found: list[list[tuple[int, int]]] = [[], []]
    for (axis, line), end in product(enumerate(lines), sorted(ends)):
        sizes = _even_sizes(line.length - margin - end, spacing) if cell is None else [cell[axis]]
        found[axis] += [(size, end) for size in sizes if _holds(line, size, spacing, margin, end)]
    for (height, below), (width, beside) in product(*found):
        one_picture = (
            height + margin + below == lines[0].length and width + margin + beside == lines[1].length
        )
        if not (cell is None and one_picture):
            yield _Fit((height, width), spacing, margin, below == beside == margin)


def _uneven_fit(
    codes: NDArray[np.uint32], content: NDArray[np.bool_], cell: tuple[int, int], spacing: int, margin: int
) -> _Fit | None:
    """The explanation with this spacing and margin that holds for whole cells, whatever is beyond them."""
    ends = [
        (length - margin + spacing) // (size + spacing) * (size + spacing) - spacing + margin
        for size, length in zip(cell, codes.shape, strict=True)
    ]
    if min(ends) <= 0:
        return None
    whole = slice(ends[0]), slice(ends[1])
    lines = _lines(codes[whole], content[whole]), _lines(codes[whole].T, content[whole].T)
    holds = all(_holds(line, size, spacing, margin, 0) for line, size in zip(lines, cell, strict=True))
    return _Fit(cell, spacing, margin, False) if holds else None


def _even_sizes(inner: int, spacing: int) -> list[int]:
    """Every size of which a whole number of cells, with gutters between them, is ``inner`` long."""
    counts = range(1, (inner + spacing) // (SMALLEST_CELL + spacing) + 1)
    return [(inner + spacing) // n - spacing for n in counts if (inner + spacing) % n == 0]


def _holds(line: _Lines, size: int, spacing: int, margin: int, end: int) -> bool:
    """Whether this explanation holds in one direction: ``margin``, then cells and gutters, then ``end``.

    That both directions agree on the colour of gutters need not be asked: their lines cross.
    """
    period = size + spacing
    inner = line.length - margin - end
    if inner < size or (inner + spacing) % period:
        return False
    at = np.arange(line.length) - margin
    between = (at < 0) | ((at % period >= size) & (at < inner)) | (at >= inner)
    colours = np.unique(line.colour[between])
    if len(colours) > 1 or -1 in colours:
        return False
    inside = (at > 0) & (at < inner)
    return spacing > 0 or _is_seldom_crossed(line.crossing[inside], at[inside] % period == 0)


def _is_seldom_crossed(crossing: NDArray[np.int64], seam: NDArray[np.bool_]) -> bool:
    """Whether content runs across the seams much less often than across the other lines."""
    if seam.all() or not seam.any():
        return not seam.any()
    return bool(crossing[seam].mean() <= CROSSING * crossing[~seam].mean())


# --- a sheet in words ---------------------------------------------------------------------------


def digest(rgba: Rgba) -> str:
    """Return a hash of the size and every pixel."""
    return hashlib.sha256(f"{rgba.shape[1]}x{rgba.shape[0]}:".encode() + rgba.tobytes()).hexdigest()


def to_document(sheet: Sheet, names: Mapping[Place, str]) -> dict[str, object]:
    """Return what sheet.json says: the layout, the name of each cell, and the rest as a PNG in base64."""
    layout = sheet.layout
    return {
        "width": layout.width,
        "height": layout.height,
        "cell_width": layout.cell[1],
        "cell_height": layout.cell[0],
        "spacing": layout.spacing,
        "margin": layout.margin,
        "columns": layout.columns,
        "rows": layout.rows,
        "background": "#" + bytes(layout.background).hex(),
        "cells": [{"file": names[row, column], "row": row, "column": column} for row, column in sheet.cells],
        "rest": None if sheet.rest is None else base64.b64encode(_png(sheet.rest)).decode(),
    }


@dataclass(frozen=True)
class _Cell:
    file: str
    row: Annotated[int, Range(0, MOST_CELLS)]
    column: Annotated[int, Range(0, MOST_CELLS)]


@dataclass(frozen=True)
class _Document:
    """What sheet.json holds."""

    width: Pixels
    height: Pixels
    cell_width: Pixels
    cell_height: Pixels
    spacing: Gap
    margin: Gap
    columns: Pixels
    rows: Pixels
    background: str
    cells: Annotated[tuple[_Cell, ...], Length(1, MOST_CELLS)]
    rest: str | None
    source: str = ""
    digest: str = ""


def from_document(document: object) -> tuple[Layout, dict[Place, str], Rgba | None]:
    """Return the layout, the names of the cells and the rest of the sheet.

    Raises ValueError, with what is wrong, where the document does not describe a sheet. The names are names
    of files without any folder.
    """
    said: _Document = typed(document, _Document, "")
    height, width, cell = said.height, said.width, (said.cell_height, said.cell_width)
    background = parse_colour(said.background)
    layout = Layout(height, width, cell, said.spacing, said.margin, said.rows, said.columns, background)
    bottom, right = layout.corner((said.rows - 1, said.columns - 1))
    if bottom + cell[0] > height or right + cell[1] > width or height * width > MOST_PIXELS:
        raise ValueError("its cells do not fit into its size")
    return layout, _names(said.cells, layout), _rest(said.rest, (height, width, 4))


def parse_colour(text: str) -> Pixel:
    """Return the RGBA of "none", "#rrggbb" or "#rrggbbaa". Raises ValueError for anything else."""
    if text == "none":
        return CLEAR
    digits = text.removeprefix("#")
    if len(digits) not in (6, 8) or not set(digits.lower()) <= set("0123456789abcdef"):
        raise ValueError(f"'{text[:20]}' is no colour")
    red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
    return red, green, blue, alpha


def _names(cells: Sequence[_Cell], layout: Layout) -> dict[Place, str]:
    for cell in cells:
        if cell.file in ("", ".", "..") or set(cell.file) & set("/\\:\0"):
            raise ValueError("a cell has no file name, or one that leads out of the folder")
        if cell.row >= layout.rows or cell.column >= layout.columns:
            raise ValueError(f"the cell {cell.file} lies outside the sheet")
    return {(cell.row, cell.column): cell.file for cell in cells}


def _png(rgba: Rgba) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(rgba).save(stream, format="PNG")
    return stream.getvalue()


def _rest(text: str | None, shape: tuple[int, int, int]) -> Rgba | None:
    if text is None:
        return None
    try:
        rgba = decode(base64.b64decode(text, validate=True))[0][1]
    except (ValueError, Unreadable) as error:
        raise ValueError("the picture of its rest is broken") from error
    if rgba.shape != shape:
        raise ValueError("the picture of its rest has another size")
    return rgba
