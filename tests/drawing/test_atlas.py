"""Sheets for engines: what the JSON says lies where is what is drawn there."""

import json

import numpy as np
import pytest
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.sprite_sheets import fixed_layout, split_sheet
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.model.model import Model
from tests.commands import refused


def pictures(count: int, width: int = 5, height: int = 3) -> list[Image.Image]:
    rng = np.random.default_rng(1)
    return [Image.fromarray(rng.integers(0, 256, (height, width, 4), np.uint8)) for _ in range(count)]


@pytest.mark.parametrize(("count", "columns"), [(1, 8), (3, 8), (8, 4), (10, 4)])
@pytest.mark.parametrize("power_of_two", [False, True])
def test_cut_by_the_json_the_sheet_gives_the_pictures(count, columns, power_of_two):
    images, atlas = pictures(count), Atlas(columns, power_of_two)
    names = [f"{i}.png" for i in range(count)]
    sheet, document = (
        atlas.image(images),
        json.loads(json.dumps(atlas.to_json(names, (5, 3), names, "s.png"))),
    )
    assert list(document["frames"]) == names
    for name, image in zip(names, images, strict=True):
        entry = document["frames"][name]
        x, y, w, h = (entry["frame"][key] for key in "xywh")
        assert [entry[key] for key in "xywh"] == [x, y, w, h]
        assert sheet.crop((x, y, x + w, y + h)).tobytes() == image.tobytes()
    assert document["meta"]["size"] == {"w": sheet.width, "h": sheet.height}
    if power_of_two:
        assert all(side in (4, 8, 16, 32) for side in sheet.size)
        assert not np.asarray(sheet)[3 * -(-count // min(columns, count)) :].any()
    else:
        assert sheet.size == (5 * min(count, columns), 3 * -(-count // columns))


def test_the_projects_own_reader_cuts_the_same_cells():
    images = pictures(8)
    sheet = np.asarray(Atlas(4).image(images))
    cells = split_sheet(sheet, fixed_layout(sheet, (3, 5)), keep_empty=True).cells
    for i, image in enumerate(images):
        assert (cells[divmod(i, 4)] == np.asarray(image)).all()


def test_frames_say_what_aseprite_says():
    """The keys of an export of Aseprite as a JSON hash; tags count frames from 0 and include both ends."""
    document = Atlas(2).to_json(["a", "b", "c", "d"], (5, 3), ["hero", "hero", "", "food"], "s.png")
    frames, meta = document["frames"], document["meta"]
    assert isinstance(frames, dict) and isinstance(meta, dict)
    aseprite = {"frame", "rotated", "trimmed", "spriteSourceSize", "sourceSize", "duration"}
    assert all(aseprite <= set(frame) for frame in frames.values())
    assert frames["d"]["frame"] == {"x": 5, "y": 3, "w": 5, "h": 3} and frames["d"]["rotated"] is False
    assert {"app", "version", "image", "format", "size", "scale", "frameTags"} <= set(meta)
    assert meta["image"] == "s.png" and meta["format"] == "RGBA8888" and meta["scale"] == "1"
    assert meta["frameTags"] == [
        {"name": "hero", "from": 0, "to": 1, "direction": "forward"},
        {"name": "food", "from": 3, "to": 3, "direction": "forward"},
    ]


def test_too_large_a_sheet_is_refused():
    with pytest.raises(UserError, match="too large: put fewer pictures"):
        Atlas().layout(10_000, (1000, 1000))


def test_the_command_writes_both_files(tmp_path):
    draw = ["sample", "sprites", "-n", "9", "--steps", "2", "--zoom", "2", "--sheet", "4x4"]
    main([*draw, "--atlas", "--power-of-two", "--out", str(tmp_path)])
    document = json.loads((tmp_path / "sheet.json").read_text())
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.size == (128, 128) and document["meta"]["image"] == "sheet.png"
    assert len(document["frames"]) == 9
    for name, entry in document["frames"].items():
        box = (entry["x"], entry["y"], entry["x"] + entry["w"], entry["y"] + entry["h"])
        assert sheet.crop(box).tobytes() == Image.open(tmp_path / name).tobytes()
    assert [tag["name"] for tag in document["meta"]["frameTags"]] == ["creature", "food"]


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "sprites", "-n", "64", "--zoom", "100"),
        ("sample", "sprites", "-n", "64", "--zoom", "50", "--power-of-two"),
        ("interpolate", "sprites", "3", "4", "--frames", "1000", "--zoom", "16"),
        ("recolor", "sprites", "p.png", "-n", "64", "--zoom", "100"),
    ],
)
def test_an_atlas_that_would_be_too_large_is_not_drawn(words, tmp_path, monkeypatch, capsys):
    """64 pictures of 16 x 16 at 100 are 12,800 x 12,800, 1,000 at 16 256,000 x 256: over 50 million."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Model, "states", lambda *given: pytest.fail("it draws"))
    Image.new("RGBA", (16, 16)).save("p.png")
    said = refused(*words, "--atlas", capsys=capsys)
    assert "is too large: put fewer pictures into one, or enlarge them less" in said
