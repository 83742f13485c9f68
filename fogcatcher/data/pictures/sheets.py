"""Pictures for looking at and keeping: PNG with its recipe inside, sheets, animations."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from fogcatcher.base.disk import write_atomically
from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import printable
from fogcatcher.base.read_json import parsed, plain_bytes
from fogcatcher.data.pictures.picture_files import MAX_BYTES
from fogcatcher.data.pictures.store import Pictures

PAPER = (43, 45, 56, 255)
INK = (214, 216, 226, 255)
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
RECIPE_KEY = "fogcatcher"
PARAMETERS_KEY = "parameters"
HEAD = 20
"""Height of the names of columns."""
PREVIEW_COLUMNS = 10
"""Pictures in each row of the preview of a run."""
DRAWN_BY = b"drawn by fogcatcher"
"""The comment in every GIF."""
SHEET_NAME = "sheet.png"
LONGEST_LABEL = 60
"""Letters of the name of a row."""
CLEAR_INDEX = 255
"""The transparent entry of the palette of a GIF."""


def to_image(picture: Pictures) -> Image.Image:
    """Return one picture, (1, C, H, W), as a Pillow image of its own mode."""
    array = picture[0].permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array, MODES[array.shape[-1]])


def save_png(
    image: Image.Image, path: Path, about: Mapping[str, object] | None = None, parameters: str = ""
) -> None:
    """Write a PNG; ``about``, for a drawn picture its recipe, goes into a text chunk as JSON.

    ``parameters`` is the same for other programs (recipe_text.py), in a chunk of its own.
    """
    info = PngInfo()
    if parameters:
        info.add_text(PARAMETERS_KEY, parameters)
    if about is not None:
        info.add_text(RECIPE_KEY, json.dumps(about))
    write_atomically(path, lambda part: image.save(part, format="PNG", pnginfo=info))


def read_recipe(path: Path) -> dict[str, object] | None:
    """Return how a generated PNG was made, as it says itself and unchecked, or None if it does not say.

    Raises UserError where the file cannot be read, or what it says is no JSON.
    """
    try:
        with Image.open(io.BytesIO(plain_bytes(path, MAX_BYTES))) as image:
            text = image.info.get(RECIPE_KEY)
        recipe = parsed(text, finite=False) if isinstance(text, str) else None
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is damaged, or its recipe is ({type(error).__name__}).") from error
    return recipe if isinstance(recipe, dict) else None


def as_indexed(image: Image.Image, colours: Sequence[str] = ()) -> Image.Image:
    """Return the same pixels as numbers of a palette; a picture that has none comes back as it is.

    With alpha, entry 0 is transparent. Then come ``colours``, rrggbb, in their order, so that numbers mean
    the same in all pictures; where these are too many or lack one of the picture, its own colours, rising.
    A picture with half-transparent pixels, or with more colours than 256 entries hold, has no palette.
    """
    rgba = np.asarray(image.convert("RGBA"))
    has_alpha, clear = "A" in image.getbands(), rgba[..., 3] == 0
    if not (clear | (rgba[..., 3] == 255)).all():
        return image
    codes = (rgba[..., 0].astype(np.int32) << 16) | (rgba[..., 1].astype(np.int32) << 8) | rgba[..., 2]
    own, given = np.unique(codes[~clear]).tolist(), [int(colour, 16) for colour in colours]
    table = given if len(given) + has_alpha <= 256 and set(own) <= set(given) else own
    if len(table) + has_alpha > 256:
        return image
    number = np.zeros(2**24, np.uint8)
    number[table] = np.arange(has_alpha, len(table) + has_alpha)
    indexed = Image.fromarray(np.where(clear, 0, number[codes]).astype(np.uint8), "P")
    entries = [0] * has_alpha + table
    indexed.putpalette([part for code in entries for part in (code >> 16, code >> 8 & 255, code & 255)])
    if has_alpha:
        indexed.info["transparency"] = 0
    return indexed


def is_marked(path: Path, mark: str) -> bool:
    """Return whether a file is a PNG of this program that says ``mark`` of itself, so may be written over."""
    try:
        return mark in (read_recipe(path) or {})
    except Exception:  # a picture of somebody else, or none at all
        return False


def sheet(
    pictures: Pictures,
    columns: int,
    zoom: int | None = None,
    rows: Sequence[str] = (),
    heads: Sequence[str] = (),
) -> Image.Image:
    """Return all pictures, (N, C, H, W), in a grid, row by row, each pixel ``zoom`` pixels wide.

    ``rows`` names the rows, ``heads`` the columns; neighbours of one name share it. ``zoom`` None shows every
    picture about 64 pixels wide.
    """
    height, width = pictures.shape[-2:]
    zoom = zoom or max(1, round(64 / max(height, width)))
    cell_h, cell_w, gap = height * zoom, width * zoom, max(2, zoom)
    font = ImageFont.load_default(size=14)
    rows = [printable(name, LONGEST_LABEL) for name in rows]
    margin = max((int(font.getlength(name)) + 2 * gap for name in rows), default=0)
    lines = -(-len(pictures) // columns)
    top = HEAD if any(heads) else 0
    size = (margin + columns * (cell_w + gap) + gap, top + lines * (cell_h + gap) + gap)
    canvas = Image.new("RGBA", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    for first, last, name in _runs(heads):
        left, right = (margin + gap + column * (cell_w + gap) for column in (first, last + 1))
        shown = _cut_to(name, font, right - left - gap)
        draw.text(((left + right - gap) // 2, gap + top // 2), shown, fill=INK, font=font, anchor="mm")
    for line, name in enumerate(rows):
        middle = top + gap + line * (cell_h + gap) + cell_h // 2
        draw.text((margin - gap, middle), name, fill=INK, font=font, anchor="rm")
    for i in range(len(pictures)):
        line, column = divmod(i, columns)
        corner = (margin + gap + column * (cell_w + gap), top + gap + line * (cell_h + gap))
        image = to_image(pictures[i : i + 1]).convert("RGBA")
        canvas.alpha_composite(image.resize((cell_w, cell_h), Image.Resampling.NEAREST), corner)
    return canvas.convert("RGB")


def _runs(names: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """The first and the last place of each name that is said, neighbours of one name together."""
    first = 0
    for name, run in itertools.groupby(names):
        last = first + len(list(run)) - 1
        if name:
            yield first, last, name
        first = last + 1


def _cut_to(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of a name as fits."""
    while len(name) > 1 and font.getlength(name) > width:
        name = name.removesuffix("\u2026")[:-1] + "\u2026"
    return name


def preview_names(due: Sequence[int]) -> list[str]:
    """Return what stands beside the rows of a preview, one per step of ``due``."""
    return [f"step {step:,}" for step in due]


def save_gif(frames: Sequence[Image.Image], path: Path, seconds: float = 3.0) -> None:
    """Write an endless animation of equally large frames; the last one stays a while."""
    colours = frames[-1].quantize(256)
    first, *rest = [frame.quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    durations = _durations(len(frames), seconds)
    _save_gif(path, first, append_images=rest, duration=durations)


def save_sprite_gif(frames: Sequence[Image.Image], path: Path, seconds: float = 3.0) -> None:
    """The same for frames with transparency, each in 255 colours of its own; what is half there is there."""
    first, *rest = [_indexed(frame.convert("RGBA")) for frame in frames]
    durations = _durations(len(frames), seconds)
    _save_gif(
        path,
        first,
        append_images=rest,
        duration=durations,
        transparency=CLEAR_INDEX,
        disposal=2,  # the frame before is wiped away, or its pixels would shine through
        optimize=False,
    )


def _save_gif(path: Path, first: Image.Image, **how: object) -> None:
    how = {"save_all": True, "loop": 0, "comment": DRAWN_BY, **how}
    write_atomically(path, lambda part: first.save(part, format="GIF", **how))


def _indexed(image: Image.Image) -> Image.Image:
    """The picture with a palette in which 255 is transparent."""
    clear = np.asarray(image)[..., 3] < 128
    indexed = image.convert("RGB").quantize(CLEAR_INDEX, dither=Image.Dither.NONE)
    numbers = np.where(clear, CLEAR_INDEX, np.asarray(indexed)).astype(np.uint8)
    colours = (indexed.getpalette() or []) + [0] * 768
    result = Image.fromarray(numbers, "P")
    result.putpalette(colours[:768])
    return result


def _durations(count: int, seconds: float) -> list[int]:
    durations = np.full(count, round(1000 * seconds / count))
    durations[-1] = 1500
    return durations.tolist()
