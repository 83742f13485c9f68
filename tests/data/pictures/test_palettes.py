"""Palettes: files come back, clusters are found exactly, and snapped pictures use nothing else."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.palettes import (
    GAMEBOY,
    PICO8,
    Palette,
    apply_palette,
    as_rgba,
    choose_palette,
    colour_shares,
    colours_per_picture,
    count_colours,
    extract_palette,
    off_palette_share,
    read_palette,
    snap_pictures,
    write_palette,
)
from fogcatcher.data.pictures.picture_files import read_picture
from fogcatcher.data.sprites import draw_many

RGB = st.tuples(*[st.integers(0, 255)] * 3)
COLOURS = st.lists(RGB, min_size=1, max_size=20, unique=True).map(tuple)


def noise(seed: int, *shape: int) -> np.ndarray:
    """Every degree of alpha, a third of it 0; nothing hidden under alpha 0."""
    rng = np.random.default_rng(seed)
    rgba = rng.integers(0, 256, (*shape, 4), dtype=np.uint8)
    rgba[..., 3] *= rng.integers(0, 3, shape, dtype=np.uint8) > 0
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def row(*colours: tuple[int, int, int]) -> np.ndarray:
    """An opaque picture, one pixel high."""
    return np.array([[(*colour, 255) for colour in colours]], np.uint8)


def grey(value: int) -> tuple[int, int, int]:
    return value, value, value


def visible_colours(rgba: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel[:3]) for pixel in rgba.reshape(-1, 4).tolist() if pixel[3]}


# --- snapping -----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(colours=COLOURS, seed=st.integers(0, 999))
def test_snapped_pictures_use_the_palette_alone(colours, seed):
    palette, rgba = Palette("p", colours), noise(seed, 6, 5)
    snapped = apply_palette(rgba, palette)
    assert visible_colours(snapped) <= set(palette.colours)
    np.testing.assert_array_equal(snapped[..., 3], rgba[..., 3])
    assert not snapped[rgba[..., 3] == 0].any()
    np.testing.assert_array_equal(apply_palette(snapped, palette), snapped)
    assert off_palette_share([snapped], palette) == 0


@settings(max_examples=40, deadline=None)
@given(inside=COLOURS, colours=st.lists(RGB, min_size=1, max_size=9))
def test_the_nearest_colour_is_nearest_in_oklab(inside, colours):
    """Against the definition, pair by pair: no other colour of the palette is nearer."""

    def lab(c):
        return oklab_from_srgb(torch.tensor(c, dtype=torch.float64) / 255)

    snapped = apply_palette(row(*colours), Palette("p", inside))
    for colour, pixel in zip(colours, snapped[0, :, :3].tolist(), strict=True):
        nearest = min((lab(colour) - lab(c)).norm().item() for c in inside)
        assert (lab(colour) - lab(pixel)).norm().item() == pytest.approx(nearest, abs=1e-7)


def test_the_space_is_oklab_and_not_rgb():
    """Dark green (0, 90, 0) is nearer to black in RGB, and nearer to the green (0, 200, 0) in OKLab."""
    palette = Palette("p", ((0, 0, 0), (0, 200, 0)))
    assert np.hypot(0, 90) < 200 - 90
    assert apply_palette(row((0, 90, 0)), palette)[0, 0].tolist() == [0, 200, 0, 255]


def test_neighbouring_bytes_are_never_confused():
    """A palette of 256 colours one step apart gives each of its own colours back."""
    for base, channel in product(((0, 0, 0), (255, 255, 255), (120, 0, 255)), range(3)):
        colours = [tuple(v if i == channel else c for i, c in enumerate(base)) for v in range(256)]
        rgba = row(*[(c[0], c[1], c[2]) for c in colours])
        palette = Palette("p", tuple((c[0], c[1], c[2]) for c in colours))
        np.testing.assert_array_equal(apply_palette(rgba, palette), rgba)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_batch_is_snapped_like_its_pictures(channels):
    rgba = noise(5, 3, 4, 6)
    if channels in (1, 2):
        rgba[..., 1:3] = rgba[..., :1]
    if channels in (1, 3):
        rgba[..., 3] = 255
    used = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    batch = torch.from_numpy(np.moveaxis(rgba[..., used], -1, 1).copy())
    np.testing.assert_array_equal(as_rgba(batch), rgba)
    snapped = snap_pictures(batch, PICO8)
    assert snapped.dtype == torch.uint8 and snapped.shape == (3, 3 if channels in (1, 3) else 4, 4, 6)
    expected = np.stack([apply_palette(picture, PICO8) for picture in rgba])
    np.testing.assert_array_equal(as_rgba(snapped), expected)


def test_a_picture_without_visible_pixels_stays():
    clear = np.zeros((3, 3, 4), np.uint8)
    np.testing.assert_array_equal(apply_palette(clear, PICO8), clear)
    assert off_palette_share([clear], PICO8) == 0 and colours_per_picture([clear]) == [0]


# --- counting -----------------------------------------------------------------------------------


def test_shares_and_counts_of_a_picture_counted_by_hand():
    red, blue, odd = (255, 0, 77), (41, 173, 255), (1, 2, 3)  # the first two are PICO-8's
    picture = row(red, red, blue, odd, odd)
    picture[0, 4, 3] = 0  # hidden: does not count
    picture[0, 1, 3] = 9  # barely visible: counts
    small = row(odd)
    assert count_colours([picture, small]) == {0xFF004D: 2, 0x29ADFF: 1, 0x010203: 2}
    assert colours_per_picture([picture, small]) == [3, 1]
    assert off_palette_share([picture, small], PICO8) == pytest.approx(2 / 5)
    assert colour_shares(count_colours([picture, small]), Palette("p", (red, odd, blue))) == [0.4, 0.4, 0.2]


def test_the_built_in_sprites_use_their_own_palette():
    pictures = [sprite.pixels for sprite in draw_many(300)]
    assert off_palette_share(pictures, read_palette("sprites")) == 0
    assert off_palette_share(pictures, PICO8) > 0.9


# --- finding a palette --------------------------------------------------------------------------

FAR_APART = [(20, 20, 20), (230, 230, 230), (200, 30, 40), (40, 170, 60), (50, 60, 200)]


def blob(centre: tuple[int, int, int], reach: int, weight: int) -> list[tuple[int, int, int]]:
    """A colour ``weight`` times, and once each of its neighbours on every side."""
    around = [
        tuple(c + d for c, d in zip(centre, ds, strict=True)) for ds in product((-reach, 0, reach), repeat=3)
    ]
    return [centre] * weight + [(r, g, b) for r, g, b in around if (r, g, b) != centre]


def test_clusters_far_apart_are_found_exactly():
    pixels = [c for i, centre in enumerate(FAR_APART) for c in blob(centre, 3, weight=500 + 100 * i)]
    palette = extract_palette([row(*pixels)], len(FAR_APART))
    assert palette.colours == tuple(reversed(FAR_APART))  # the most used first


def test_all_colours_are_taken_while_they_fit():
    pixels = [grey(0)] * 2 + [grey(200)] * 3 + [grey(i) for i in range(1, 200)]
    palette = extract_palette([row(*pixels)])
    assert palette.colours == (grey(200), grey(0), *[grey(i) for i in range(1, 200)])
    assert extract_palette([row(*pixels)], 256).colours == palette.colours


def test_the_number_of_colours_is_the_knee_of_the_error():
    """12 heaps of 27 colours are 324 colours, and 12 of them say almost everything."""
    corners = list(product((40, 215), (40, 128, 215), (40, 215)))
    pixels = [c for corner in corners for c in blob((corner[0], corner[1], corner[2]), 1, weight=50)]
    palette = extract_palette([row(*pixels)])
    assert set(palette.colours) == set(corners)


def test_one_colour_is_the_used_one_nearest_to_the_mean():
    """In OKLab the mean of black and white is (0.5, 0, 0), which is the grey 99; 100 is used, 128 too."""
    assert extract_palette([row(grey(0), grey(255), grey(100), grey(128))], 1).colours == (grey(100),)


def test_use_counts():
    """The mean goes where the pixels are: 1,000 of grey 30 outweigh one of grey 250."""
    pixels = [grey(30)] * 1000 + [grey(250), grey(120)]
    assert extract_palette([row(*pixels)], 1).colours == (grey(30),)


def test_very_many_colours_are_grouped_and_the_answer_is_still_used():
    dark = list(product(range(0, 64, 2), repeat=3))
    light = list(product(range(200, 256, 2), repeat=3))
    pixels = [(r, g, b) for r, g, b in (*dark, *light)]
    assert len(set(pixels)) > 2**15
    picture = row(*pixels)
    palette = extract_palette([picture], 2)
    assert [c in dark for c in palette.colours] == [True, False] and palette.colours[1] in light
    assert colour_shares(count_colours([picture]), palette) == [
        len(dark) / len(pixels),
        len(light) / len(pixels),
    ]


def test_a_palette_of_noise_has_as_many_colours_as_asked_and_is_the_same_again():
    rgba = noise(0, 40, 40)
    first = extract_palette([rgba], 24)
    assert len(first) == 24 and set(first.colours) <= visible_colours(rgba)
    assert extract_palette([rgba[:20], rgba[20:]], 24) == first


def test_impossible_palettes():
    with pytest.raises(UserError, match="no pixel"):
        extract_palette([np.zeros((4, 4, 4), np.uint8)])
    for wrong in (0, -1, 257):
        with pytest.raises(UserError, match="ask for 1 to 256"):
            choose_palette(count_colours([row((1, 2, 3))]), wrong)
    for colours in ((), ((0, 0, 0), (0, 0, 0)), ((0, 0, 256),), ((-1, 0, 0),)):
        with pytest.raises(ValueError, match="colour"):
            Palette("p", colours)


# --- files --------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    colours=st.lists(RGB, min_size=1, max_size=256, unique=True),
    suffix=st.sampled_from(["gpl", "hex", "png"]),
)
def test_what_is_written_is_read(tmp_path_factory, colours, suffix):
    path = tmp_path_factory.mktemp("p") / f"mine.{suffix}"
    palette = Palette("mine", tuple(colours))
    write_palette(palette, path)
    assert read_palette(path) == palette


def test_the_forms_are_those_of_other_programs(tmp_path):
    palette = Palette("a b", ((255, 0, 77), (0, 8, 16)))
    write_palette(palette, tmp_path / "a.gpl")
    assert (tmp_path / "a.gpl").read_text().splitlines() == [
        "GIMP Palette", "Name: a b", "Columns: 0", "#", "255   0  77\tff004d", "  0   8  16\t000810",
    ]  # fmt: skip
    write_palette(palette, tmp_path / "a.hex")
    assert (tmp_path / "a.hex").read_text() == "ff004d\n000810\n"
    write_palette(palette, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (2, 1) and image.convert("RGB").getpixel((1, 0)) == (0, 8, 16)


def test_files_of_other_programs_are_read(tmp_path):
    (tmp_path / "a.gpl").write_bytes(
        b"\xef\xbb\xbfGIMP Palette\r\nName: Caf\xe9\r\nColumns: 4\r\n# by hand\r\n\r\n"
        b"255 0\t77 Red: the first\r\n  0   8  16\r\n255 0 77 again\r\n"
    )
    palette = read_palette(tmp_path / "a.gpl")
    assert palette.colours == ((255, 0, 77), (0, 8, 16)) and palette.name.startswith("Caf")
    (tmp_path / "b.hex").write_text("#FF004D\n\n000810  \r\n")
    assert read_palette(str(tmp_path / "b.hex")) == Palette("b", palette.colours)
    strip = np.array([[(9, 9, 9, 255), (1, 1, 1, 255)], [(5, 5, 5, 0), (2, 0, 0, 30)]], np.uint8)
    Image.fromarray(strip).save(tmp_path / "c.png")
    assert read_palette(tmp_path / "c.png").colours == ((9, 9, 9), (1, 1, 1), (2, 0, 0))


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("a.gpl", "JASC-PAL\n0100\n", "line 1: a .gpl file begins with 'GIMP Palette'"),
        ("a.gpl", "", "line 1: a .gpl file begins with"),
        ("a.gpl", "GIMP Palette\n#\n\n0 0 0\n1 2\n", "line 5: '1 2' is no colour"),
        ("a.gpl", "GIMP Palette\n256 0 0\n", "line 2: '256 0 0' is no colour"),
        ("a.gpl", "GIMP Palette\n1 2 3x\n", "line 2: '1 2 3x' is no colour"),
        ("a.gpl", "GIMP Palette\nName: x\n", "holds 0 colours"),
        ("a.hex", "ff004d\nff00\n", "line 2: 'ff00' is no colour"),
        ("a.hex", "ff004d\n\nred\n", "line 3: 'red' is no colour"),
        ("a.hex", "", "holds 0 colours"),
        ("a.hex", "\n".join(f"{i:06x}" for i in range(257)), "holds 257 colours; a palette has 1 to 256"),
        ("a.hex", "00" * 600_000, "is too large to be a palette"),
        ("a.png", "no picture", "a.png is not a picture"),
        ("a.pal", "x", "is no palette that can be read"),
    ],
)
def test_bad_files_get_one_sentence_with_the_line(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as caught:
        read_palette(tmp_path / name)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_built_in_palettes():
    assert len(PICO8) == 16 and PICO8.hex[:3] == ("000000", "1d2b53", "7e2553") and PICO8.hex[15] == "ffccaa"
    assert GAMEBOY.colours == ((15, 56, 15), (48, 98, 48), (139, 172, 15), (155, 188, 15))
    assert read_palette("pico8") is PICO8 and read_palette("gameboy") is GAMEBOY
    with pytest.raises(UserError, match=r"no palette 'picoo8'.*pico8, gameboy, sprites"):
        read_palette("picoo8")


# --- the commands -------------------------------------------------------------------------------


def fogcatcher(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def save(rgba: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba).save(path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three pictures of 1, 2 and 4 colours, in and below a folder, and a broken one."""
    path = tmp_path / "pictures"
    save(row((0, 0, 0)), path / "a.png")
    save(row((0, 0, 0), (0, 0, 0), (255, 0, 70)), path / "b" / "a.png")
    save(row((0, 0, 0), (255, 0, 77), (250, 250, 250), (255, 0, 70)), path / "b" / "c.bmp")
    (path / "d.png").write_text("x")
    return path


def test_extract_says_what_it_found_and_writes_it(folder, tmp_path, capsys):
    code, said, _ = fogcatcher("palette", "extract", folder, capsys=capsys)
    assert code == 0
    assert "4 colours in 3 pictures; each has 1 to 4 colours, half of them at most 2" in said
    assert "#000000  50.00%" in said and "#ff0046  25.00%" in said and "#ff004d  12.50%" in said
    assert "d.png is not a picture" in said and "palette of 4 colours" in said
    out = tmp_path / "new" / "p.hex"
    code, said, _ = fogcatcher("palette", "extract", folder, "--colours", "3", "--out", out, capsys=capsys)
    assert code == 0 and str(out) in said
    assert read_palette(out).colours == ((0, 0, 0), (255, 0, 70), (250, 250, 250))


def test_apply_snaps_every_picture_and_says_what_changed(folder, tmp_path, capsys):
    out = tmp_path / "out"
    line = ("palette", "apply", folder, "--palette", "pico8", "--out", out)
    code, said, _ = fogcatcher(*line, capsys=capsys)
    assert code == 0
    assert "palette pico8: 16 colours; 37.5% of the visible pixels were off it" in said
    assert "before, each picture has 1 to 4 colours, half of them at most 2; after, each has 1 to 3" in said
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert written == {"a.png", "b/a.png", "b/c.bmp.png"}
    assert read_picture(out / "b" / "c.bmp.png")[0, :, :3].tolist() == [
        [0, 0, 0], [255, 0, 77], [255, 241, 232], [255, 0, 77],
    ]  # fmt: skip
    again = ("palette", "apply", folder, "--palette", "gameboy", "--out", out)
    assert fogcatcher(*again, capsys=capsys)[0] == 0  # its own pictures may be written again
    assert read_picture(out / "a.png")[0, 0].tolist() == [15, 56, 15, 255]


@pytest.mark.parametrize("palette", ["3", "auto"])
def test_apply_can_take_the_palette_from_the_pictures(folder, tmp_path, capsys, palette):
    code, _, _ = fogcatcher(
        "palette", "apply", folder, "--palette", palette, "--out", tmp_path / "o", capsys=capsys
    )
    assert code == 0
    written = [read_picture(tmp_path / "o" / name) for name in ("a.png", "b/a.png", "b/c.bmp.png")]
    fewest = {(0, 0, 0), (255, 0, 70), (250, 250, 250)}
    assert set.union(*map(visible_colours, written)) == (
        fewest if palette == "3" else {*fewest, (255, 0, 77)}
    )


def test_mistakes_with_palettes_are_one_sentence_and_exit_code_2(folder, tmp_path, capsys):
    art = save(noise(0, 8, 8), tmp_path / "art.png")
    save(row((1, 2, 3)), tmp_path / "taken" / "a.png")
    (tmp_path / "none").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("x")
    bad = tmp_path / "bad.hex"
    bad.write_text("ff00ff\nnope\n")
    extract, apply, out = ("palette", "extract"), ("palette", "apply"), tmp_path / "new"
    cases = [
        ((*extract, tmp_path / "missing"), "there is no file or folder"),
        ((*extract, tmp_path / "none"), "there are no pictures"),
        ((*extract, tmp_path / "broken"), "not one picture can be read"),
        ((*extract, folder, "--colours", "0"), "ask for 1 to 256"),
        ((*extract, folder, "--colours", "many"), "is not a number of colours"),
        ((*extract, folder, "--out", tmp_path / "p.txt"), "end it in .gpl, .hex or .png"),
        ((*extract, folder, "--out", art), "exists and is no palette"),
        ((*apply, folder, "--palette", "nes9", "--out", out), "there is no palette 'nes9'"),
        ((*apply, folder, "--palette", bad, "--out", out), "line 2: 'nope' is no colour"),
        ((*apply, folder, "--palette", "300", "--out", out), "ask for 1 to 256"),
        ((*apply, folder, "--palette", "pico8", "--out", folder / "snapped"), "lies among the pictures"),
        ((*apply, folder, "--palette", "pico8", "--out", tmp_path / "taken"), "did not write it"),
        ((*apply, art, "--palette", "pico8", "--out", tmp_path), "did not write it"),
        ((*apply, folder, "--palette", "pico8", "--out", art), "is a file"),
    ]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for arguments, sentence in cases:
        code, _, errors = fogcatcher(*arguments, capsys=capsys)
        assert code == 2, arguments
        assert sentence in errors, (arguments, errors)
        assert errors.startswith("fogcatcher: ") and errors.count("\n") == 1, errors
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_palette_commands_show_an_example(capsys):
    for command in ("extract", "apply"):
        code, said, _ = fogcatcher("palette", command, "--help", capsys=capsys)
        assert code == 0 and f"Example:  fogcatcher palette {command}" in said
