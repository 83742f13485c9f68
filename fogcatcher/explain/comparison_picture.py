"""A comparison as one labelled picture: columns, rows, and blocks below each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from fogcatcher.data.pictures.sheets import INK, PAPER, sheet
from fogcatcher.explain.comparing import Cell

SIDE = 48
"""About how wide each picture is shown."""
GAP = 14
SOFT = (150, 154, 170, 255)
FRAME = (68, 71, 86, 255)
TITLE, LABEL, SMALL = (ImageFont.load_default(size=size) for size in (20, 16, 14))


def comparison_picture(cells: Sequence[Cell], columns: int, rows: int) -> Image.Image:
    """Return the cells as blocks of ``rows`` x ``columns``; they come row by row, block after block.

    A cell's last label names its column, the one before its row, the first of three its block.
    """
    size = columns * rows
    blocks = [_block(cells[start : start + size], columns) for start in range(0, len(cells), size)]
    canvas = Image.new("RGB", (max(b.width for b in blocks), sum(b.height for b in blocks)), PAPER[:3])
    top = 0
    for block in blocks:
        canvas.paste(block, (0, top))
        top += block.height
    return canvas


def _block(cells: Sequence[Cell], columns: int) -> Image.Image:
    sheets = [_sheet(cell) for cell in cells]
    titles = [_figures(cell) for cell in cells] + [cell.labels[-1] for cell in cells[:columns]]
    width = max(*(s.width for s in sheets), *(math.ceil(LABEL.getlength(text)) for text in titles)) + GAP
    height = max(s.height for s in sheets) + 22 + GAP
    names = [cell.labels[-2] if len(cell.labels) > 1 else "" for cell in cells[::columns]]
    left = GAP + max(math.ceil(LABEL.getlength(name)) for name in names) + GAP * any(names)
    title = cells[0].labels[0] if len(cells[0].labels) > 2 else ""
    top = GAP + 34 * bool(title) + 24
    lines = len(cells) // columns
    canvas = Image.new("RGB", (left + columns * width, top + lines * height), PAPER[:3])
    draw = ImageDraw.Draw(canvas)
    draw.text((GAP, GAP), title, fill=INK, font=TITLE)
    for i, (cell, image) in enumerate(zip(cells, sheets, strict=True)):
        x, y = left + i % columns * width, top + i // columns * height
        if i < columns:
            draw.text((x, top - 6), cell.labels[-1], fill=INK, font=LABEL, anchor="ls")
        if i % columns == 0:
            draw.text((GAP, y + image.height // 2), names[i // columns], fill=INK, font=LABEL, anchor="lm")
        canvas.paste(image, (x, y))
        draw.rectangle((x - 1, y - 1, x + image.width, y + image.height), outline=FRAME)
        draw.text((x, y + image.height + 3), _figures(cell), fill=SOFT, font=SMALL)
    return canvas


def _sheet(cell: Cell) -> Image.Image:
    """The seeds of a cell, in full rows where they can be."""
    pictures = cell.drawing.pictures
    zoom = max(1, round(SIDE / max(pictures.shape[-2:])))
    return sheet(pictures, columns_for(len(pictures)), zoom)


def columns_for(count: int) -> int:
    """Return how many columns make full rows, not much wider than high: 4 for 8, 3 for 9, 4 for 11."""
    least = math.ceil(math.sqrt(count))
    full = (n for n in range(least, 2 * least) if count % n == 0)
    return next(full, least)


def _figures(cell: Cell) -> str:
    return f"{cell.calls:g} calls, {cell.seconds:.1f} s"
