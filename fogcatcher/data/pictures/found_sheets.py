"""Files among pictures that are many pictures: sheets that this program drew, and sprite sheets.

What the first bytes of a file say is enough to pass over nearly all of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median_low

from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import parsed
from fogcatcher.data.pictures.picture_files import Unreadable, decode
from fogcatcher.data.pictures.sheets import RECIPE_KEY
from fogcatcher.data.pictures.sprite_sheets import Layout, Rgba, detect_layout, enlarged, split_sheet

Read = Callable[[str, int | None], bytes]
"""Name, and how many of its first bytes -> its content. Raises Unreadable."""
Size = tuple[int, int]
"""(height, width)"""
HEAD = 1024
OWN = "is a sheet that this program drew"
FOREIGN = "is a sprite sheet"
_SHEETS = frozenset({"sheet", "pictures", "cells", "strip"})
"""What the recipe of a sheet, a table or a strip says, and that of one picture does not."""
_LARGER = 6
"""A sheet is at least so many times as large as the usual picture beside it."""
_LONGER = 2.5
_FEWEST = 4
"""Pictures in a sheet that has gutters; without any, twice as many."""
_MOST_PIXELS = 2**23
_MOST_SHEETS = 24


def find_sheets(names: Sequence[str], read: Read, root: Path) -> dict[str, str]:
    """Return what is a sheet and not a picture -> why, with the command that cuts it up.

    A sprite sheet is much larger than most, and ``detect_layout`` explains it: by flat gutters, cells about
    as large as most pictures, or without gutters by cells of just that size.
    """
    found: dict[str, str] = {}
    sizes: dict[str, Size] = {}
    for name in names:
        try:
            head = read(name, HEAD)
            if _may_have_texts(head) and _is_own(read(name, None)):
                found[name] = OWN
            elif (size := _size(head)) is not None:
                sizes[name] = size
        except Unreadable:
            continue  # which is said when it is to be decoded
    if len(sizes) < _FEWEST:
        return found
    usual = (
        median_low(height for height, _ in sizes.values()),
        median_low(width for _, width in sizes.values()),
    )
    for name in _much_larger(sizes, usual):
        try:
            layout = _layout(decode(read(name, None))[0][1], usual)
        except (Unreadable, UserError):
            continue
        if layout:
            cell = f"{layout.cell[1]}x{layout.cell[0]}"
            place = root / name if root.is_dir() else name
            found[name] = (
                f"{FOREIGN}, {layout.columns} x {layout.rows} cells of {cell}; cut it up by: "
                f"fogcatcher data split-sheet '{place}'"
            )
    return found


def told(ignored: Mapping[str, str]) -> list[str]:
    """Return sentences about the sheets among what was not read."""
    own = [name for name, reason in ignored.items() if reason == OWN]
    lines = [f"not read, as this program drew {'it' if len(own) == 1 else 'them'}: {', '.join(own)}"]
    return lines * bool(own) + [
        f"{name} {reason}" for name, reason in ignored.items() if reason.startswith(FOREIGN)
    ]


def is_own_sheet(content: bytes) -> bool:
    """Whether a file is a sheet that this program drew."""
    return _may_have_texts(content[:HEAD]) and _is_own(content)


def _may_have_texts(head: bytes) -> bool:
    """Whether a PNG may say something of this program's before its pixels."""
    if not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return False
    at = 8
    while (kind := head[at + 4 : at + 8]) and kind not in (b"IDAT", b"IEND"):
        if head[at + 8 :].startswith(RECIPE_KEY.encode() + b"\0"):
            return True
        at += 12 + int.from_bytes(head[at : at + 4], "big")
    return not kind and len(head) == HEAD


def _is_own(content: bytes) -> bool:
    if RECIPE_KEY.encode() + b"\0" not in content:
        return False
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            recipe = parsed(str(image.info.get(RECIPE_KEY)), finite=False)
    except Exception:  # damaged, or somebody else's
        return False
    return isinstance(recipe, dict) and bool(_SHEETS & recipe.keys())


# --- sprite sheets ------------------------------------------------------------------------------


def _size(head: bytes) -> Size | None:
    """(height, width) of a PNG, GIF or BMP; None of anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")
    if head.startswith(b"GIF8") and len(head) >= 10:
        return int.from_bytes(head[8:10], "little"), int.from_bytes(head[6:8], "little")
    if head.startswith(b"BM") and len(head) >= 26:
        return abs(int.from_bytes(head[22:26], "little", signed=True)), int.from_bytes(head[18:22], "little")
    return None


def _much_larger(sizes: Mapping[str, Size], usual: Size) -> list[str]:
    """The few that are much larger than most, largest first; where many are, that is nothing unusual."""
    height, width = usual
    large = [
        name
        for name, (h, w) in sizes.items()
        if _LARGER * height * width <= h * w <= _MOST_PIXELS and max(h / height, w / width) >= _LONGER
    ]
    large.sort(key=lambda name: sizes[name][0] * sizes[name][1], reverse=True)
    return large[:_MOST_SHEETS] if 4 * len(large) <= len(sizes) else []


def _layout(rgba: Rgba, usual: Size) -> Layout | None:
    """The layout that leaves no doubt; None where there may be one picture. Raises UserError for none."""
    layout, step = detect_layout(rgba), enlarged(rgba)
    own_grid = layout.cell[0] // step, layout.cell[1] // step
    filled = len(split_sheet(rgba, layout).cells)
    if layout.spacing:
        alike = any(_are_alike(cell, usual) for cell in (layout.cell, own_grid))
        return layout if alike and filled >= _FEWEST else None
    return layout if usual in (layout.cell, own_grid) and filled >= 2 * _FEWEST else None


def _are_alike(one: Size, other: Size) -> bool:
    return all(b / 2 <= a <= 2 * b for a, b in zip(one, other, strict=True))
