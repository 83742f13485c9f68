"""Fitting: art comes back pixel for pixel, photographs are not taken for art, and nothing else is changed."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from fogcatcher.data.pictures.fitting import Fitting
from fogcatcher.data.pictures.pixel_art import Art, examine, restore
from fogcatcher.data.sprites import draw_many

SPRITES = [sprite.pixels for sprite in draw_many(200, seed=7)]
OWN_GRID = Art(True, 1, (0, 0))


def enlarged(art: np.ndarray, k: int) -> np.ndarray:
    return art.repeat(k, 0).repeat(k, 1)


def on_colour(sprite: np.ndarray, colour: tuple[int, int, int] = (60, 120, 200)) -> np.ndarray:
    return np.where(sprite[..., 3:] == 0, np.array([*colour, 255], np.uint8), sprite)


def opaque(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) of any type as (H, W, 4) uint8."""
    full = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    full[..., :3] = np.rint(rgb).clip(0, 255)
    return full


def as_jpeg(rgba: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(rgba).convert("RGB").save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream).convert("RGBA"))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return opaque(np.random.default_rng(seed).integers(0, 256, (height, width, 3)))


def photograph(seed: int, height: int = 64, width: int = 48) -> np.ndarray:
    """A smooth random field with the noise of a sensor."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (6, 5, 3)).astype(np.uint8)
    field = np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    return opaque(field + rng.normal(0, 3, field.shape))


def gradient(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :56] / 56
    return opaque(rng.uniform(0, 128, 3) + rng.uniform(20, 127, 3) * (x * rng.random() + y)[..., None])


def blurred_shapes(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (64, 64), "white")
    for x, y, size in rng.integers(5, 40, (6, 3)).tolist():
        colour = tuple(rng.integers(0, 256, 3).tolist())
        ImageDraw.Draw(image).ellipse((x, y, x + size, y + size), fill=colour)
    return np.array(image.filter(ImageFilter.GaussianBlur(2)).convert("RGBA"))


# --- what a picture is made of ------------------------------------------------------------------


def test_sprites_are_pixel_art_at_their_own_grid():
    for sprite in SPRITES:
        assert examine(sprite) == OWN_GRID
        assert examine(on_colour(sprite)) == OWN_GRID


@pytest.mark.parametrize("make", [photograph, gradient, blurred_shapes])
@pytest.mark.parametrize("quality", [None, 90, 50, 20])
def test_photographs_are_neither_pixel_art_nor_enlarged(make, quality):
    for seed in range(20):
        picture = make(seed) if quality is None else as_jpeg(make(seed), quality)
        assert examine(picture) == Art(False, 1, (0, 0)), seed


def test_a_sharp_noisy_texture_is_no_pixel_art():
    levels = np.random.default_rng(0).integers(0, 6, (40, 40, 1)) * 45.0
    assert not examine(
        opaque(np.ones(3) * levels + np.random.default_rng(1).normal(0, 3, (40, 40, 1)))
    ).is_pixel_art


@pytest.mark.parametrize("size", [36, 160])
def test_the_blocks_of_jpeg_are_no_enlargement(size):
    for seed in range(20):
        for quality in (20, 10):
            assert examine(as_jpeg(photograph(seed, size, size), quality)).enlarged == 1


def test_a_few_blocks_on_a_soft_ground_are_no_lattice():
    ground = np.broadcast_to(np.arange(160)[:, None, None] / 4 + 150, (160, 160, 3)).copy()
    for y, x in ((1, 4), (4, 9), (8, 2), (12, 15), (17, 12)):
        ground[8 * y : 8 * y + 8, 8 * x : 8 * x + 8] = 20
    assert examine(opaque(ground)).enlarged == 1


def test_an_empty_background_makes_no_pixel_art_of_a_photograph():
    garment = np.zeros((28, 28, 3))
    garment[6:22, 8:20] = photograph(1, 16, 12)[..., :3]
    assert not examine(opaque(garment)).is_pixel_art


def test_little_evidence_is_no_enlargement():
    flat = np.full((64, 64, 4), 255, np.uint8)
    edge, rectangle = flat.copy(), flat.copy()
    edge[:, 32:] = rectangle[16:48, 16:48] = (200, 0, 0, 255)
    for picture in (flat, edge, rectangle, flat[:1, :1], edge[:1], edge[:, :1], np.zeros_like(flat)):
        assert examine(picture) == OWN_GRID


def plaid(rows: int, columns: int, high: int, wide: int) -> np.ndarray:
    """So many lines of change, every ``high`` rows and ``wide`` columns."""
    down, across = np.arange((rows + 1) * high) // high, np.arange((columns + 1) * wide) // wide
    return opaque(np.add.outer(down, across)[..., None] * np.full(3, 15.0))


@pytest.mark.parametrize(
    ("k", "rows", "columns", "found"),
    [(2, 5, 6, 1), (2, 6, 6, 2), (4, 3, 3, 1), (4, 3, 4, 4), (32, 2, 2, 1), (32, 2, 8, 1), (32, 3, 3, 32)],
)
def test_the_evidence_is_ten_bits_and_three_lines(k, rows, columns, found):
    assert examine(plaid(rows, columns, k, k)).enlarged == found


def test_rows_and_columns_have_one_factor():
    assert examine(plaid(8, 8, 6, 4)).enlarged == 2
    assert examine(plaid(8, 8, 3, 4)).enlarged == 1


# --- back to the own grid -----------------------------------------------------------------------


@pytest.mark.parametrize("k", [*range(2, 17), 32])
def test_every_factor_comes_back_exactly(k):
    for sprite in SPRITES if k <= 16 else SPRITES[:10]:
        picture = enlarged(sprite, k)
        art = examine(picture)
        assert art == Art(True, k, (0, 0))
        np.testing.assert_array_equal(restore(picture, art), sprite)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 199), st.integers(0, 199), st.integers(2, 16), st.data())
def test_art_with_a_cropped_border_comes_back_exactly(first, second, k, data):
    art = np.concatenate([SPRITES[first], SPRITES[second]], axis=1)  # 16 x 32
    top, bottom, left, right = (data.draw(st.integers(0, k - 1)) for _ in range(4))
    picture = enlarged(art, k)[top : 16 * k - bottom, left : 32 * k - right]
    found = examine(picture)
    assert found == Art(True, k, (-top % k, -left % k))
    whole = art[top > 0 : 16 - (bottom > 0), left > 0 : 32 - (right > 0)]
    np.testing.assert_array_equal(restore(picture, found), whole)


def test_the_largest_lattice_is_found_and_one_pixel_off_it_counts():
    assert examine(enlarged(enlarged(SPRITES[0], 2), 3)).enlarged == 6
    twice = enlarged(SPRITES[0], 2)
    twice[9, 9] = 255 - twice[9, 9]
    assert examine(twice).enlarged == 1  # too small for worn blocks, and not exact


@pytest.mark.parametrize("k", [4, 5, 6, 8, 11, 16])
def test_jpeg_art_comes_back_nearly(k):
    errors = []
    for sprite in SPRITES[:40]:
        picture = as_jpeg(enlarged(on_colour(sprite), k), 90)
        art = examine(picture)
        assert art == Art(True, k, (0, 0))
        errors.append(np.abs(restore(picture, art).astype(int) - on_colour(sprite)))
    assert np.mean(errors) < 4 and np.quantile(errors, 0.99) < 20


def test_cropped_jpeg_art_is_found():
    for sprite in SPRITES[:20]:
        picture = as_jpeg(enlarged(on_colour(sprite), 7)[3:, 5:-2], 90)
        assert examine(picture) == Art(True, 7, (4, 2))


def test_soft_edges_and_stray_pixels_do_not_matter():
    sprite = on_colour(SPRITES[3])
    stained = enlarged(sprite, 8)
    stained[18:20, 42] = (0, 255, 0, 255)
    soft = Image.fromarray(enlarged(sprite, 8)).filter(ImageFilter.GaussianBlur(0.6))
    for picture in (stained, np.array(soft)):
        art = examine(picture)
        assert art == Art(True, 8, (0, 0))
        np.testing.assert_array_equal(restore(picture, art), sprite)


# --- fitting ------------------------------------------------------------------------------------


def test_a_picture_of_the_right_size_is_left_alone():
    twice = enlarged(SPRITES[0], 2)
    for mode in ("pad", "crop"):
        fitted, done = Fitting(32, 32, mode).fit(twice)
        assert fitted is twice and done == ()


@pytest.mark.parametrize("resample", ["auto", "nearest", "smooth"])
def test_enlarged_art_comes_back_whatever_the_resampling(resample):
    for k in (2, 3, 4, 8):
        fitted, done = Fitting(16, 16, resample=resample).fit(enlarged(SPRITES[k], k))
        np.testing.assert_array_equal(fitted, SPRITES[k])
        assert done == (f"restored {k}x",)


def test_restored_art_is_then_padded_or_shrunk():
    fitted, done = Fitting(20, 18).fit(enlarged(SPRITES[0], 5))
    np.testing.assert_array_equal(fitted[2:18, 1:17], SPRITES[0])
    assert done == ("restored 5x", "padded")
    fitted, done = Fitting(8, 8).fit(enlarged(SPRITES[0], 5))
    np.testing.assert_array_equal(fitted, SPRITES[0][::2, ::2])
    assert done == ("restored 5x", "shrunk")
    worn = as_jpeg(enlarged(on_colour(SPRITES[0]), 5), 90)
    own = restore(worn, examine(worn))
    np.testing.assert_array_equal(Fitting(8, 8).fit(worn)[0], own[::2, ::2])


def test_art_keeps_the_centre_of_every_block():
    for sprite in SPRITES[:5]:
        tiled = np.tile(on_colour(sprite), (3, 3, 1))
        np.testing.assert_array_equal(Fitting(16, 16).fit(tiled)[0], tiled[1::3, 1::3])
    ragged = noise(35, 33)  # 18 and 17 of every two, with nothing left over
    fitted, done = Fitting(18, 17, resample="nearest").fit(ragged)
    np.testing.assert_array_equal(fitted, ragged[::2, ::2])
    assert done == ("shrunk",)


def test_cropping_art_shrinks_while_it_still_covers():
    picture = noise(31, 50)
    fitted, done = Fitting(16, 16, "crop", "nearest").fit(picture)
    np.testing.assert_array_equal(fitted, picture[::2, ::2][:, 4:20])  # 25 columns: 4 go left, 5 right
    assert done == ("shrunk", "cropped")
    fitted, done = Fitting(16, 16, "crop", "nearest").fit(picture[:29])
    np.testing.assert_array_equal(fitted, picture[6:22, 17:33])
    assert done == ("cropped",)
    dot, _ = Fitting(1, 1, "crop", "nearest").fit(picture)
    assert (picture == dot).all(-1).any()


def test_where_a_crop_finds_too_little_it_pads():
    picture = noise(9, 30)
    picture[[0, 0, -1, -1], [0, -1, 0, -1]] = (1, 2, 3, 255)
    fitted, done = Fitting(16, 16, "crop").fit(picture)
    np.testing.assert_array_equal(fitted[3:12], picture[:, 7:23])
    assert (fitted[:3] == (1, 2, 3, 255)).all() and (fitted[12:] == (1, 2, 3, 255)).all()
    assert done == ("cropped", "padded")


@pytest.mark.parametrize(("mode", "shape"), [("pad", (10, 20)), ("crop", (20, 40))])
def test_photographs_keep_their_aspect_ratio(mode, shape):
    # A ramp along the long side, shrunk by whatever symmetric filter, is a ramp still: at the middle of
    # output column i of a scale s stands the value of input column s (i + 0.5) - 0.5.
    ramp = opaque(np.broadcast_to(np.arange(80)[None, :, None] * 3.0, (40, 80, 3)))
    fitted, done = Fitting(20, 20, mode).fit(ramp)
    scale = 80 / shape[1]
    columns = np.arange(20) + (shape[1] - 20) // 2
    row = fitted[10, 2:-2, 0]
    np.testing.assert_allclose(row, 3 * (scale * (columns + 0.5) - 0.5)[2:-2], atol=1)
    assert done == ("shrunk", "padded" if mode == "pad" else "cropped")
    assert len(np.unique(fitted[:5], axis=0)) == 1  # the bars, or all rows alike


def test_shrinking_keeps_hard_alpha_and_bleeds_no_hidden_colour():
    rgba = np.zeros((30, 30, 4), np.uint8)
    rgba[5:22, 5:22] = (200, 100, 0, 255)
    fitted, _ = Fitting(16, 16, resample="smooth").fit(rgba)
    assert set(np.unique(fitted[..., 3])) == {0, 255}
    assert not fitted[fitted[..., 3] == 0].any()
    inside = fitted[fitted[..., 3] == 255]
    assert np.abs(inside[:, :3].astype(int) - (200, 100, 0)).max() <= 1
    assert len(inside) == round(17 * 16 / 30) ** 2
    rgba[..., 3] //= 2  # now soft: half transparent all over stays so
    fitted, _ = Fitting(16, 16, resample="smooth").fit(rgba)
    assert fitted[7, 7].tolist() == [200, 100, 0, 127]


def test_smaller_pictures_are_padded_not_enlarged():
    small = noise(10, 7)
    small[[0, 0, -1, -1], [0, -1, 0, -1]] = (1, 2, 3, 255)
    fitted, done = Fitting(16, 16).fit(small)
    np.testing.assert_array_equal(fitted[3:13, 4:11], small)  # the odd column goes right
    assert (fitted[:3] == (1, 2, 3, 255)).all() and (fitted[:, 11:] == (1, 2, 3, 255)).all()
    assert done == ("padded",)


def test_bars_are_clear_or_of_the_borders_colour():
    clear = noise(10, 10)
    clear[4, 4] = 0
    assert not Fitting(16, 16).fit(clear)[0][:3].any()
    quarter = noise(10, 10)
    quarter[0, 1:] = (9, 8, 7, 255)  # 9 pixels of a border of 36
    assert (Fitting(16, 16).fit(quarter)[0][:3] == (9, 8, 7, 255)).all()
    three = np.full((9, 9, 4), 255, np.uint8)
    three[:, :, 0] = np.arange(81).reshape(9, 9)  # the median of the border is that of its pairs around 40
    assert (Fitting(16, 16).fit(three)[0][:3] == (40, 255, 255, 255)).all()


def test_trimming_cuts_the_empty_border_and_centres():
    things = noise(6, 4)
    for empty in (np.zeros(4, np.uint8), np.array([5, 6, 7, 255], np.uint8)):
        picture = np.broadcast_to(empty, (16, 16, 4)).copy()
        picture[1:7, 9:13] = things
        fitted, done = Fitting(16, 16, trim=True).fit(picture)
        np.testing.assert_array_equal(fitted[5:11, 6:10], things)
        fitted[5:11, 6:10] = empty
        assert (fitted == empty).all() and done == ("trimmed", "padded")
        assert Fitting(6, 4, trim=True).fit(picture)[1] == ("trimmed",)


def test_trimming_leaves_what_has_no_empty_border():
    unlike = np.full((16, 16, 4), 255, np.uint8)
    unlike[0, 0] = (0, 0, 0, 255)
    for picture in (unlike, np.zeros_like(unlike), np.full_like(unlike, 255), noise(16, 16)):
        fitted, done = Fitting(16, 16, trim=True).fit(picture)
        assert fitted is picture and done == ()


def test_a_fitted_picture_does_not_hold_on_to_the_large_one():
    large = noise(64, 64)
    for fitting in (Fitting(16, 16, resample="nearest"), Fitting(50, 64, "crop"), Fitting(32, 32)):
        assert not np.shares_memory(fitting.fit(large)[0], large)


@settings(max_examples=100, deadline=None)
@given(
    picture=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9)),
    size=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    mode=st.sampled_from(["pad", "crop"]),
    resample=st.sampled_from(["auto", "nearest", "smooth"]),
    trim=st.booleans(),
)
def test_any_picture_fits_and_small_ones_are_all_there(picture, size, mode, resample, trim):
    height, width, seed = picture
    rgba = noise(height, width, seed)
    rgba[..., 3] = np.random.default_rng(seed).integers(0, 2, (height, width)) * 255
    rgba[rgba[..., 3] == 0] = 0
    fitted, done = Fitting(size[0], size[1], mode, resample, trim).fit(rgba)
    assert fitted.shape == (*size, 4) and fitted.dtype == np.uint8
    assert set(np.unique(fitted[..., 3])) <= {0, 255} and not fitted[fitted[..., 3] == 0].any()
    assert list(done) == [word for word in ("trimmed", "shrunk", "cropped", "padded") if word in done]
    if height <= size[0] and width <= size[1]:
        assert set(done) <= {"trimmed", "padded"}
        if not trim:
            top, left = (size[0] - height) // 2, (size[1] - width) // 2
            np.testing.assert_array_equal(fitted[top : top + height, left : left + width], rgba)
