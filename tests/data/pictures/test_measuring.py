"""One scale for a whole set of larger pixel art, and the size that suits it."""

import numpy as np
import pytest
import torch
from PIL import Image

from fogcatcher.cli.inspect import MARK
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import HEAD, PAPER, is_marked, sheet
from fogcatcher.data.reading import Dataset, read_dataset
from tests.commands import fogcatcher, refused
from tests.pictures import save


def marked(side: int, seed: int, width: int | None = None) -> np.ndarray:
    """Art of this size, with a block of 12 x 12 of one colour in the middle, by which its scale is seen."""
    rng = np.random.default_rng(seed)
    picture = np.full((side, width or side, 4), 255, np.uint8)
    picture[..., :3] = rng.integers(0, 4, (*picture.shape[:2], 3)) * 60
    y, x = (n // 2 // 6 * 6 - 6 for n in picture.shape[:2])
    picture[y : y + 12, x : x + 12] = (255, 0, 0, 255)
    return picture


def scales(dataset: Dataset) -> set[float]:
    """How much smaller the block is than it was, in each picture."""
    red = (dataset.rows[:].permute(0, 2, 3, 1)[..., :3] == torch.tensor([255, 0, 0])).all(-1)
    return {round((144 / int(one.sum())) ** 0.5, 2) for one in red}


def write(folder, sides: list[int]) -> None:
    for i, side in enumerate(sides):
        save(folder / f"{i:03}.png", marked(side, i))


def of_scale(dataset: Dataset) -> list[str]:
    return [note for note in dataset.notes if note.startswith("scale")]


@pytest.mark.parametrize(
    ("sides", "size", "scale"),
    [
        ([64] * 12 + [80] * 8, 32, 3),  # 80 needs 3
        ([80] * 20, 40, 2),
        ([64] * 14 + [70] * 3 + [56] * 3, 32, 3),
        ([48] * 12 + [30] * 3, 24, 2),
        ([64] * 39 + [130], 32, 2),  # one giant does not make all others tiny
    ],
)
def test_a_set_of_large_art_has_one_scale(tmp_path, sides, size, scale):
    write(tmp_path, sides)
    dataset = read_dataset(tmp_path, DataOptions(size=(size, size)))
    found = scales(dataset)
    assert scale in found and len(found) == (2 if 130 in sides else 1)
    (said,) = of_scale(dataset)
    assert f"keep one pixel of every {scale}x{scale}" in said and "resample='smooth' with trim=True" in said


def test_art_that_fits_is_never_shrunk_for_a_few_that_do_not(tmp_path):
    write(tmp_path, [24] * 14 + [60] * 3 + [40] * 3)
    dataset = read_dataset(tmp_path, DataOptions(size=(32, 32)))
    assert scales(dataset) == {1, 2} and dataset.fitted["shrunk"] == 6
    (said,) = of_scale(dataset)
    assert "30% of the pictures are larger than 32x32" in said and "size=(60, 60) keeps every pixel" in said


def test_nothing_is_said_where_nothing_is_lost(tmp_path):
    write(tmp_path, [24] * 20)
    assert not of_scale(read_dataset(tmp_path))
    assert not of_scale(read_dataset(tmp_path, DataOptions(size=(16, 16), resample="smooth")))


@pytest.mark.parametrize(
    "sides", [([80] * 6 + [64] * 4, 40), ([96] * 10, 48), ([130] * 10, 44), ([64] * 9, 64)]
)
def test_the_default_size_of_large_art_divides_it(tmp_path, sides):
    """The least number of whole steps to 64 pixels or less."""
    write(tmp_path, sides[0])
    assert read_dataset(tmp_path).rows.shape[2:] == (sides[1], sides[1])


def test_where_pictures_are_cropped_all_fill_the_size_at_one_scale(tmp_path):
    write(tmp_path, [64] * 10 + [90] * 10)
    dataset = read_dataset(tmp_path, DataOptions(size=(32, 32), fit="crop"))
    assert scales(dataset) == {2} and dataset.fitted["padded"] == 0


def test_the_size_is_that_of_what_trimming_leaves(tmp_path):
    for i in range(10):
        wide = np.zeros((90, 70, 4), np.uint8)
        wide[30:54, 20:40] = marked(24, i, 20)
        save(tmp_path / f"{i}.png", wide)
    dataset = read_dataset(tmp_path, DataOptions(trim=True))
    assert dataset.rows.shape[2:] == (24, 20) and scales(dataset) == {1} and not of_scale(dataset)


def test_inspect_shows_what_the_model_will_see(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("fogcatcher.runs.forecast.time_step", lambda run, seconds: 0.1)
    write(tmp_path / "art", [80] * 70)
    page = tmp_path / "new" / "seen.png"
    asked = ("inspect", str(tmp_path / "art"), "--size", "20", "--sheet", str(page))
    code, out, _ = fogcatcher(*asked, capsys=capsys)
    assert code == 0 and f"what the model will see: {page}" in out
    assert is_marked(page, MARK)  # so it may be written over
    dataset = read_dataset(tmp_path / "art", DataOptions(size=(20, 20)))
    with Image.open(page) as image:
        pixels = np.asarray(image.convert("RGB"))
    zoom, gap = 3, 3  # 64 pixels are about 3 of 20, and gaps are a pixel wide
    assert pixels.shape == (8 * (20 * zoom + gap) + gap,) * 2 + (3,)
    first = pixels[gap + 1 : gap + 20 * zoom : zoom, gap + 1 : gap + 20 * zoom : zoom]
    np.testing.assert_array_equal(first, dataset.rows[0:1][0, :3].permute(1, 2, 0).numpy())
    mine = tmp_path / "art" / "000.png"
    assert "is no sheet of inspect" in refused(*asked[:-1], str(mine), capsys=capsys)
    assert "end it in .png" in refused(*asked[:-1], "seen.jpg", capsys=capsys)


def test_the_columns_of_a_sheet_bear_names_and_the_pictures_stay():
    pictures = torch.full((6, 3, 16, 16), 200, dtype=torch.uint8)
    plain = np.asarray(sheet(pictures, 3))
    named = np.asarray(sheet(pictures, 3, heads=["mushroom", "mushroom", "elf"]))
    np.testing.assert_array_equal(named[HEAD:], plain)
    inked = (named[: HEAD + 4] != np.array(PAPER[:3])).any(-1).any(0)
    cell = 64 + 4
    assert inked[cell // 2 : cell + cell // 2].any()  # over the border of the two that share it
    assert inked[2 * cell :].any() and not inked[: cell // 4].any()
    np.testing.assert_array_equal(np.asarray(sheet(pictures, 3, heads=["", "", ""])), plain)
    long = np.asarray(sheet(pictures, 3, heads=["w" * 50, "", ""]))
    assert not (long[:HEAD, cell + 4 :] != np.array(PAPER[:3])).any()
