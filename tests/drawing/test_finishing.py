"""Finished pictures: nearest colours of OKLab by brute force, hard alpha, zoom, palettes of sets."""

import numpy as np
import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.palettes import GAMEBOY, PICO8, read_palette
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.finishing import Finish, asked_palette, colours_for, palette_of, with_hard_alpha
from fogcatcher.model.model import load
from tests.random_models import random_model


def oklab(rgb: tuple[int, ...]) -> np.ndarray:
    """Ottosson 2020, "A perceptual color space for image processing", written out for one colour."""
    r, g, b = ((c / 255 / 12.92) if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb)
    l_ = np.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    m_ = np.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    s_ = np.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return np.array(
        [
            0.2104542553 * l_ + 0.7936177850 * m_ - 0.0040720468 * s_,
            1.9779984951 * l_ - 2.4285922050 * m_ + 0.4505937099 * s_,
            0.0259040371 * l_ + 0.7827717662 * m_ - 0.8086757660 * s_,
        ]
    )


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def visible(pictures: torch.Tensor) -> set[tuple[int, ...]]:
    pixels = pictures.permute(0, 2, 3, 1).reshape(-1, pictures.shape[1])
    return {tuple(pixel[:3]) for pixel in pixels.tolist() if len(pixel) == 3 or pixel[3]}


def test_every_colour_goes_to_the_nearest_of_oklab():
    pictures = noise(2, 3, 9, 7)
    snapped = Finish(PICO8.hex)(pictures)
    for before, after in zip(
        pictures.permute(0, 2, 3, 1).reshape(-1, 3).tolist(),
        snapped.permute(0, 2, 3, 1).reshape(-1, 3).tolist(),
        strict=True,
    ):
        far = [np.linalg.norm(oklab(before) - oklab(colour)) for colour in PICO8.colours]
        assert tuple(after) == PICO8.colours[int(np.argmin(far))]


def test_near_in_oklab_is_not_near_in_srgb():
    """Dark grey 48 is nearer to black by its bytes, and nearer to 110 as it is seen (L 0.31: 0 or 0.54)."""
    grey = torch.full((1, 3, 1, 1), 48, dtype=torch.uint8)
    assert abs(48 - 0) < abs(48 - 110)
    assert oklab((48,) * 3)[0] > oklab((110,) * 3)[0] / 2
    assert Finish(("000000", "6e6e6e"))(grey).flatten().tolist() == [110, 110, 110]


def test_with_a_palette_all_that_is_seen_is_in_it_and_alpha_is_hard():
    pictures = noise(4, 4, 8, 8)
    snapped = Finish(GAMEBOY.hex)(pictures)
    assert visible(snapped) == set(GAMEBOY.colours)
    assert snapped[:, 3].equal(torch.where(pictures[:, 3] >= 128, 255, 0).to(torch.uint8))
    assert not snapped[:, :3].permute(1, 0, 2, 3)[:, snapped[:, 3] == 0].any()


def test_hard_alpha_parts_at_128_and_leaves_no_colour_behind():
    picture = torch.tensor([[9, 9, 9, 127], [9, 9, 9, 128]], dtype=torch.uint8).T.reshape(1, 4, 1, 2)
    assert with_hard_alpha(picture)[0, :, 0].T.tolist() == [[0, 0, 0, 0], [9, 9, 9, 255]]
    assert Finish(hard_alpha=True)(picture).equal(with_hard_alpha(picture)) and Finish()(picture) is picture
    grey = noise(2, 1, 4, 4)
    assert with_hard_alpha(grey) is grey


def test_zoom_repeats_every_pixel():
    picture = noise(1, 4, 5, 3)
    large = Finish(zoom=3).enlarged(picture)
    assert large.equal(torch.from_numpy(picture.numpy().repeat(3, 2).repeat(3, 3)))


def test_a_number_of_colours_is_for_all_pictures_together():
    red, blue, near_blue = (250, 0, 0), (0, 0, 250), (0, 4, 250)
    pictures = torch.tensor([red, blue, near_blue], dtype=torch.uint8).reshape(3, 3, 1, 1).repeat(1, 1, 2, 2)
    colours = colours_for(pictures, asked_palette("2", None))
    assert len(colours) == 2 and "fa0000" in colours and visible(Finish(colours)(pictures)) <= {
        red, blue, near_blue,
    }  # fmt: skip
    nothing = torch.zeros(2, 4, 3, 3, dtype=torch.uint8)
    assert colours_for(nothing, 5) == ()


def test_the_palette_of_a_set_is_all_that_is_visible_or_the_most_frequent():
    codes = torch.arange(257, dtype=torch.int32)
    ramp = torch.stack([codes >> 8, codes & 255, torch.full_like(codes, 7), torch.full_like(codes, 255)], 0)
    pictures = ramp.T.to(torch.uint8).reshape(257, 4, 1, 1)
    twice = torch.cat([pictures, pictures[1:]])  # all but the first colour
    found = palette_of(twice)
    assert found and set(found.colours) == {(int(code) >> 8, int(code) & 255, 7) for code in codes[1:]}
    found = palette_of(pictures[:256])
    assert found and found.colours == tuple((0, g, 7) for g in range(256))
    pictures[256, 3] = 0  # what lies under alpha 0 is no colour
    found = palette_of(pictures)
    assert found and len(found) == 256
    assert palette_of(torch.zeros(3, 4, 2, 2, dtype=torch.uint8)) is None


def test_mistakes_are_one_sentence():
    for zoom in (0, -1, 101):
        with pytest.raises(UserError, match="zoom must be a whole number from 1 to 100"):
            Finish(zoom=zoom)
    for palette in (("red",), ("000000", "000000"), ("../a.hex",)):
        with pytest.raises(UserError, match="different colours of the form"):
            Finish(palette)
    with pytest.raises(UserError, match="keeps no palette"):
        asked_palette("train", None)
    with pytest.raises(UserError, match="there is no palette 'sunset'"):
        asked_palette("sunset", None)
    for number in ("0", "257", "9" * 30):
        with pytest.raises(UserError, match="ask for 1 to 256"):
            asked_palette(number, None)
    assert asked_palette("none", None) is None and asked_palette("train", PICO8) is PICO8


def test_a_drawing_keeps_what_was_drawn_and_finishes_every_frame():
    drawing = random_model().sample(3, steps=2, keep_frames=True)
    done = drawing.finished(Finish(GAMEBOY.hex, zoom=2))
    assert done.raw is drawing.raw and done.frames[-1].equal(done.pictures)
    assert all(visible(frame) <= set(GAMEBOY.colours) for frame in [done.pictures, *done.frames])
    assert [image.size for image in done.images] == [(20, 24)] * 3


def test_the_same_seed_twice_makes_two_files(tmp_path):
    drawing = random_model().sample(condition=[{"kind": k} for k in ("hero", "food")], seeds=[7, 7], steps=2)
    assert [path.name for path in drawing.save_singles(tmp_path)] == ["00007.png", "00007-2.png"]
    assert np.asarray(Image.open(tmp_path / "00007-2.png")).tobytes() == drawing.images[1].tobytes()


def test_gifs_of_single_pictures_end_at_the_picture_with_its_transparency(tmp_path):
    drawing: Drawing = random_model().sample(2, steps=3, keep_frames=True).finished(Finish(PICO8.hex, zoom=2))
    for path, image in zip(drawing.save_gifs(tmp_path), drawing.images, strict=True):
        with Image.open(path) as gif:
            assert gif.info["loop"] == 0
            gif.seek(getattr(gif, "n_frames", 1) - 1)
            shown = np.array(gif.convert("RGBA"))
        shown[shown[..., 3] == 0] = 0
        assert (shown == np.asarray(image)).all() and (shown[..., 3] == 0).any()


@pytest.mark.slow
def test_a_run_knows_the_colours_it_was_trained_on(tmp_path, capsys):
    colours = [(10 * i, 0, 200) for i in range(6)]
    (tmp_path / "data").mkdir()
    for i, colour in enumerate(colours):
        Image.new("RGB", (8, 8), colour).save(tmp_path / "data" / f"{i}.png")
    train = ["train", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    main([*train, "--steps", "2", "--size-of-model", "tiny"])
    assert set(read_palette(tmp_path / "run" / "palette.hex").colours) == set(colours)
    model = load(tmp_path / "run")
    assert model.palette and set(model.palette.colours) == set(colours)
    model.save(tmp_path / "copy")
    assert load(tmp_path / "copy").palette == model.palette
    draw = ["sample", str(tmp_path / "run"), "-n", "5", "--steps", "2", "--out"]
    main([*draw, str(tmp_path / "o"), "--palette", "train"])
    drawn = [np.array(Image.open(tmp_path / "o" / f"{i:05d}.png")) for i in range(5)]
    assert {tuple(pixel) for array in drawn for pixel in array.reshape(-1, 3).tolist()} <= set(colours)
    capsys.readouterr()
    (tmp_path / "run" / "palette.hex").unlink()
    with pytest.raises(SystemExit, match="2"):
        main([*draw, str(tmp_path / "p"), "--palette", "train"])
    assert "keeps no palette" in capsys.readouterr().err and not (tmp_path / "p").exists()


# --- strays, colours of each picture, indexed files ---------------------------------------------


def islands_of(there: np.ndarray) -> list[set[tuple[int, int]]]:
    """Pixels that touch at sides or corners, by a queue."""
    left = {(int(y), int(x)) for y, x in np.argwhere(there)}
    found = []
    while left:
        queue, island = [left.pop()], set[tuple[int, int]]()
        while queue:
            y, x = queue.pop()
            island.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            queue += near
        found.append(island)
    return found


@pytest.mark.parametrize("most", [1, 2, 5])
def test_strays_are_islands_of_few_pixels_and_the_largest_stays(most: int):
    pictures = noise(20, 4, 13, 9)
    pictures[:, 3] = torch.where(noise(20, 13, 9, seed=1) > 180, 255, 0)
    done = Finish(strays=most)(pictures)
    removed = 0
    for before, after in zip(pictures.numpy(), done.numpy(), strict=True):
        islands = islands_of(before[3] > 0)
        largest = max(map(len, islands))
        stays = {
            pixel for island in islands if len(island) > most or len(island) == largest for pixel in island
        }
        gone = set.union(*islands) - stays
        for y, x in np.ndindex(*before.shape[1:]):
            expected = before[:, y, x] * ((y, x) not in gone and before[3, y, x] > 0)
            if len(islands) == 1 or largest > most:  # of equally large ones any may stay
                np.testing.assert_array_equal(after[:, y, x], expected)
        removed += len(gone)
    assert removed > 20
    # Where all islands are that small, the largest stays all the same.
    small = torch.zeros(1, 4, 9, 9, dtype=torch.uint8)
    small[:, :, 0, :2], small[:, :, 5, 5] = 255, 255
    kept = Finish(strays=5)(small)
    assert kept[:, :, 0, :2].equal(small[:, :, 0, :2]) and not kept[:, :, 5, 5].any()
    opaque = noise(2, 3, 8, 8)
    assert Finish(strays=9)(opaque) is opaque


def test_each_picture_has_at_most_so_many_colours_all_its_own():
    pictures = noise(6, 4, 8, 8)
    for most in (1, 2, 7):
        done = Finish(colours_each=most)(pictures)
        for before, after in zip(pictures, done, strict=True):
            assert 1 <= len(visible(after[None])) <= most
            assert visible(after[None]) <= visible(with_hard_alpha(before[None]))
    few = torch.tensor([[9, 8, 7, 255], [200, 0, 0, 255]], dtype=torch.uint8).T.reshape(1, 4, 1, 2)
    assert Finish(colours_each=2)(few).equal(few)
    both = Finish(PICO8.hex, colours_each=3)(pictures)
    assert all(len(visible(one[None])) <= 3 and visible(one[None]) <= set(PICO8.colours) for one in both)
    assert not Finish(colours_each=4)(torch.zeros(1, 4, 3, 3, dtype=torch.uint8)).any()


@pytest.mark.parametrize("palette", [(), PICO8.hex])
def test_an_indexed_file_shows_the_same_and_numbers_mean_the_same(tmp_path, palette):
    plain = random_model().sample(4, steps=2)
    drawing = plain.finished(Finish(palette, indexed=True, zoom=2))
    for path, image in zip(drawing.save_singles(tmp_path), drawing.images, strict=True):
        with Image.open(path) as file:
            assert file.mode == "P" and file.info["transparency"] == 0
            if palette:
                entries = np.array(file.getpalette()).reshape(-1, 3)[1 : len(palette) + 1]
                assert [tuple(entry) for entry in entries.tolist()] == list(PICO8.colours)
            shown = np.array(file.convert("RGBA"))
        shown[shown[..., 3] == 0] = 0
        np.testing.assert_array_equal(shown, np.asarray(image))
    drawing.save_atlas(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.mode == ("P" if palette or len(visible(drawing.rows)) < 256 else "RGBA")


def test_an_indexed_picture_of_many_colours_gets_as_many_as_fit():
    pictures = noise(1, 4, 30, 30)
    pictures[:, 3] = 255
    assert 200 < len(visible(Finish(indexed=True)(pictures))) <= 255
    assert 200 < len(visible(Finish(indexed=True)(pictures[:, :3]))) <= 256


def test_finishes_that_cannot_be_are_one_sentence():
    for wrong in (257, -1):
        with pytest.raises(UserError, match="colours_each"):
            Finish(colours_each=wrong)
    for wrong in (65, -1):
        with pytest.raises(UserError, match="strays"):
            Finish(strays=wrong)
