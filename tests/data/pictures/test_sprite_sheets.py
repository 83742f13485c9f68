"""Sprite sheets: cells come out as they went in, the sheet comes back, and layouts are found."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.picture_files import read_picture
from fogcatcher.data.pictures.sprite_sheets import (
    CLEAR,
    Layout,
    detect_layout,
    fixed_layout,
    from_document,
    join_sheet,
    new_layout,
    parse_colour,
    split_sheet,
    to_document,
)
from fogcatcher.data.sprites import draw_many

MAGENTA = (255, 0, 255, 255)
SPRITES = [sprite.pixels for sprite in draw_many(40, seed=1)]


def noise(seed: int, height: int, width: int) -> np.ndarray:
    """Every pixel another colour; none transparent, none magenta."""
    rgba = np.random.default_rng(seed).integers(0, 255, (height, width, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    return rgba


def in_rows(pictures: list[np.ndarray], layout: Layout) -> dict[tuple[int, int], np.ndarray]:
    return {divmod(i, layout.columns): rgba for i, rgba in enumerate(pictures)}


def sprites_of(size: int, background: tuple[int, int, int, int] = CLEAR) -> list[np.ndarray]:
    """The built-in sprites as pictures of another size: thinned, padded or enlarged."""
    resized = {
        8: lambda p: p[::2, ::2],
        12: lambda p: np.pad(p[::2, ::2], ((2, 2), (2, 2), (0, 0))),
        16: lambda p: p,
        20: lambda p: np.pad(p, ((2, 2), (2, 2), (0, 0))),
        24: lambda p: np.pad(p, ((4, 4), (4, 4), (0, 0))),
        32: lambda p: p.repeat(2, 0).repeat(2, 1),
    }[size]
    ground = np.array(background, np.uint8)
    return [np.where(p[..., 3:] == 0, ground, p) for p in map(resized, SPRITES)]


def found(
    rgba: np.ndarray, cell: tuple[int, int] | None = None, spacing: int | None = None
) -> tuple[tuple[int, int], int, int]:
    layout = detect_layout(rgba, cell, spacing)
    return layout.cell, layout.spacing, layout.margin


# --- cutting and joining ------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    cell=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    spacing=st.integers(0, 4),
    margin=st.integers(0, 12),
    background=st.sampled_from([CLEAR, MAGENTA]),
    empty=st.sets(st.integers(0, 24)),
    seed=st.integers(0, 99),
)
def test_cells_to_sheet_to_cells(cell, grid, spacing, margin, background, empty, seed):
    rows, columns = grid
    layout = new_layout(rows * columns, cell, columns, spacing, margin, background)
    kept = {
        place: noise(seed + 100 * i, *cell)
        for i, place in enumerate(product(range(rows), range(columns)))
        if i not in empty
    }
    sheet = join_sheet(kept, layout)
    gutters = margin > 0 or (spacing > 0 and rows * columns > 1)
    cut = split_sheet(sheet, fixed_layout(sheet, cell, spacing, margin), keep_empty=not gutters)
    assert (cut.layout.rows, cut.layout.columns) == (rows, columns)
    if gutters:
        assert cut.layout.background == background
        assert cut.cells.keys() == kept.keys() and cut.rest is None
        assert cut.empty == rows * columns - len(kept)
    for place, rgba in kept.items():
        np.testing.assert_array_equal(cut.cells[place], rgba)
    np.testing.assert_array_equal(join_sheet(cut.cells, cut.layout, cut.rest), sheet)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(9, 40), st.integers(9, 40)),
    cell=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    spacing=st.integers(0, 4),
    margin=st.integers(0, 4),
    keep_empty=st.booleans(),
    few=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_picture_cut_anyhow_comes_back(size, cell, spacing, margin, keep_empty, few, seed):
    """Also with pictures in the gutters, pieces left over, and empty cells of several kinds."""
    rgba = noise(seed, *size)
    if few:
        rgba = np.where(rgba[..., :1] < 40, rgba, np.array(CLEAR if seed % 2 else MAGENTA, np.uint8))
        rgba[:6, :6] = CLEAR if seed % 3 else MAGENTA
    if min(size[0] - cell[0], size[1] - cell[1]) < margin:
        return
    layout = fixed_layout(rgba, cell, spacing, margin)
    sheet = split_sheet(rgba, layout, keep_empty)
    assert not keep_empty or sheet.empty == 0
    np.testing.assert_array_equal(join_sheet(sheet.cells, sheet.layout, sheet.rest), rgba)


def test_cells_lie_where_arithmetic_says():
    layout = new_layout(12, (5, 7), columns=4, spacing=2, margin=3)
    assert (layout.height, layout.width) == (3 + 5 + 2 + 5 + 2 + 5 + 3, 3 + 7 + 2 + 7 + 2 + 7 + 2 + 7 + 3)
    assert layout.corner((1, 3)) == (3 + 7, 3 + 3 * 9)
    sheet = join_sheet({(1, 3): noise(0, 5, 7)}, layout)
    np.testing.assert_array_equal(sheet[10:15, 30:37], noise(0, 5, 7))
    assert np.count_nonzero(sheet[..., 3]) == 35


def test_columns_make_the_sheet_about_square():
    assert [new_layout(n, (16, 16)).columns for n in (1, 2, 9, 10, 100)] == [1, 1, 3, 3, 10]
    wide = new_layout(64, (8, 32))
    assert (wide.columns, wide.rows) == (4, 16) and wide.height == wide.width == 128


def test_empty_is_transparent_or_all_background():
    layout = new_layout(5, (4, 4), columns=5, spacing=1, background=MAGENTA)
    ground, clear = np.empty((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)
    ground[:] = MAGENTA
    nearly = ground.copy()
    nearly[3, 3] = (254, 0, 255, 255)
    white = np.full((4, 4, 4), 255, np.uint8)
    sheet = join_sheet(in_rows([ground, clear, nearly, white, noise(1, 4, 4)], layout), layout)
    cut = split_sheet(sheet, fixed_layout(sheet, (4, 4), 1))
    assert sorted(cut.cells) == [(0, 2), (0, 3), (0, 4)] and cut.empty == 2
    np.testing.assert_array_equal(join_sheet(cut.cells, cut.layout, cut.rest), sheet)
    assert split_sheet(sheet, cut.layout, keep_empty=True).empty == 0


def test_flat_tiles_without_a_background_are_kept():
    """Where tiles fill the sheet and its corners differ, no colour is the background."""
    tiles = [np.full((4, 4, 4), 255 - 10 * i, np.uint8) for i in range(4)]
    for tile in tiles:
        tile[..., 3] = 255
    layout = new_layout(4, (4, 4), 2)
    sheet = join_sheet(in_rows(tiles, layout), layout)
    assert split_sheet(sheet, fixed_layout(sheet, (4, 4))).empty == 0


def test_what_does_not_fit_is_refused():
    layout = new_layout(4, (4, 4))
    for cells in ({(0, 0): noise(0, 5, 4)}, {(2, 0): noise(0, 4, 4)}, {(0, -1): noise(0, 4, 4)}):
        with pytest.raises(ValueError, match=r"does not fit|outside"):
            join_sheet(cells, layout)
    with pytest.raises(ValueError, match="rest"):
        join_sheet({}, layout, noise(0, 4, 4))
    with pytest.raises(UserError, match="not one cell of 16x16"):
        fixed_layout(noise(0, 12, 40), (16, 16))
    with pytest.raises(UserError, match="larger cell"):
        fixed_layout(np.zeros((300, 300, 4), np.uint8), (1, 1))
    with pytest.raises(UserError, match="below 0"):
        new_layout(4, (4, 4), spacing=-1)
    with pytest.raises(UserError, match="1 pixel or more"):
        detect_layout(noise(0, 8, 8), (0, 8))


# --- finding the layout -------------------------------------------------------------------------


@pytest.mark.parametrize("background", [CLEAR, (40, 44, 52, 255)], ids=["clear", "solid"])
@pytest.mark.parametrize("size", [8, 16, 24, 32])
def test_the_layout_of_the_built_in_sprites_is_found(size, background):
    sprites = sprites_of(size, background)
    for spacing, margin, (count, columns) in product(range(3), range(3), ((40, 8), (40, 1), (5, 1))):
        layout = new_layout(count, (size, size), columns, spacing, margin, background)
        sheet = join_sheet(in_rows(sprites[:count], layout), layout)
        assert detect_layout(sheet) == layout
        if columns > 1:
            assert detect_layout(sheet, cell=(size, size)) == layout


@pytest.mark.parametrize("size", [12, 20])
def test_less_usual_sizes_are_found_where_sprites_never_touch(size):
    """Not 16x16 with a spacing of 4, which explains the same pixels; nor 14x14, which comes out even too."""
    for spacing, margin in product(range(3), range(3)):
        layout = new_layout(len(SPRITES), (size, size), 8, spacing, margin)
        assert detect_layout(join_sheet(in_rows(sprites_of(size), layout), layout)) == layout


def test_tiles_that_fill_their_cells_are_found_by_their_gutters():
    for spacing, margin in product((1, 2, 5), (0, 1, 2, 4)):
        layout = new_layout(12, (24, 16), 4, spacing, margin, (0, 0, 0, 255))
        sheet = join_sheet(in_rows([noise(i, 24, 16) for i in range(12)], layout), layout)
        assert detect_layout(sheet, cell=(24, 16)) == layout
        if max(spacing, margin) <= 2:
            assert detect_layout(sheet) == layout


def test_it_is_the_seam_that_counts_and_not_its_neighbours():
    """Blocks that touch the left and upper edge of every cell, with one clear line at the other two."""
    block = noise(0, 16, 16)
    block[-1:], block[:, -1:] = 0, 0
    layout = new_layout(20, (16, 16), 5)
    assert detect_layout(join_sheet(in_rows([block] * 20, layout), layout)) == layout


def test_gutters_and_margins_are_empty_everywhere():
    layout = new_layout(12, (16, 16), 4, spacing=1, margin=2)
    sheet = join_sheet(in_rows([noise(i, 16, 16) for i in range(12)], layout), layout)
    assert detect_layout(sheet) == layout
    for y, x in ((30, 0), (1, 30), (18, 30), (30, 52), (30, layout.width - 1), (layout.height - 2, 30)):
        spoilt = sheet.copy()
        spoilt[y, x] = (1, 2, 3, 255)
        try:
            assert detect_layout(spoilt) != layout
        except UserError as error:
            assert "no cell size explains" in str(error)


def test_lines_after_every_cell_or_before_every_cell():
    """A grid drawn on one side only: one gutter more than cells need, or one margin less."""
    layout = new_layout(12, (16, 16), 4, spacing=1, background=(0, 0, 0, 255))
    sheet = join_sheet(in_rows([noise(i, 16, 16) for i in range(12)], layout), layout)
    after = np.pad(sheet, ((0, 1), (0, 1), (0, 0)))
    before = np.pad(sheet, ((1, 0), (1, 0), (0, 0)))
    after[-1:, :], after[:, -1:] = (0, 0, 0, 255), (0, 0, 0, 255)
    before[:1, :], before[:, :1] = (0, 0, 0, 255), (0, 0, 0, 255)
    assert found(after) == ((16, 16), 1, 0) and found(before) == ((16, 16), 1, 1)
    for rgba in (after, before):
        layout = detect_layout(rgba)
        assert (layout.rows, layout.columns, layout.leftover()) == (3, 4, (0, 0))


@pytest.mark.parametrize("scale", [1, 3, 4])
@pytest.mark.parametrize(("rows", "columns"), [(12, 54), (3, 20), (2, 9), (1, 9)])
@pytest.mark.parametrize("after", [(0, 1), (1, 0), (1, 1), (0, 0)])
def test_each_direction_may_end_in_a_gutter_also_when_enlarged(rows, columns, after, scale):
    """Published sheets of 918 x 203: 54 cells of 16 and 54 gutters beside each other, 12 and 11 below."""
    height, width = 17 * rows - 1 + after[0], 17 * columns - 1 + after[1]
    layout = Layout(height, width, (16, 16), 1, 0, rows, columns)
    tiles = [noise(i, 16, 16) for i in range(rows * columns)]
    sheet = join_sheet(in_rows(tiles, layout), layout).repeat(scale, 0).repeat(scale, 1)
    if (rows, columns, after) == (12, 54, (0, 1)) and scale == 1:
        assert sheet.shape[:2] == (203, 918)
    detected = detect_layout(sheet)
    assert (detected.cell, detected.spacing, detected.margin) == ((16 * scale, 16 * scale), scale, 0)
    assert (detected.rows, detected.columns) == (rows, columns)


def test_touching_tiles_need_their_size_and_then_have_no_gutters():
    layout = new_layout(12, (16, 16), 4)
    sheet = join_sheet(in_rows([noise(i, 16, 16) for i in range(12)], layout), layout)
    with pytest.raises(UserError, match=r"give it, for example cell=\(16, 16\)"):
        detect_layout(sheet)
    assert found(sheet, (16, 16)) == ((16, 16), 0, 0)


def test_what_is_left_over_does_not_hide_the_layout():
    layout = new_layout(40, (16, 16), 8, spacing=2, margin=1)
    sheet = join_sheet(in_rows(sprites_of(16), layout), layout)
    torn = np.pad(sheet, ((0, 6), (0, 11), (0, 0)), constant_values=99)
    cut = detect_layout(torn, (16, 16))
    assert (cut.cell, cut.spacing, cut.margin, cut.rows, cut.columns) == ((16, 16), 2, 1, 5, 8)
    assert cut.leftover() == (6 + 1, 11 + 1)
    assert layout.leftover() == (0, 0)


def test_cells_that_cannot_be_told_apart_get_the_usual_size():
    """10x10 with a clear border, or 8x8 with gutters of 2 and margins of 1: the same pixels."""
    layout = new_layout(40, (8, 8), 8, spacing=2, margin=1)
    sheet = join_sheet(in_rows(sprites_of(8), layout), layout)
    padded = [np.pad(p, ((1, 1), (1, 1), (0, 0))) for p in sprites_of(8)]
    same = new_layout(40, (10, 10), 8)
    np.testing.assert_array_equal(join_sheet(in_rows(padded, same), same), sheet)
    assert found(sheet) == ((8, 8), 2, 1)
    assert found(sheet, None, 0) == ((10, 10), 0, 0)


def test_a_picture_that_is_no_sheet_is_not_cut():
    with pytest.raises(UserError, match="one flat colour"):
        detect_layout(np.full((32, 32, 4), 255, np.uint8))
    with pytest.raises(UserError, match="no cell size explains"):
        detect_layout(noise(0, 16, 16))


# --- sheet.json ---------------------------------------------------------------------------------


def test_the_document_says_all_of_the_sheet():
    rgba = noise(3, 21, 30)
    sheet = split_sheet(rgba, fixed_layout(rgba, (8, 9), 1, 2))
    names = {place: f"x-{place[0]}-{place[1]}.png" for place in sheet.cells}
    document = json.loads(json.dumps(to_document(sheet, names)))
    layout, read_names, rest = from_document(document)
    assert layout == sheet.layout and read_names == names
    np.testing.assert_array_equal(join_sheet(sheet.cells, layout, rest), rgba)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 10**9, "height": 10**9},
        {"rows": "2"},
        {"rows": 2000},
        {"cell_width": 0},
        {"spacing": -1},
        {"margin": True},
        {"background": "red"},
        {"cells": []},
        {"cells": 7},
        {"cells": ["x.png"]},
        {"cells": [{"file": "../x.png", "row": 0, "column": 0}]},
        {"cells": [{"file": "/etc/passwd", "row": 0, "column": 0}]},
        {"cells": [{"file": "..", "row": 0, "column": 0}]},
        {"cells": [{"file": "x.png", "row": 9, "column": 0}]},
        {"rest": "no base64!"},
        {"rest": "aGVsbG8="},
    ],
    ids=str,
)
def test_documents_that_cannot_be_right_are_refused(change):
    rgba = noise(3, 16, 16)
    sheet = split_sheet(rgba, fixed_layout(rgba, (8, 8)))
    document = to_document(sheet, dict.fromkeys(sheet.cells, "x.png"))
    from_document(document)
    with pytest.raises(ValueError):
        from_document(document | change)
    with pytest.raises(ValueError):
        from_document([])


def test_colours_in_words():
    assert parse_colour("none") == CLEAR and parse_colour("#Ff0010") == (255, 0, 16, 255)
    assert parse_colour("ff001080") == (255, 0, 16, 128)
    for wrong in ("", "#fff", "magenta", "#gg0000", "#ff00ff0"):
        with pytest.raises(ValueError, match="is no colour"):
            parse_colour(wrong)


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


def sprite_sheet(path: Path, without: tuple[int, ...] = (), spacing: int = 0) -> Path:
    said = new_layout(40, (16, 16), 8, spacing)
    cells = {place: p for i, (place, p) in enumerate(in_rows(SPRITES, said).items()) if i not in without}
    return save(join_sheet(cells, said), path)


def test_split_then_join_gives_the_same_sheet(tmp_path, capsys):
    file = sprite_sheet(tmp_path / "heroes.png", without=(5, 39), spacing=1)
    code, said, _ = fogcatcher("data", "split-sheet", file, "--out", tmp_path / "cells", capsys=capsys)
    assert code == 0
    assert "cells of 16x16, spacing 1, margin 0: 8 columns, 5 rows, background transparent" in said
    assert "38 cells" in said and "2 empty ones left out" in said
    written = {path.name for path in (tmp_path / "cells").iterdir()}
    assert len(written) == 39 and "heroes-r00-c05.png" not in written
    np.testing.assert_array_equal(read_picture(tmp_path / "cells" / "heroes-r02-c03.png"), SPRITES[19])

    out = tmp_path / "new" / "back.png"
    code, said, _ = fogcatcher("data", "join-sheet", tmp_path / "cells", "--out", out, capsys=capsys)
    assert code == 0 and "the same sheet as heroes.png, pixel for pixel" in said
    np.testing.assert_array_equal(read_picture(out), read_picture(file))
    atlas = json.loads(out.with_suffix(".json").read_text())
    assert (atlas["image"], atlas["width"], atlas["height"]) == ("back.png", 8 * 17 - 1, 5 * 17 - 1)
    assert len(atlas["frames"]) == 38
    assert atlas["frames"]["heroes-r02-c03.png"] == {"x": 3 * 17, "y": 2 * 17, "w": 16, "h": 16}


def test_a_repainted_cell_changes_its_place_alone(tmp_path, capsys):
    file = sprite_sheet(tmp_path / "s.png")
    fogcatcher("data", "split-sheet", file, "--out", tmp_path / "c", capsys=capsys)
    save(noise(1, 16, 16), tmp_path / "c" / "s-r01-c02.png")
    (tmp_path / "c" / "s-r04-c07.png").unlink()
    save(noise(2, 16, 16), tmp_path / "c" / "another.png")
    out = tmp_path / "b.png"
    code, said, _ = fogcatcher("data", "join-sheet", tmp_path / "c", "--out", out, capsys=capsys)
    assert code == 0 and "pixel for pixel" not in said
    assert "1 cells are missing" in said and "1 pictures are not in sheet.json" in said
    expected = read_picture(file)
    expected[16:32, 32:48] = noise(1, 16, 16)
    expected[64:80, 112:128] = 0
    np.testing.assert_array_equal(read_picture(out), expected)


def test_a_sheet_with_something_left_over(tmp_path, capsys):
    file = save(noise(0, 37, 50), tmp_path / "odd.png")
    code, said, _ = fogcatcher(
        "data", "split-sheet", file, "--cell", "16", "--out", tmp_path / "c", capsys=capsys
    )
    assert code == 0 and "6 cells" in said
    assert "not a whole number of cells: 2 pixels at the right and 5 at the bottom are in none" in said
    fogcatcher("data", "join-sheet", tmp_path / "c", "--out", tmp_path / "b.png", capsys=capsys)
    np.testing.assert_array_equal(read_picture(tmp_path / "b.png"), read_picture(file))


def test_folders_are_never_overwritten_but_by_the_same_cells(tmp_path, capsys):
    file, out = sprite_sheet(tmp_path / "s.png"), tmp_path / "c"
    assert fogcatcher("data", "split-sheet", file, "--out", out, capsys=capsys)[0] == 0
    (out / "s-r00-c00.png").unlink()  # as if it had been interrupted
    assert fogcatcher("data", "split-sheet", file, "--out", out, capsys=capsys)[0] == 0
    assert (out / "s-r00-c00.png").exists()
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = ("data", "split-sheet", file, "--out", out, "--cell", "8")
    code, _, errors = fogcatcher(*again, capsys=capsys)
    assert code == 2 and "does not hold these cells" in errors
    changed = sprite_sheet(tmp_path / "s.png", without=(7,))
    assert fogcatcher("data", "split-sheet", changed, "--out", out, capsys=capsys)[0] == 2
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_pictures_of_a_folder_in_their_natural_order(tmp_path, capsys):
    for number in (10, 9, 1):
        save(np.full((4, 4, 4), 20 * number, np.uint8), tmp_path / "p" / f"a{number}.png")
    save(np.full((2, 3, 4), 255, np.uint8), tmp_path / "p" / "b.png")
    out = tmp_path / "s.png"
    line = ("data", "join-sheet", tmp_path / "p", "--out", out, "--columns", 2, "--spacing", 1, "--margin", 2)
    code, said, _ = fogcatcher(*line, capsys=capsys)
    assert code == 0 and "2 sizes" in said
    frames = json.loads((tmp_path / "s.json").read_text())["frames"]
    assert {name: tuple(frame.values()) for name, frame in frames.items()} == {
        "a1.png": (2, 2, 4, 4),
        "a9.png": (7, 2, 4, 4),
        "a10.png": (2, 7, 4, 4),
        "b.png": (7, 7, 3, 2),
    }
    rgba = read_picture(out)
    assert rgba.shape == (13, 13, 4)
    assert [rgba[y, x, 0] for x, y in ((2, 2), (7, 2), (2, 7), (7, 7), (10, 9))] == [20, 180, 200, 255, 0]
    assert fogcatcher(*line, capsys=capsys)[0] == 0  # its own sheet may be written again


def test_a_background_shows_between_and_through(tmp_path, capsys):
    half = np.zeros((2, 2, 4), np.uint8)
    half[0] = (255, 255, 255, 255)
    save(half, tmp_path / "p" / "a.png")
    out = tmp_path / "s.png"
    line = ("data", "join-sheet", tmp_path / "p", "--out", out, "--margin", 1, "--background", "#0000ff")
    assert fogcatcher(*line, capsys=capsys)[0] == 0
    blue, white = [0, 0, 255, 255], [255] * 4
    assert read_picture(out).tolist() == [
        [blue] * 4,
        [blue, white, white, blue],
        [blue] * 4,
        [blue] * 4,
    ]


def test_mistakes_with_sheets_are_one_sentence_and_exit_code_2(tmp_path, capsys):
    sheet = sprite_sheet(tmp_path / "s.png")
    (tmp_path / "text.png").write_text("x")
    (tmp_path / "flat").mkdir()
    flat = save(np.full((32, 32, 4), 255, np.uint8), tmp_path / "flat" / "flat.png")
    (tmp_path / "none").mkdir()
    save(SPRITES[0], tmp_path / "bad" / "a.png")
    (tmp_path / "bad" / "sheet.json").write_text("{")
    fogcatcher("data", "split-sheet", sheet, "--out", tmp_path / "cells", capsys=capsys)
    save(noise(0, 8, 8), tmp_path / "cells" / "s-r00-c00.png")
    new, out = tmp_path / "new", tmp_path / "out.png"
    split, join = ("data", "split-sheet"), ("data", "join-sheet")
    cases = [
        ((*split, tmp_path / "missing.png", "--out", new), "there is no file"),
        ((*split, tmp_path / "text.png", "--out", new), "is not a picture"),
        ((*split, tmp_path / "none", "--out", new), "none "),
        ((*split, sheet, "--out", new, "--cell", "big"), "is not a size"),
        ((*split, sheet, "--out", new, "--cell", "0"), "1 pixel or more"),
        ((*split, sheet, "--out", new, "--cell", "999"), "not one cell of 999x999"),
        ((*split, sheet, "--out", new, "--spacing", "-1"), "from 0 to 100,000, not -1"),
        ((*split, flat, "--out", new), "one flat colour"),
        ((*split, flat, "--out", new, "--cell", "16"), "every cell"),
        ((*split, sheet, "--out", sheet), "is a file"),
        ((*split, sheet, "--out", tmp_path / "flat"), "is not empty"),
        ((*join, tmp_path / "missing", "--out", out), "there is no folder"),
        ((*join, tmp_path / "none", "--out", out), "there are no pictures"),
        ((*join, tmp_path / "bad", "--out", out), "cannot be used"),
        ((*join, tmp_path / "cells", "--out", out), "is 8x8, but its cell is 16x16"),
        ((*join, tmp_path / "flat", "--out", tmp_path / "out.jpg"), "end it in .png"),
        ((*join, tmp_path / "flat", "--out", tmp_path / "flat" / "s.png"), "lies among the pictures"),
        ((*join, tmp_path / "flat", "--out", sheet), "join-sheet did not write it"),
        ((*join, tmp_path / "flat", "--out", out, "--background", "red"), "'red' is no colour"),
        ((*join, tmp_path / "flat", "--out", out, "--columns", "0"), "from 1 to 1,000,000, not 0"),
        ((*join, tmp_path / "flat", "--out", out, "--margin", "99999"), "is too large"),
    ]
    content = sheet.read_bytes()
    for arguments, sentence in cases:
        code, _, errors = fogcatcher(*arguments, capsys=capsys)
        assert code == 2, arguments
        assert sentence in errors, (arguments, errors)
        assert errors.startswith("fogcatcher: ") and errors.count("\n") == 1, errors
    assert not new.exists() and not out.exists() and sheet.read_bytes() == content


def test_sheet_commands_show_an_example(capsys):
    for command in ("split-sheet", "join-sheet"):
        code, said, _ = fogcatcher("data", command, "--help", capsys=capsys)
        assert code == 0 and f"Example:  fogcatcher data {command}" in said
