"""Cards show the newest pictures themselves: no labels, no gaps, every pixel as it was drawn."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fogcatcher.model.model import load
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from fogcatcher.studio.models import Models, Place
from fogcatcher.studio.thumbs import STEPS, thumb_of
from fogcatcher.studio.workspace import Workspace
from tests.small_trainings import save_pictures


def cells(png: bytes, height: int, width: int) -> list[np.ndarray]:
    pixels = np.array(Image.open(io.BytesIO(png)))
    assert pixels.shape[:2] == (2 * height, 4 * width)
    return [part for row in np.split(pixels, 2) for part in np.split(row, 4, axis=1)]


SEEDS = {"sprites": [0, 8, 16, 24, 32, 1, 9, 17], "base-32": list(range(8))}
"""One of each of the five kinds in turn; a model without kinds draws any eight."""


@pytest.mark.parametrize("name", SEEDS)
def test_of_a_shipped_model_they_are_what_it_draws(name):
    model = load(name)
    place = Place(f"shipped.{name}", model.folder or Path(), name, False)
    drawn = model.sample(seeds=SEEDS[name], steps=STEPS).pictures
    for cell, picture in zip(cells(thumb_of(place), *drawn.shape[-2:]), drawn, strict=True):
        # Other machines round otherwise; another picture would differ by some 60 levels.
        assert np.abs(cell.astype(int) - picture.permute(1, 2, 0).numpy().astype(int)).mean() < 4


def test_every_shipped_model_has_them(tmp_path):
    shipped = Models(Workspace.at(tmp_path)).places()
    assert len(shipped) >= 4
    for place in shipped:
        assert Image.open(io.BytesIO(thumb_of(place))).size[0] % 4 == 0


@pytest.mark.slow
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
