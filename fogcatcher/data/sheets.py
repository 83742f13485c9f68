"""Pictures for looking at and keeping: PNG with its recipe inside, sheets, animations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from fogcatcher.data.spec import Pictures

PAPER = (43, 45, 56, 255)
INK = (214, 216, 226, 255)
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
RECIPE_KEY = "fogcatcher"


def to_image(picture: Pictures) -> Image.Image:
    """Return one picture, (1, C, H, W), as a Pillow image of its own mode."""
    array = picture[0].permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array, MODES[array.shape[-1]])


def save_png(image: Image.Image, path: Path, recipe: Mapping[str, object] | None = None) -> None:
    """Write a PNG; ``recipe`` (how the picture was made) goes into a text chunk as JSON."""
    info = PngInfo()
    if recipe is not None:
        info.add_text(RECIPE_KEY, json.dumps(recipe))
    image.save(path, format="PNG", pnginfo=info)


def read_recipe(path: Path) -> dict[str, object] | None:
    """Return how a generated PNG was made, or None if it does not say."""
    with Image.open(path) as image:
        text = image.info.get(RECIPE_KEY)
    return json.loads(text) if isinstance(text, str) else None


def sheet(pictures: Pictures, columns: int, zoom: int | None = None, rows: Sequence[str] = ()) -> Image.Image:
    """Return all pictures, (N, C, H, W), in a grid, row by row, each pixel ``zoom`` pixels wide.

    ``rows`` names the rows. ``zoom`` None shows every picture about 64 pixels wide.
    """
    height, width = pictures.shape[-2:]
    zoom = zoom or max(1, round(64 / max(height, width)))
    cell_h, cell_w, gap = height * zoom, width * zoom, max(2, zoom)
    font = ImageFont.load_default(size=14)
    margin = max((int(font.getlength(name)) + 2 * gap for name in rows), default=0)
    lines = -(-len(pictures) // columns)
    canvas = Image.new("RGBA", (margin + columns * (cell_w + gap) + gap, lines * (cell_h + gap) + gap), PAPER)
    draw = ImageDraw.Draw(canvas)
    for line, name in enumerate(rows):
        middle = gap + line * (cell_h + gap) + cell_h // 2
        draw.text((margin - gap, middle), name, fill=INK, font=font, anchor="rm")
    for i in range(len(pictures)):
        line, column = divmod(i, columns)
        corner = (margin + gap + column * (cell_w + gap), gap + line * (cell_h + gap))
        image = to_image(pictures[i : i + 1]).convert("RGBA")
        canvas.alpha_composite(image.resize((cell_w, cell_h), Image.Resampling.NEAREST), corner)
    return canvas.convert("RGB")


def save_gif(frames: Sequence[Image.Image], path: Path, seconds: float = 3.0) -> None:
    """Write an endless animation of equally large frames; the last one stays a while."""
    colours = frames[-1].quantize(256)
    durations = np.full(len(frames), round(1000 * seconds / len(frames)))
    durations[-1] = 1500
    first, *rest = [frame.quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=durations.tolist(), loop=0)
