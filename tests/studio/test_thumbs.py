"""Cards show the newest pictures themselves: no labels, no gaps, every pixel as it was drawn."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from fogcatcher.model.model import load
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from fogcatcher.studio.models import Place
from fogcatcher.studio.thumbs import STEPS, thumb_of
from tests.small_trainings import save_pictures


def cells(png: bytes, height: int, width: int) -> list[np.ndarray]:
    pixels = np.array(Image.open(io.BytesIO(png)))
    assert pixels.shape[:2] == (2 * height, 4 * width)
    return [part for row in np.split(pixels, 2) for part in np.split(row, 4, axis=1)]


def test_of_a_shipped_model_they_are_what_it_draws():
    place = Place("shipped.sprites", load("sprites").folder or Path(), "sprites", False)
    drawn = load("sprites").sample(seeds=[0, 8, 16, 24, 32, 1, 9, 17], steps=STEPS).pictures
    for cell, picture in zip(cells(thumb_of(place), 16, 16), drawn, strict=True):
        assert np.array_equal(cell, picture.permute(1, 2, 0).numpy())


def test_of_a_run_they_are_those_of_its_newest_step(tmp_path):
    save_pictures(tmp_path / "data", 12)
    setup = Setup(str(tmp_path / "data"), tmp_path / "run", steps=2, size_of_model="tiny", start_from="none")
    for _ in follow(prepare(setup)):
        pass
    newest = np.array(Image.open(tmp_path / "run" / "samples" / "step-000000002.png"))
    height, width = newest.shape[0], newest.shape[1] // 10
    found = cells(thumb_of(Place("run", tmp_path / "run", "runs/run", True)), height, width)
    for number, cell in enumerate(found):
        assert np.array_equal(cell, newest[:, number * width : (number + 1) * width])
