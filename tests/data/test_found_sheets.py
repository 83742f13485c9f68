"""Sheets among pictures are named and not learnt from: those that this program drew, and sprite sheets."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.for_model import read_for_model
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import save_png, sheet
from fogcatcher.data.pictures.spec import spec_of
from fogcatcher.data.pictures.sprite_sheets import join_sheet, new_layout
from fogcatcher.data.reading import read_dataset
from fogcatcher.data.sprites import draw_many
from tests.pictures import save

SPRITES = [sprite.pixels for sprite in draw_many(40, seed=2)]


def folder(root: Path) -> Path:
    for i, rgba in enumerate(SPRITES):
        save(root / f"{i:02}.png", rgba)
    return root


def own_sheet(path: Path, recipe: dict[str, object], parameters: str = "") -> None:
    rows = torch.from_numpy(np.stack(SPRITES[:16])).permute(0, 3, 1, 2)
    save_png(sheet(rows, 4), path, recipe, parameters)


@pytest.mark.parametrize(
    "recipe",
    [
        {"recipe": 2, "pictures": [{"seed": 1}], "sheet": {"columns": 4}},
        {"pictures": [{"seed": 1}]},  # as older versions wrote it
        {"inspected": 16, "sheet": {"columns": 8}},
        {"axes": {}, "cells": []},
        {"model": "0" * 12, "strip": "denoising"},
    ],
)
@pytest.mark.parametrize("where", ["folder", "zip", "table"])
def test_our_own_sheets_are_no_pictures(tmp_path, recipe, where):
    root = folder(tmp_path / "set")
    own_sheet(root / "sheet.png", recipe, "a long text " * 400)
    save_png(Image.fromarray(SPRITES[0][::-1]), root / "drawn.png", {"seed": 3, "condition": {}})
    path = root
    if where == "zip":
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in root.iterdir():
                archive.write(file, file.name)
    if where == "table":  # which does not name the sheet
        names = [file.name for file in root.iterdir() if file.name != "sheet.png"]
        (root / "metadata.csv").write_text("file_name,hp\n" + "".join(f"{n},{len(n)}\n" for n in names))
    dataset = read_dataset(path, DataOptions(max_bad=0.0))
    assert len(dataset) == 41 and "drawn.png" in dataset.names and dataset.rows.shape[-1] == 16
    assert dataset.ignored["sheet.png"] == "is a sheet that this program drew"
    assert any("sheet.png" in note for note in dataset.notes)


def test_a_sheet_alone_is_refused(tmp_path):
    own_sheet(tmp_path / "sheet.png", {"pictures": [], "sheet": {}})
    with pytest.raises(UserError, match=r"drew it: sheet\.png"):
        read_dataset(tmp_path)
    spec = spec_of(torch.from_numpy(np.stack(SPRITES)).permute(0, 3, 1, 2))
    with pytest.raises(UserError, match="is a sheet that this program drew"):
        read_for_model(tmp_path / "sheet.png", spec, DataOptions())


@pytest.mark.parametrize(
    ("spacing", "margin", "scale"), [(0, 0, 1), (1, 0, 1), (2, 2, 1), (1, 1, 4), (0, 0, 3)]
)
def test_a_sprite_sheet_among_sprites_is_named_with_its_command(tmp_path, spacing, margin, scale):
    root = folder(tmp_path)
    layout = new_layout(40, (16, 16), 8, spacing, margin)
    joined = join_sheet({divmod(i, 8): rgba for i, rgba in enumerate(SPRITES)}, layout)
    save(root / "all.png", joined.repeat(scale, 0).repeat(scale, 1))
    dataset = read_dataset(root)
    assert len(dataset) == 40 and dataset.rows.shape[-2:] == (16, 16)
    side = 16 * scale
    said = f"is a sprite sheet, 8 x 5 cells of {side}x{side}; cut it up by: fogcatcher data split-sheet"
    assert any(said in note for note in dataset.notes)


def test_a_large_sprite_is_no_sheet(tmp_path):
    root = folder(tmp_path)
    y, x = np.mgrid[:64, :64]
    for name, inside in (("round", (y - 32) ** 2 + (x - 32) ** 2 < 900), ("two", abs(abs(y - 32) - 16) < 14)):
        rgba = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
        rgba[..., 3] = 255 * inside
        rgba[~inside] = 0
        save(root / f"{name}.png", rgba)
    save(root / "boss.png", SPRITES[0].repeat(4, 0).repeat(4, 1))
    assert {"round.png", "two.png"} <= set(read_dataset(root).names) and not read_dataset(root).ignored


def test_the_size_is_chosen_after_trimming(tmp_path):
    for i, rgba in enumerate(SPRITES):
        wide = np.zeros((40, 48, 4), np.uint8)
        wide[12:28, 5:21] = rgba
        wide[12, 5] = wide[27, 20] = (1, 2, 3, 255)  # so that the content is just 16 x 16
        save(tmp_path / f"{i}.png", wide)
    assert read_dataset(tmp_path).rows.shape[-2:] == (40, 48)
    assert read_dataset(tmp_path, DataOptions(trim=True)).rows.shape[-2:] == (16, 16)
