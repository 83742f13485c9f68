"""Backdrops: found behind sprites whatever their colour, cut out to the pixel; a texture or a sky is none."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.backdrop import backdrop, cut_out
from fogcatcher.data.reading import read_dataset
from fogcatcher.data.sprites import draw_many
from tests.pictures import save

SPRITES = [np.pad(sprite.pixels, ((1, 1), (1, 1), (0, 0))) for sprite in draw_many(100, seed=5)]
COLOURS = [(1, 2, 3), (255, 255, 255), (255, 0, 255), (66, 130, 190), (30, 91, 33)]


def before(sprite: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The sprite before a colour that it has not itself, nor nearly."""
    return np.where(sprite[..., 3:] == 255, sprite, np.array([*colour, 255], np.uint8))


def far_from(sprite: np.ndarray, colour: tuple[int, int, int], levels: int) -> bool:
    return (np.abs(sprite[sprite[..., 3] == 255][:, :3].astype(int) - colour).max(1) > levels).all()


def reached_from_border(clear: np.ndarray) -> np.ndarray:
    """By a queue, pixel by pixel."""
    height, width = clear.shape
    queue = [
        (y, x) for y in range(height) for x in range(width) if y in (0, height - 1) or x in (0, width - 1)
    ]
    seen = np.zeros_like(clear)
    while queue:
        y, x = queue.pop()
        if 0 <= y < height and 0 <= x < width and clear[y, x] and not seen[y, x]:
            seen[y, x] = True
            queue += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return seen


def noisy(rgba: np.ndarray, levels: int, seed: int) -> np.ndarray:
    """Every fifth pixel is off by up to so many levels."""
    rng = np.random.default_rng(seed)
    off = rng.integers(-levels, levels + 1, (*rgba.shape[:2], 3)) * (rng.random((*rgba.shape[:2], 1)) < 0.2)
    changed = rgba.copy()
    changed[..., :3] = (rgba[..., :3] + off).clip(0, 255)
    return changed


@pytest.mark.parametrize("levels", [0, 20])
def test_what_reaches_the_border_goes_and_all_else_stays_to_the_byte(levels: int):
    cut = 0
    for i, sprite in enumerate(SPRITES):
        colour = COLOURS[i % len(COLOURS)]
        if not far_from(sprite, colour, 24 + levels):
            continue
        picture = noisy(before(sprite, colour), levels, i)
        outside = reached_from_border(sprite[..., 3] == 0)
        found = backdrop(picture, 24)
        assert found is not None and np.abs(found.astype(int) - colour).max() <= levels / 4
        np.testing.assert_array_equal(cut_out(picture, 24), np.where(outside[..., None], 0, picture))
        cut += 1
    assert cut > 40


def test_holes_and_outlines_that_touch_at_corners_hold():
    ring = np.full((9, 9, 4), (250, 250, 250, 255), np.uint8)
    for k in range(4):  # a diamond of single pixels that touch only at their corners
        for y, x in ((1 + k, 4 + k), (4 + k, 7 - k), (7 - k, 4 - k), (4 - k, 1 + k)):
            ring[y, x] = (0, 0, 0, 255)
    clear = cut_out(ring, 24)[..., 3] == 0
    assert not clear[4, 4] and clear[0, 0] and clear[1, 3] and clear.sum() == 81 - 25


@pytest.mark.parametrize("quality", [95, 75])
def test_enlarged_art_saved_as_jpeg_has_its_backdrop(quality: int):
    found = 0
    for i, sprite in enumerate(SPRITES[:40]):
        stream, colour = io.BytesIO(), COLOURS[i % len(COLOURS)]
        large = before(sprite, colour).repeat(4, 0).repeat(4, 1)
        Image.fromarray(large).convert("RGB").save(stream, "JPEG", quality=quality)
        colour_found = backdrop(np.array(Image.open(stream).convert("RGBA")), 24)
        found += colour_found is not None and np.abs(colour_found.astype(int) - colour).max() <= 8
    assert found >= 36


def scene(draw) -> np.ndarray:
    image = Image.new("RGBA", (32, 32), (90, 160, 230, 255))
    draw(ImageDraw.Draw(image))
    return np.array(image)


def texture(seed: int) -> np.ndarray:
    """A floor: each pixel one of five near greens."""
    shades = np.array([[20 + 5 * k, 60 + 6 * k, 25, 255] for k in range(5)], np.uint8)
    return shades[np.random.default_rng(seed).integers(0, 5, (32, 32))]


def test_textures_frames_skies_and_pictures_of_one_colour_have_none():
    for seed in range(20):
        assert backdrop(texture(seed), 24) is None
    for ground in (6, 12, 20):
        assert backdrop(scene(lambda d, g=ground: d.rectangle((0, 32 - g, 31, 31), fill="brown")), 24) is None
    assert backdrop(scene(lambda d: d.rectangle((1, 1, 30, 30), fill="brown")), 24) is None  # a frame
    assert backdrop(scene(lambda d: None), 24) is None
    for sprite in SPRITES:
        assert backdrop(sprite, 24) is None and cut_out(sprite, 24) is sprite
    for shape in ((1, 1), (1, 9), (2, 2), (3, 1)):
        assert backdrop(np.zeros((*shape, 4), np.uint8) + np.uint8(255), 24) is None


def test_a_thing_may_stand_on_the_border():
    standing = scene(lambda d: d.rectangle((0, 20, 31, 31), fill="brown"))
    assert backdrop(standing, 24) is None  # as wide as the picture it is ground
    assert backdrop(scene(lambda d: d.rectangle((12, 4, 31, 31), fill="brown")), 24) is not None
    assert backdrop(scene(lambda d: d.line((0, 31, 31, 0), fill="brown", width=3)), 24) is not None


def test_a_set_says_how_many_have_a_backdrop_and_cuts_them_out(tmp_path):
    for i, sprite in enumerate(SPRITES[:50]):
        picture = sprite if i % 5 == 0 else before(sprite, COLOURS[i % len(COLOURS)])
        save(tmp_path / f"{i:02}.png", picture)
    (said,) = (note for note in read_dataset(tmp_path).notes if note.startswith("backdrop"))
    assert said == (
        "backdrop: 80% of the pictures stand before a plain colour (4 different ones); cut_out=True makes it "
        "transparent"
    )
    dataset = read_dataset(tmp_path, DataOptions(cut_out=True))
    assert dataset.fitted["cut out"] == 40 and not [n for n in dataset.notes if n.startswith("backdrop")]
    alpha = dataset.rows[:][:, 3].numpy()
    outside = np.stack([reached_from_border(sprite[..., 3] == 0) for sprite in SPRITES[:50]])
    assert (alpha[outside] == 0).mean() > 0.97  # but for sprites that have the colour themselves
    painted = read_dataset(tmp_path, DataOptions(cut_out=True, alpha="composite:#102030"))
    corners = painted.rows[:][:, :, 0, 0].numpy()
    assert (corners == (0x10, 0x20, 0x30)).all()  # all now stand before one colour


def test_trimming_sees_what_is_left_after_cutting_out(tmp_path):
    for i in range(8):
        picture = np.full((40, 40, 4), (*COLOURS[i % 5], 255), np.uint8)
        picture[10:20, 5:25] = (200, 100 + i, 0, 255)
        picture[12:15, 10:13] = (20, 200, 90, 255)
        save(tmp_path / f"{i}.png", picture)
    assert read_dataset(tmp_path, DataOptions(cut_out=True, trim=True)).rows.shape[2:] == (10, 20)


def test_nothing_to_cut_out_is_said_and_a_tolerance_has_its_range(tmp_path):
    for i, sprite in enumerate(SPRITES[:8]):
        save(tmp_path / f"{i}.png", sprite)
    notes = read_dataset(tmp_path, DataOptions(cut_out=True)).notes
    assert any("no plain backdrop was found" in note for note in notes)
    assert not any("backdrop" in note for note in read_dataset(tmp_path).notes)
    for levels in (-1, 256):
        with pytest.raises(UserError, match="cut_out_tolerance must be a whole number from 0 to 255"):
            DataOptions(cut_out_tolerance=levels)
