"""The rule-drawn scenes: what was drawn is what the pixels say, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fogcatcher.data import options, scenes
from fogcatcher.data.builtin import SETS
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset


@pytest.fixture(scope="module")
def many() -> list[scenes.Scene]:
    return scenes.draw_many(900, seed=3)


def test_the_rule_reads_what_was_drawn(many: list[scenes.Scene]) -> None:
    for scene in many:
        seen = scenes.seen(scene.pixels)
        assert (seen.shape, seen.colour, seen.caption) == (scene.shape, scene.colour, scene.caption)
        assert seen.box is not None
        # The tip of a triangle covers too little of its pixels to be seen.
        assert np.abs(np.subtract(seen.box, scene.box)).max() <= (scene.shape == "triangle")


def test_every_caption_as_often_and_objects_everywhere(many: list[scenes.Scene]) -> None:
    captions = [scene.caption for scene in many]
    assert {captions.count(caption) for caption in captions} == {100}
    assert len(set(captions)) == 9
    boxes = np.array([scene.box for scene in many])
    assert (boxes[:, :2] >= 0).all() and (boxes[:, :2] + boxes[:, 2:] <= scenes.SIZE).all()
    assert set(boxes[:, 2]) == set(range(scenes.SMALLEST, scenes.LARGEST + 1))


def test_areas_of_the_shapes_are_those_of_geometry() -> None:
    """Coverage adds up to the area: of a circle pi / 4 of its square, of a triangle half."""
    box = scenes.Box(7, 5, 18, 18)
    area = {shape: scenes._coverage(shape, box).sum() / 16 / 18**2 for shape in scenes.SHAPES}
    assert area == pytest.approx({"circle": np.pi / 4, "square": 1, "triangle": 0.5}, abs=0.01)


def test_what_is_unclear_is_said_to_be() -> None:
    scene = scenes.draw(4, "square", "green")
    nothing = np.full_like(scene.pixels, 40)
    assert scenes.seen(nothing) == scenes.Seen(None, None, None)
    box = scene.box
    ring = scene.pixels.copy()  # a frame is none of the shapes
    ring[box.top + 2 : box.top + box.height - 2, box.left + 2 : box.left + box.width - 2] = 40
    assert scenes.seen(ring) == scenes.Seen(None, "green", box)
    arch = scene.pixels.copy()  # above a circle, below a square: it covers nine tenths of either
    round_ = scenes._coverage("circle", box) >= scenes._COVERED
    arch[: box.top + box.height // 2][~round_[: box.top + box.height // 2]] = 40
    assert scenes.seen(arch) == scenes.Seen(None, "green", box)
    mixed = scene.pixels.copy()
    upper = mixed[: box.top + box.height // 2]
    upper[..., :2] = upper[..., 1::-1].copy()  # its upper half is red
    assert scenes.seen(mixed)[:2] == ("square", None)


def test_the_same_arguments_give_the_same_pixels_and_the_name_moves_nothing() -> None:
    assert (scenes.draw(11).pixels == scenes.draw(11).pixels).all()
    one, other = scenes.draw(5, "circle", "red"), scenes.draw(5, "triangle", "blue")
    assert one.box == other.box
    with pytest.raises(ValueError, match="the shapes and colours are circle"):
        scenes.draw(0, "star", "red")
    with pytest.raises(ValueError, match="0 or more"):
        scenes.draw(-1)


def test_a_built_in_set_like_any_folder() -> None:
    assert tuple(SETS) == options.BUILT_IN
    dataset = read_dataset("scenes", replace(DataOptions(), limit=90))
    assert tuple(dataset.rows.shape) == (90, 3, 32, 32) and not dataset.fitted
    for row, caption in zip(
        dataset.rows[:].permute(0, 2, 3, 1).numpy(), dataset.columns["caption"], strict=True
    ):
        assert scenes.seen(row).caption == caption
