"""A 16x16 canvas of materials, and the passes that shade, outline and colour it.

Pictures are put together from letters. A small letter is a material whose tone
the shading pass chooses; its capital is that material's light tone and the digit
at the same place in ``DIGITS`` its shadow tone. ``o`` is a dark line in the
colour of whatever lies beside it, and ``.`` leaves the canvas as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fogcatcher.data.sprites.palettes import MATERIALS, Ramp

SIZE = 16
MAX_COLOURS = 16
MATERIAL_LETTERS = "cdshmlgwefbtnqa"
DETAIL_LETTERS = "kzvyo"
DIGITS = "1234567890"
# Cells of the n-th ball have the tone ``_ROUND - n`` until the shading pass.
_ROUND = -2
_AUTO, _OUTLINE, _SHADOW, _BASE, _LIGHT = -1, 0, 1, 2, 3
_CODE = {letter: n + 1 for n, letter in enumerate(MATERIAL_LETTERS + DETAIL_LETTERS)}
_LINE = _CODE["o"]
_FIRST_DETAIL = len(MATERIAL_LETTERS) + 1

Art = tuple[str, ...]


class Ball(NamedTuple):
    """A round part whose light is worked out last: middle, radii, whether it glints."""

    cx: float
    cy: float
    rx: float
    ry: float
    shine: bool


def art(text: str) -> Art:
    """A block of text as picture rows; every line is one row."""
    return tuple(text.split())


def _decode(letter: str) -> tuple[int, int]:
    """The material code and tone that a letter of a picture stands for."""
    if letter in DIGITS:
        return _CODE[MATERIAL_LETTERS[DIGITS.index(letter)]], _SHADOW
    if letter.isupper():
        return _CODE[letter.lower()], _LIGHT
    return _CODE[letter], _BASE if letter in DETAIL_LETTERS else _AUTO


_MEANING = {
    letter: _decode(letter)
    for letter in MATERIAL_LETTERS + MATERIAL_LETTERS.upper() + DETAIL_LETTERS + DIGITS
}


class Canvas:
    """Materials and tones of the cells, (16, 16) each; row 0 is the top."""

    def __init__(self, **ramps: Ramp) -> None:
        """``ramps`` gives or replaces materials by letter, as in ``c=MAIN["red"]``."""
        self.ramps: dict[str, Ramp] = {**MATERIALS, **ramps}
        self.material: NDArray[np.int8] = np.zeros((SIZE, SIZE), np.int8)
        self.tone: NDArray[np.int8] = np.zeros((SIZE, SIZE), np.int8)
        self._balls: list[Ball] = []

    def dot(self, x: int, y: int, letter: str) -> None:
        """One cell; outside the canvas nothing happens. ``_`` empties the cell."""
        if letter == "." or not (0 <= x < SIZE and 0 <= y < SIZE):
            return
        code, tone = (0, 0) if letter == "_" else _MEANING[letter]
        self.material[y, x], self.tone[y, x] = code, tone

    def stamp(self, rows: Art, x: int, y: int, flip: bool = False) -> None:
        """Rows with their top left corner at (x, y), mirrored where ``flip``."""
        for dy, row in enumerate(rows):
            for dx, letter in enumerate(reversed(row) if flip else row):
                self.dot(x + dx, y + dy, letter)

    def mirror(self, rows: Art, y: int) -> None:
        """Left halves, each ending at the middle line, drawn on both sides from row y."""
        for dy, row in enumerate(rows):
            for dx, letter in enumerate(reversed(row)):
                self.dot(7 - dx, y + dy, letter)
                self.dot(8 + dx, y + dy, letter)

    def has(self, x: int, y: int) -> bool:
        """Whether something is drawn at the cell."""
        return 0 <= x < SIZE and 0 <= y < SIZE and bool(self.material[y, x])

    def over(self, x: int, y: int, letter: str) -> None:
        """One cell, but only where something is drawn already."""
        if self.has(x, y):
            self.dot(x, y, letter)

    def ball(self, cx: float, cy: float, rx: float, ry: float, letter: str, shine: bool = False) -> None:
        """An ellipse shaded as a ball, with a glint if ``shine``; (cx, cy) in cell corners."""
        inside = _ellipse(cx, cy, rx, ry) <= 1.0
        self.material[inside] = _CODE[letter]
        self.tone[inside] = _ROUND - len(self._balls)
        self._balls.append(Ball(cx, cy, rx, ry, shine))

    def blob(self, cx: float, cy: float, rx: float, ry: float, letter: str) -> None:
        """An ellipse whose tones are left to the shading pass or given by the letter."""
        inside = _ellipse(cx, cy, rx, ry) <= 1.0
        self.material[inside], self.tone[inside] = _MEANING[letter]

    def box(self, x: int, y: int, width: int, height: int, letter: str) -> None:
        """A filled rectangle."""
        self.material[max(y, 0) : y + height, max(x, 0) : x + width] = _MEANING[letter][0]
        self.tone[max(y, 0) : y + height, max(x, 0) : x + width] = _MEANING[letter][1]

    def line(self, x0: int, y0: int, x1: int, y1: int, letter: str) -> None:
        """A one-cell line between two cells, both included."""
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for n in range(steps + 1):
            # Whole-number rounding keeps the line the same on every machine.
            x = x0 + (2 * n * (x1 - x0) + steps) // (2 * steps)
            y = y0 + (2 * n * (y1 - y0) + steps) // (2 * steps)
            self.dot(x, y, letter)

    def flip(self) -> None:
        """Mirror everything drawn so far, left to right; the light stays at the left."""
        self.material = self.material[:, ::-1].copy()
        self.tone = self.tone[:, ::-1].copy()
        self._balls = [ball._replace(cx=SIZE - ball.cx) for ball in self._balls]

    def settle(self, grounded: bool) -> None:
        """Centre what is drawn, standing on the last row but one where ``grounded``."""
        ys, xs = np.nonzero(self.material)
        dx = (SIZE - 1 - int(xs.min()) - int(xs.max())) // 2
        dy = SIZE - 2 - int(ys.max())
        if not grounded:
            dy = (SIZE - 1 - int(ys.min()) - int(ys.max())) // 2
        if (dx, dy) != (0, 0):
            self.material = np.roll(self.material, (dy, dx), (0, 1))
            self.tone = np.roll(self.tone, (dy, dx), (0, 1))
            self._balls = [b._replace(cx=b.cx + dx, cy=b.cy + dy) for b in self._balls]

    def _light_balls(self) -> None:
        """Give the cells of balls their tones, once they lie where they will stay."""
        for n, (cx, cy, rx, ry, shine) in enumerate(self._balls):
            cells = self.tone == _ROUND - n
            dark = _ellipse(cx - 0.35 * rx, cy - 0.4 * ry, rx, ry) > 1.1
            light = _ellipse(cx - 0.4 * rx, cy - 0.45 * ry, rx, ry) < 0.16
            tones = np.where(dark, _SHADOW, np.where(light, _LIGHT, _BASE))
            self.tone[cells] = tones[cells]
            x, y = int(cx - 0.45 * rx), int(cy - 0.5 * ry)
            if shine and cells[y, x]:
                self.dot(x, y, "z")

    def render(self) -> NDArray[np.uint8]:
        """The finished picture: (16, 16, 4) uint8 RGBA, alpha 0 or 255."""
        self._light_balls()
        _shade(self.material, self.tone)
        _outline(self.material, self.tone)
        table = np.zeros((len(_CODE) + 1, 4, 4), np.uint8)
        for letter, code in _CODE.items():
            if letter in self.ramps:
                table[code, :, :3] = self.ramps[letter]
                table[code, :, 3] = 255
        return _limit_colours(table[self.material, np.maximum(self.tone, 0)])


def _ellipse(cx: float, cy: float, rx: float, ry: float) -> NDArray[np.float64]:
    """Squared distance of every cell's middle from a point, in radii, (16, 16)."""
    across = (np.arange(SIZE) + 0.5 - cx) / rx
    down = (np.arange(SIZE) + 0.5 - cy) / ry
    return across[None, :] ** 2 + down[:, None] ** 2


def _neighbours(cells: NDArray[np.int8]) -> NDArray[np.int8]:
    """The cells above, left, right, below, up-left and down-right, (6, 16, 16)."""
    padded = np.zeros((SIZE + 2, SIZE + 2), np.int8)
    padded[1:-1, 1:-1] = cells
    shifts = ((0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (2, 2))
    return np.stack([padded[y : y + SIZE, x : x + SIZE] for y, x in shifts])


def _shade(material: NDArray[np.int8], tone: NDArray[np.int8]) -> None:
    """Give automatic cells a tone: light at the open top left, dark before an edge."""
    up, left, right, down, corner, far = _neighbours(material)
    lit = (up == 0) | (left == 0) | (corner == 0)
    dark = np.zeros_like(lit)
    for beside in (right, down, far):
        # Eyes and lines lie on a surface and do not end it.
        dark |= (beside != material) & (beside < _FIRST_DETAIL)
    shaded = _BASE + lit.astype(np.int8) - dark.astype(np.int8)
    auto = tone == _AUTO
    tone[auto] = shaded[auto]


def _outline(material: NDArray[np.int8], tone: NDArray[np.int8]) -> None:
    """Surround what is drawn, cell by cell, with the dark tone of what lies beside."""
    border = np.ones((SIZE, SIZE), bool)
    border[1:-1, 1:-1] = False
    tone[border & (material > 0)] = _OUTLINE
    material[border & (material >= _FIRST_DETAIL)] = _LINE
    beside = np.where(_neighbours(material)[:4] < _FIRST_DETAIL, _neighbours(material)[:4], 0)
    # Below and right come first: a shape owns the line on top of it.
    best = np.zeros_like(material)
    for n in (3, 2, 1, 0):
        best = np.where(best == 0, beside[n], best)
    line = (material == 0) & _neighbours(material)[:4].any(0) | (material == _LINE)
    # An eye or a glint at the rim has no dark tone of its own and gets the pupil's.
    material[line] = np.where(best > 0, best, _CODE["k"])[line]
    tone[line] = _OUTLINE


def _limit_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Merge the rarest colour into its nearest until at most 16 are left."""
    packed = np.ascontiguousarray(pixels).view(np.uint32)[..., 0]
    while True:
        colours, counts = np.unique(packed[pixels[..., 3] > 0], return_counts=True)
        if len(colours) <= MAX_COLOURS:
            return pixels
        rgb = np.stack([(colours >> shift) & 255 for shift in (0, 8, 16)], -1).astype(np.int64)
        distance = ((rgb[:, None] - rgb[None]) ** 2).sum(-1)
        np.fill_diagonal(distance, 1 << 30)
        # A cheap merge is one that moves few pixels a short way.
        cost = distance.min(1) * counts
        loser = int(cost.argmin())
        packed[packed == colours[loser]] = colours[int(distance[loser].argmin())]
