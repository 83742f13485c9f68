"""Small pictures in a terminal: two pixels a character, where it shows colours."""

from __future__ import annotations

import os
import shutil
import sys

from fogcatcher.cli.outlet import plain
from fogcatcher.data.pictures.sheets import PAPER, to_image
from fogcatcher.data.pictures.spec import Pictures


def show(pictures: Pictures) -> None:
    """Print as many pictures, (N, C, H, W), as fit into one row; nothing where nobody would see it."""
    if sys.stdout.isatty() and os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        fitting = shutil.get_terminal_size().columns // pictures.shape[-1]
        if fitting:
            print(as_text(pictures[:fitting]), file=plain(sys.stdout))


def as_text(pictures: Pictures) -> str:
    """Return pictures side by side, as upper half blocks: the upper pixel on the lower one's ground."""
    rows = []
    images = [to_image(pictures[i : i + 1]).convert("RGBA") for i in range(len(pictures))]
    height, width = pictures.shape[-2:]
    for y in range(0, height, 2):
        cells = []
        for image in images:
            for x in range(width):
                upper = _on_paper(image.getpixel((x, y)))
                lower = _on_paper(image.getpixel((x, y + 1))) if y + 1 < height else PAPER[:3]
                cells.append(f"\x1b[38;2;{_code(upper)};48;2;{_code(lower)}m\u2580")
        rows.append("".join(cells) + "\x1b[0m")
    return "\n".join(rows)


def _on_paper(pixel: object) -> tuple[int, ...]:
    """The colour of an RGBA pixel on the background of the sheets."""
    assert isinstance(pixel, tuple)
    alpha = pixel[3] / 255
    return tuple(round(alpha * c + (1 - alpha) * p) for c, p in zip(pixel[:3], PAPER[:3], strict=True))


def _code(colour: tuple[int, ...]) -> str:
    return ";".join(str(part) for part in colour)
