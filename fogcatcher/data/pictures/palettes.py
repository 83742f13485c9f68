"""Palettes: reading and writing them, finding one in pictures, and snapping pictures to one.

Pictures here are uint8 RGBA with the colours last: any iterable of (H, W, 4) arrays, so also one array
(N, H, W, 4). Pixels of alpha 0 have no colour; other degrees of alpha do not matter. Near and far are
Euclidean distances in OKLab.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import UserError
from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.base.read_json import plain_bytes
from fogcatcher.data.pictures.picture_files import SUFFIXES, Unreadable, read_picture
from fogcatcher.data.pictures.sheets import save_png
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.pictures.store import has_alpha
from fogcatcher.data.sprites import palettes as sprite_ramps

Rgb = tuple[int, int, int]
Rgba = UInt8[np.ndarray, "... 4"]
Bytes = UInt8[np.ndarray, "*S 3"]
Codes = Int64[np.ndarray, "*S"]
"""Colours as numbers 0xRRGGBB."""
Points = Float64[np.ndarray, "_ 3"]
Weights = NDArray[np.float64]
ColourUse = Counter[int]
"""Colour 0xRRGGBB -> number of visible pixels."""

MOST_COLOURS = 256
"""As many as an indexed PNG can hold."""


@dataclass(frozen=True)
class Palette:
    """1 to 256 different colours in an order. Raises ValueError for anything else."""

    name: str
    colours: tuple[Rgb, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.colours) <= MOST_COLOURS or len(set(self.colours)) < len(self.colours):
            raise ValueError(f"a palette has 1 to {MOST_COLOURS} different colours")
        if not all(0 <= part <= 255 for colour in self.colours for part in colour):
            raise ValueError("the parts of a colour lie in 0 to 255")

    def __len__(self) -> int:
        return len(self.colours)

    @property
    def array(self) -> UInt8[np.ndarray, "_ 3"]:
        """The colours, (K, 3) uint8."""
        return np.array(self.colours, np.uint8)

    @property
    def hex(self) -> tuple[str, ...]:
        """The colours as rrggbb."""
        return tuple(f"{r:02x}{g:02x}{b:02x}" for r, g, b in self.colours)


def _from_hex(name: str, text: str) -> Palette:
    return Palette(name, tuple(_parse_hex(word) for word in text.split()))


def _parse_hex(word: str) -> Rgb:
    return int(word[0:2], 16), int(word[2:4], 16), int(word[4:6], 16)


def _sprite_palette() -> Palette:
    """Every colour that the painters of the built-in sprites may use."""
    materials = sprite_ramps.MATERIALS.values()
    ramps = [*sprite_ramps.MAIN.values(), *sprite_ramps.SKIN, *sprite_ramps.HAIR, *materials]
    return Palette("sprites", tuple(dict.fromkeys(colour for ramp in ramps for colour in ramp)))


PICO8 = _from_hex(
    "pico8",
    "000000 1d2b53 7e2553 008751 ab5236 5f574f c2c3c7 fff1e8 "
    "ff004d ffa300 ffec27 00e436 29adff 83769c ff77a8 ffccaa",
)
GAMEBOY = _from_hex("gameboy", "0f380f 306230 8bac0f 9bbc0f")
BUILT_IN = {palette.name: palette for palette in (PICO8, GAMEBOY, _sprite_palette())}


# --- what colours are used ----------------------------------------------------------------------


def count_colours(pictures: Iterable[Rgba]) -> ColourUse:
    """Return how often each colour is used in (H, W, 4) pictures of any sizes."""
    use: ColourUse = Counter()
    for rgba in pictures:
        values, counts = np.unique(_codes(rgba[rgba[..., 3] > 0][:, :3]), return_counts=True)
        use.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return use


def colours_per_picture(pictures: Iterable[Rgba]) -> list[int]:
    """Return the number of different colours in each (H, W, 4) picture."""
    return [len(count_colours([rgba])) for rgba in pictures]


def all_colours(pictures: Iterable[Rgba], name: str) -> Palette | None:
    """Return every visible colour of (..., H, W, 4) pictures, in rising order; None for none or over 256.

    Quick for many pictures: it stops where there are too many colours, and sorts nothing.
    """
    seen = np.zeros(2**24, bool)
    for rgba in pictures:
        seen[_codes(rgba[rgba[..., 3] > 0][:, :3])] = True
        if seen.sum() > MOST_COLOURS:
            return None
    codes = np.flatnonzero(seen).tolist()
    return Palette(name, tuple(_parse_hex(f"{code:06x}") for code in codes)) if codes else None


def most_used(use: ColourUse, name: str) -> Palette | None:
    """Return the 256 colours that most pixels have, the most used first; None for none."""
    ranked = sorted(use, key=lambda code: (-use[code], code))[:MOST_COLOURS]
    return Palette(name, tuple(_parse_hex(f"{code:06x}") for code in ranked)) if ranked else None


def off_palette_share(pictures: Iterable[Rgba], palette: Palette) -> float:
    """Return the share, 0 to 1, of visible pixels whose colour is not in the palette; 0 without any."""
    use = count_colours(pictures)
    inside = sum(use[code] for code in _codes(palette.array).tolist())
    return 1 - inside / use.total() if use else 0.0


def _codes(colours: Bytes) -> Codes:
    """Return (..., 3) colours as numbers 0xRRGGBB."""
    red, green, blue = np.moveaxis(colours.astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue


def _decoded(codes: Codes) -> Bytes:
    """Return numbers 0xRRGGBB as (..., 3) colours."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)


# --- snapping to a palette ----------------------------------------------------------------------

CHUNK = 2**14
"""Points compared with all centres at a time: at most 32 MB."""


def apply_palette(rgba: UInt8[np.ndarray, "*S 4"], palette: Palette) -> UInt8[np.ndarray, "*S 4"]:
    """Return (..., 4) uint8 RGBA with every visible pixel in the nearest colour of the palette.

    Alpha stays, and so does what lies under alpha 0.
    """
    visible = rgba[..., 3] > 0
    codes, inverse = np.unique(_codes(rgba[visible][:, :3]), return_inverse=True)
    nearest, _ = _nearest(_lab(_decoded(codes)), _lab(palette.array))
    snapped = rgba.copy()
    snapped[visible, :3] = palette.array[nearest][inverse]
    return snapped


def snap_pictures(pictures: Pictures, palette: Palette) -> UInt8[Tensor, "B _ H W"]:
    """Return a batch, (N, C, H, W) uint8, in the colours of the palette.

    Alpha stays. Grey pictures come back as RGB, grey with alpha as RGBA, since a palette has colours.
    """
    snapped = apply_palette(as_rgba(pictures), palette)
    channels = 4 if has_alpha(pictures.shape[1]) else 3
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(snapped[..., :channels], -1, 1)))


def as_rgba(pictures: Pictures) -> UInt8[np.ndarray, "B H W 4"]:
    """Return a batch, (N, C, H, W) uint8 of 1 to 4 channels, as (N, H, W, 4)."""
    array = np.moveaxis(pictures.numpy(), 1, -1)
    channels = array.shape[-1]
    rgba = np.full((*array.shape[:-1], 4), 255, np.uint8)
    rgba[..., :3] = array[..., :3] if channels >= 3 else array[..., :1]
    if has_alpha(channels):
        rgba[..., 3] = array[..., -1]
    return rgba


def _lab(colours: Bytes) -> Points:
    """Return (M, 3) bytes as points of OKLab."""
    return oklab_from_srgb(torch.from_numpy(colours.astype(np.float64) / 255)).numpy()


def _nearest(points: Points, centres: Points) -> tuple[NDArray[np.int64], Weights]:
    """Return the (M,) number of the nearest centre of each point, and how far it is."""
    nearest, squares = np.zeros(len(points), np.int64), np.zeros(len(points))
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        # |p - c|^2 without |p|^2. Rounding moves it by 1e-15; two colours of 8 bits are over 1e-7 apart.
        scores = (centres**2).sum(1) - 2 * points[part] @ centres.T
        nearest[part] = scores.argmin(1)
        squares[part] = scores.min(1)
    return nearest, np.sqrt(np.maximum(squares + (points**2).sum(1), 0))


# --- finding a palette --------------------------------------------------------------------------

SEED = 0
ITERATIONS = 30
MOST_POINTS = 2**14
"""More colours than this are grouped before clustering, to 32 levels a channel."""
KNEE_SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


def extract_palette(pictures: Iterable[Rgba], colours: int | None = None, name: str = "extracted") -> Palette:
    """Return a palette of (H, W, 4) pictures, the most used colour first; see ``choose_palette``."""
    return choose_palette(count_colours(pictures), colours, name)


def choose_palette(use: ColourUse, colours: int | None = None, name: str = "extracted") -> Palette:
    """Return ``colours`` of the used colours that stand for all of them, the most used first.

    k-means in OKLab, weighted by use and always with the same seed; each centre then moves to the nearest
    used colour of its cluster. None takes every colour that is used if there are at most 256, otherwise as
    many as the knee of the error says. There are never more than are used. Raises UserError when no pixel
    is visible, or ``colours`` is not 1 to 256.
    """
    if not use:
        raise UserError("no pixel of these pictures is visible, so there are no colours to take.")
    if colours is not None and not 1 <= colours <= MOST_COLOURS:
        raise UserError(f"a palette of {colours} colours is not possible: ask for 1 to {MOST_COLOURS}.")
    ranked = sorted(use, key=lambda code: (-use[code], code))
    if len(ranked) > (colours or MOST_COLOURS):
        ranked = _representatives(ranked, [use[code] for code in ranked], colours)
    return Palette(name, tuple(_parse_hex(f"{code:06x}") for code in ranked))


def colour_shares(use: ColourUse, palette: Palette) -> list[float]:
    """Return for each colour of the palette the share of visible pixels that it is the nearest one of."""
    codes = np.array(list(use), np.int64)
    nearest, _ = _nearest(_lab(_decoded(codes)), _lab(palette.array))
    counts = np.bincount(nearest, np.array(list(use.values()), np.float64), len(palette))
    return (counts / counts.sum()).tolist()


def _representatives(codes: list[int], counts: list[int], colours: int | None) -> list[int]:
    """Return one used colour per cluster, the one that stands for most pixels first."""
    points, weights = _lab(_decoded(np.array(codes, np.int64))), np.array(counts, np.float64)
    centres = _cluster(*_thinned(np.array(codes, np.int64), points, weights), colours)
    cluster, distance = _nearest(points, centres)
    chosen = []
    for k in np.unique(cluster).tolist():
        members = np.flatnonzero(cluster == k)
        chosen.append(int(members[distance[members].argmin()]))
    use = np.bincount(_nearest(points, points[chosen])[0], weights)
    return [codes[chosen[k]] for k in np.argsort(-use, kind="stable")]


def _thinned(codes: Codes, points: Points, weights: Weights) -> tuple[Points, Weights]:
    """Where there are very many points, put those of almost the same colour into their weighted mean."""
    if len(points) <= MOST_POINTS:
        return points, weights
    groups, group = np.unique(codes & 0xF8F8F8, return_inverse=True)
    return _means(points, weights, group, len(groups)), np.bincount(group, weights).astype(np.float64)


def _cluster(points: Points, weights: Weights, colours: int | None) -> Points:
    """Return the (K, 3) centres; ``colours`` None chooses K at the knee."""
    centres = _first_centres(points, weights, colours or MOST_COLOURS)
    if colours is not None:
        return _settled(points, weights, centres)
    # Centres are found one after the other, so the first k of them are a start for k clusters.
    tried = [_settled(points, weights, centres[:size]) for size in KNEE_SIZES]
    errors = [np.sqrt((weights * _nearest(points, c)[1] ** 2).sum() / weights.sum()) for c in tried]
    return tried[_knee(np.array(KNEE_SIZES, np.float64), np.array(errors))]


def _knee(sizes: NDArray[np.float64], errors: NDArray[np.float64]) -> int:
    """Return where a falling curve lies farthest below the line from its first point to its last.

    Satopaa et al. 2011, "Finding a 'Kneedle' in a Haystack", section III.
    """
    across = (sizes - sizes[0]) / (sizes[-1] - sizes[0])
    down = (errors[0] - errors) / (errors[0] - errors[-1] or 1.0)
    return int((down - across).argmax())


def _first_centres(points: Points, weights: Weights, count: int) -> Points:
    """Greedy k-means++: each next centre is drawn by weight times squared distance, the best of a few draws.

    Arthur and Vassilvitskii 2007, "k-means++", sections 2.2 and 4. Fewer when the points run out.
    """
    rng = np.random.default_rng(SEED)
    draws = 2 + int(np.log(count))
    chosen = [int(rng.choice(len(points), p=weights / weights.sum()))]
    squares = ((points - points[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count and (mass := weights * squares).any():
        options = rng.choice(len(points), draws, p=mass / mass.sum())
        left = [np.minimum(squares, ((points - points[option]) ** 2).sum(1)) for option in options]
        best = int(np.argmin([(weights * after).sum() for after in left]))
        chosen.append(int(options[best]))
        squares = left[best]
    return points[chosen]


def _settled(points: Points, weights: Weights, centres: Points) -> Points:
    """Lloyd's iteration: move each centre to the mean of its points until nothing changes."""
    before = None
    for _ in range(ITERATIONS):
        cluster, _ = _nearest(points, centres)
        if before is not None and (cluster == before).all():
            break
        empty = np.bincount(cluster, minlength=len(centres)) == 0
        centres = np.where(empty[:, None], centres, _means(points, weights, cluster, len(centres)))
        before = cluster
    return centres


def _means(points: Points, weights: Weights, group: NDArray[np.int64], count: int) -> Points:
    """Return the weighted mean of each of ``count`` groups, zeros for an empty one."""
    sums = np.stack([np.bincount(group, weights * axis, count) for axis in points.T], axis=1)
    return sums / np.maximum(np.bincount(group, weights, count), np.finfo(np.float64).tiny)[:, None]


# --- files --------------------------------------------------------------------------------------

LARGEST_TEXT = 1_000_000
"""Bytes; a palette of 256 colours has about 10,000."""
GIMP_HEADER = "GIMP Palette"


def read_palette(source: str | Path) -> Palette:
    """Return a built-in palette (pico8, gameboy, sprites) or that of a file.

    .gpl is GIMP's format, .hex has one rrggbb a line; of a picture the different colours are taken in reading
    order. Raises UserError when it is none of these, with the number of the bad line.
    """
    if str(source).lower() in BUILT_IN and not Path(source).is_file():
        return BUILT_IN[str(source).lower()]
    path = Path(source)
    if not path.is_file():
        built_in = ", ".join(BUILT_IN)
        raise UserError(
            f"there is no palette '{source}': give a .gpl, .hex or picture file, or one of {built_in}."
        )
    suffix = path.suffix.lower()
    if suffix == ".gpl":
        name, colours = _read_gpl(path)
    elif suffix == ".hex":
        name, colours = path.stem, [_hex_line(path, n, line) for n, line in _lines(path)]
    elif suffix in SUFFIXES:
        name, colours = path.stem, _read_strip(path)
    else:
        raise UserError(f"{path} is no palette that can be read: .gpl, .hex and pictures can.")
    distinct = tuple(dict.fromkeys(colours))
    if not 1 <= len(distinct) <= MOST_COLOURS:
        raise UserError(f"{path} holds {len(distinct):,} colours; a palette has 1 to {MOST_COLOURS}.")
    return Palette(name, distinct)


def write_palette(palette: Palette, path: Path) -> None:
    """Write .gpl, .hex or .png (one pixel a colour, side by side), as the name says.

    Raises UserError for another suffix.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        save_png(Image.fromarray(palette.array[None]), path)
    elif suffix == ".hex":
        write_text(path, "".join(f"{code}\n" for code in palette.hex))
    elif suffix == ".gpl":
        header = f"{GIMP_HEADER}\nName: {' '.join(palette.name.split())}\nColumns: 0\n#\n"
        rows = [f"{r:3d} {g:3d} {b:3d}\t{r:02x}{g:02x}{b:02x}\n" for r, g, b in palette.colours]
        write_text(path, header + "".join(rows))
    else:
        raise UserError(f"{path} is no name for a palette: end it in .gpl, .hex or .png.")


def _read_strip(path: Path) -> list[Rgb]:
    try:
        rgba = read_picture(path)
    except Unreadable as error:
        raise UserError(f"{path} {error}.") from error
    codes, first = np.unique(_codes(rgba[rgba[..., 3] > 0][:, :3]), return_index=True)
    return [_parse_hex(f"{code:06x}") for code in codes[first.argsort()].tolist()]


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text that are not blank, with their numbers."""
    try:
        text = plain_bytes(path, LARGEST_TEXT).decode("utf-8-sig", errors="replace")
    except ValueError as error:
        raise UserError(f"{path} is too large to be a palette, or no plain file.") from error
    return [(n, line.strip()) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _hex_line(path: Path, number: int, line: str) -> Rgb:
    match = re.fullmatch(r"#?([0-9a-fA-F]{6})", line)
    if not match:
        raise UserError(f"{path}, line {number}: {line[:40]!r} is no colour; a line has the form 1d2b53.")
    return _parse_hex(match[1])


def _read_gpl(path: Path) -> tuple[str, list[Rgb]]:
    name, colours = path.stem, []
    lines = _lines(path)
    if not lines or lines[0][1] != GIMP_HEADER:
        raise UserError(f"{path}, line 1: a .gpl file begins with '{GIMP_HEADER}'; this one does not.")
    for number, line in lines[1:]:
        key, colon, value = line.partition(":")
        if line.startswith("#") or (colon and key in ("Columns", "Channels")):
            continue
        if colon and key == "Name":
            name = value.strip() or name
            continue
        match = re.match(r"([0-9]{1,3})\s+([0-9]{1,3})\s+([0-9]{1,3})(?=\s|$)", line)
        if not match or max(map(int, match.groups())) > 255:
            raise UserError(
                f"{path}, line {number}: {line[:40]!r} is no colour; a line has the form 29 43 83 name, "
                "with numbers from 0 to 255."
            )
        colours.append((int(match[1]), int(match[2]), int(match[3])))
    return name, colours
