"""One picture file: what was written is what is read, in every mode."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fogcatcher.data.pictures.picture_files import MAX_PIXELS, Unreadable, decode, has_picture_content, moves
from tests.pictures import picture


def written(image: Image.Image, form: str = "PNG", **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def read(image: Image.Image, form: str = "PNG", **how: object) -> np.ndarray:
    return decode(written(image, form, **how))[0][1]


def two_tone() -> np.ndarray:
    """A sprite that every mode can hold exactly: black and white, opaque."""
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[..., :3] = np.where(picture(3)[..., 3:] > 0, 255, 0)
    rgba[..., 3] = 255
    return rgba


def in_nine_modes(rgba: np.ndarray) -> dict[str, bytes]:
    image = Image.fromarray(rgba, "RGBA")
    grey = np.asarray(image.convert("L"))
    flat = image.convert("RGB").quantize(4, dither=Image.Dither.NONE)
    return {
        "L": written(image.convert("L")),
        "LA": written(image.convert("LA")),
        "1": written(image.convert("1")),
        "P": written(flat),
        "P with transparency": written(flat, transparency=b"\xff" * 4),
        "RGB": written(image.convert("RGB")),
        "RGBA": written(image),
        "16-bit": written(Image.fromarray(grey.astype(np.uint16) * 257)),
        "CMYK": written(image.convert("RGB").convert("CMYK"), "TIFF"),
        "float": written(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"),
    }


@pytest.mark.parametrize("mode", in_nine_modes(two_tone()))
def test_one_sprite_in_every_mode_is_one_sprite(mode: str):
    np.testing.assert_array_equal(decode(in_nine_modes(two_tone())[mode])[0][1], two_tone())


LOSSLESS = [
    ("PNG", {}),
    ("PNG", {"optimize": True, "compress_level": 9}),
    ("WEBP", {"lossless": True, "exact": True}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TGA", {}),
]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    how=st.sampled_from(LOSSLESS),
)
def test_colour_with_alpha_is_read_as_written(seed, size, how):
    rgba = picture(seed, size)
    np.testing.assert_array_equal(read(Image.fromarray(rgba, "RGBA"), how[0], **how[1]), rgba)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    mode=st.sampled_from(["1", "L", "LA", "RGB", "P"]),
    form=st.sampled_from(["PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM"]),
)
def test_modes_sizes_and_formats(seed, size, mode, form):
    """Whatever a mode can hold comes back as that, for every format that can hold the mode exactly."""
    values = np.random.default_rng(seed).integers(0, 256, (*size, 4), dtype=np.uint8)
    fits = {
        "TIFF": "1 L LA RGB P",
        "PNG": "1 L LA RGB P",
        "WEBP": "L RGB",
        "BMP": "1 L RGB P",
        "GIF": "1 L P",
    }
    if mode not in fits.get(form, "1 L RGB").split():
        return
    image = Image.fromarray(values, "RGBA").convert("RGB").convert(mode)
    if mode == "LA":
        image.putalpha(Image.fromarray(values[..., 3]))
    expected = np.array(image.convert("RGBA"))
    expected[expected[..., 3] == 0] = 0
    how = {"lossless": True, "exact": True} if form == "WEBP" else {}
    np.testing.assert_array_equal(read(image, form, **how), expected)


def test_colour_under_alpha_0_is_zeroed():
    rgba = np.full((8, 8, 4), 255, np.uint8)
    rgba[2:6, 2:6] = (255, 0, 255, 0)
    assert not read(Image.fromarray(rgba, "RGBA"))[2:6, 2:6].any()


def test_palettes_with_transparency_keep_both():
    indexed = Image.new("P", (8, 8), 0)
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.putpixel((3, 4), 1)
    rgba = read(indexed, transparency=0)
    assert rgba[4, 3].tolist() == [200, 100, 50, 255] and not rgba[0, 0].any()


def test_wide_numbers_are_scaled_not_clipped():
    values = np.array([[0, 257 * 10, 257 * 128, 65535]], dtype=np.uint16)
    assert read(Image.fromarray(values))[0, :, 0].tolist() == [0, 10, 128, 255]
    assert read(Image.fromarray(values.astype(np.int32)), "TIFF")[0, :, 0].tolist() == [0, 10, 128, 255]
    shares = np.array([[0, 0.2, 0.5, 1]], dtype=np.float32)
    assert read(Image.fromarray(shares), "TIFF")[0, :, 0].tolist() == [0, 51, 128, 255]
    with pytest.raises(Unreadable, match=r"numbers from -1 to 1"):
        read(Image.fromarray(shares * 2 - 1), "TIFF")


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to see it upright
    sideways = picture(0, (2, 4), alpha=False)
    upright = np.rot90(sideways, -1)
    np.testing.assert_array_equal(read(Image.fromarray(sideways, "RGBA"), exif=exif), upright)


def test_the_first_frame_or_all_of_them():
    frames = [Image.new("RGB", (6, 5), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    content = written(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert [rgba[0, 0].tolist() for _, rgba in decode(content)] == [[250, 0, 0, 255]]
    every = [rgba[0, 0, :3].tolist() for _, rgba in decode(content, every_frame=True)]
    assert every == [[250, 0, 0], [0, 250, 0], [0, 0, 250]]


@pytest.mark.parametrize("form", ["ICNS", "PCX", "DDS", "JPEG2000"])
def test_formats_of_icons_and_of_games(form: str):
    rgba = picture(4, (16, 16), alpha=form != "PCX")
    content = written(Image.fromarray(rgba).convert("RGB" if form == "PCX" else "RGBA"), form)
    decoded = decode(content)[0][1]
    if form == "ICNS":  # holds large ones too, which Pillow made
        assert decoded.shape == (1024, 1024, 4)
    else:
        np.testing.assert_array_equal(decoded, rgba)
    assert has_picture_content(content[:16]) or form == "PCX"


def test_a_cursor_is_an_icon_with_a_point():
    icon = bytearray(
        written(Image.fromarray(picture(1, (16, 16))), "ICO", sizes=[(16, 16)], bitmap_format="bmp")
    )
    icon[2] = 2
    np.testing.assert_array_equal(decode(bytes(icon))[0][1][..., 3], picture(1, (16, 16))[..., 3])


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_what_moves_is_said_and_an_empty_first_frame_is_passed_over(form: str):
    clear, red, blue = (Image.new("RGBA", (6, 5), colour) for colour in ("#0000", "#f00", "#00f"))
    options = {"save_all": True, "duration": 50, **({"disposal": 2} if form == "GIF" else {})}

    def moving(*frames: Image.Image) -> bytes:
        return written(frames[0], form, append_images=list(frames[1:]), **options)

    assert moves(moving(red, blue, red)) == "3 frames" and decode(moving(red, blue))[0][1][0, 0, 0] > 250
    assert moves(moving(clear, blue)) == "2 frames, the first of them empty"
    np.testing.assert_allclose(decode(moving(clear, blue))[0][1][0, 0].astype(int), [0, 0, 255, 255], atol=1)
    assert moves(moving(red)) == "" and moves(written(red, form)) == ""
    assert not decode(moving(clear))[0][1].any()


def test_a_bomb_is_refused_before_it_is_decoded():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 9000, 9000, 8, 6, 0, 0, 0)
    assert MAX_PIXELS < 9000 * 9000
    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(Unreadable, match="too large"):
        decode(content)
