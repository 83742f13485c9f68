"""``fogcatcher data``: sprite sheets into single pictures, and single pictures into sprite sheets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import read_json
from fogcatcher.cli.ranges import Count, Pixels

if TYPE_CHECKING:
    from fogcatcher.data.pictures.sprite_sheets import Layout, Pixel, Place, Rgba, Sheet

SHEET_FILE = "sheet.json"
MOST_BYTES = 200_000_000
"""Of a sheet.json, which may hold a picture."""


@dataclass(frozen=True, eq=False)
class _Joined:
    """A sheet that was put together."""

    layout: Layout
    cells: dict[Place, Rgba]
    names: dict[Place, str]
    picture: Rgba
    notes: list[str]


@dataclass
class SplitSheet:
    """Cut a sprite sheet into its cells, one PNG each, named NAME-r00-c00.png after row and column.

    Empty cells are left out. Also writes sheet.json, from which join-sheet makes the same sheet again.

    Example:  fogcatcher data split-sheet heroes.png --out heroes
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
    """The sheet: any picture."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR", help_behavior_hint="(required)")]
    """Folder for the cells; a new one, or one with the same cells of the same sheet."""
    cell: Annotated[str, tyro.conf.arg(metavar="SIZE")] = "auto"
    """Size of a cell: 16, or 24x32 for width x height; auto finds it."""
    spacing: Annotated[Pixels | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Pixels between cells. Default: found."""
    margin: Annotated[Pixels | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Pixels around the cells. Default: found."""
    keep_empty: bool = False
    """Write empty cells too."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import parse_size
        from fogcatcher.data.pictures.sprite_sheets import detect_layout, digest, split_sheet, to_document

        rgba = _read(self.file)
        cell = None if self.cell == "auto" else parse_size(self.cell)
        layout = detect_layout(rgba, cell, self.spacing, self.margin)
        for line in describe(layout):
            print(line)
        sheet = split_sheet(rgba, layout, self.keep_empty)
        if not sheet.cells:
            raise UserError(f"every cell of {self.file} is empty: --keep-empty writes them all the same.")
        names = _cell_names(self.file.stem, sheet)
        document = {"source": self.file.name, "digest": digest(rgba), **to_document(sheet, names)}
        _claim(self.out, document)
        # First, so that a cut that was interrupted can be repeated.
        write_text(self.out / SHEET_FILE, json.dumps(document, indent=1) + "\n")
        for place, name in names.items():
            _save(sheet.cells[place], self.out / name)
        left_out = f"; {sheet.empty:,} empty ones left out" if sheet.empty else ""
        print(f"{len(names):,} cells in {self.out}{left_out}")


@dataclass
class JoinSheet:
    """Put the pictures of a folder into one sprite sheet, with a JSON atlas of where each one lies.

    If split-sheet made the folder and nothing else is said, it becomes the same sheet again; else the
    pictures are placed row by row, sorted by name.

    Example:  fogcatcher data join-sheet heroes --out heroes-new.png --columns 8
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
    """Folder of pictures; its sub-folders are not used."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.png", help_behavior_hint="(required)")]
    """The sheet; the atlas gets the same name with .json."""
    columns: Annotated[Count | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Cells in a row. Default: so many that the sheet is about square."""
    spacing: Annotated[Pixels | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Pixels between cells. Default: 0."""
    margin: Annotated[Pixels | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Pixels around the cells. Default: 0."""
    background: Annotated[str | None, tyro.conf.arg(metavar="COLOUR", help_behavior_hint="")] = None
    """What shows between the pictures and through them: none (transparent), or #rrggbb. Default: none."""

    def run(self) -> None:
        if not self.folder.is_dir():
            raise UserError(f"there is no folder {self.folder}: check the spelling, or give the full path.")
        _check_output(self.out, self.folder)
        said = (self.columns, self.spacing, self.margin, self.background)
        again = said == (None, None, None, None) and (self.folder / SHEET_FILE).is_file()
        joined = _from_sheet_file(self.folder) if again else self._from_pictures()
        self.out.parent.mkdir(parents=True, exist_ok=True)
        _save(joined.picture, self.out)
        atlas = self.out.with_suffix(".json")
        write_text(atlas, json.dumps(_atlas(joined, self.out.name), indent=1) + "\n")
        for line in [*joined.notes, *describe(joined.layout)]:
            print(line)
        print(f"{len(joined.cells):,} pictures in {self.out}, their places in {atlas}")

    def _from_pictures(self) -> _Joined:
        from fogcatcher.data.pictures.sprite_sheets import join_sheet, new_layout

        names = _picture_names(self.folder)
        if not names:
            raise UserError(
                f"there are no pictures in {self.folder} itself: give the folder that holds them."
            )
        background = self._background()
        pictures = [_on(background, _read(self.folder / name)) for name in names]
        sizes = {rgba.shape[:2] for rgba in pictures}
        cell = (max(height for height, _ in sizes), max(width for _, width in sizes))
        layout = new_layout(len(names), cell, self.columns, self.spacing or 0, self.margin or 0, background)
        places = [divmod(i, layout.columns) for i in range(len(names))]
        cells = dict(zip(places, pictures, strict=True))
        several = f"the pictures have {len(sizes)} sizes; each lies in the upper left of a cell"
        notes = [several] if len(sizes) > 1 else []
        return _Joined(layout, cells, dict(zip(places, names, strict=True)), join_sheet(cells, layout), notes)

    def _background(self) -> Pixel:
        from fogcatcher.data.pictures.sprite_sheets import CLEAR, parse_colour

        try:
            return CLEAR if self.background is None else parse_colour(self.background)
        except ValueError as error:
            raise UserError(f"--background: {error}; write none, or #rrggbb as in #ff00ff.") from error


@dataclass
class DataCommands:
    """Sprite sheets into single pictures, and single pictures into sprite sheets.

    Example:  fogcatcher data split-sheet heroes.png --out heroes
    """

    command: Annotated[
        Annotated[SplitSheet, tyro.conf.subcommand("split-sheet")]
        | Annotated[JoinSheet, tyro.conf.subcommand("join-sheet")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        self.command.run()


def describe(layout: Layout) -> list[str]:
    """Return what to tell a person about the layout of a sheet, a line each."""
    height, width = layout.cell
    colour = "#" + bytes(layout.background).hex().removesuffix("ff")
    lines = [
        f"cells of {width}x{height}, spacing {layout.spacing}, margin {layout.margin}: "
        f"{layout.columns} columns, {layout.rows} rows, background "
        + (colour if layout.background[3] else "transparent")
    ]
    bottom, right = layout.leftover()
    if bottom or right:
        lines.append(
            f"the sheet, {layout.width}x{layout.height}, is not a whole number of cells: "
            f"{right} pixels at the right and {bottom} at the bottom are in none"
        )
    return lines


def _read(path: Path) -> Rgba:
    from fogcatcher.data.pictures.picture_files import Unreadable, read_picture

    if not path.exists():
        raise UserError(f"there is no file {path}: check the spelling, or give the full path.")
    try:
        return read_picture(path)
    except Unreadable as error:
        raise UserError(f"{path} {error}.") from error


def _on(background: Pixel, rgba: Rgba) -> Rgba:
    """Return the picture with the background showing through; a transparent one changes nothing."""
    import numpy as np
    from PIL import Image

    if background[3] == 0:
        return rgba
    ground = Image.new("RGBA", (rgba.shape[1], rgba.shape[0]), background)
    return np.array(Image.alpha_composite(ground, Image.fromarray(rgba)))


def _save(rgba: Rgba, path: Path) -> None:
    from PIL import Image

    from fogcatcher.data.pictures.sheets import save_png

    save_png(Image.fromarray(rgba), path)


def _cell_names(stem: str, sheet: Sheet) -> dict[Place, str]:
    layout = sheet.layout
    rows, columns = max(2, len(str(layout.rows - 1))), max(2, len(str(layout.columns - 1)))
    return {(r, c): f"{stem}-r{r:0{rows}d}-c{c:0{columns}d}.png" for r, c in sheet.cells}


def _claim(out: Path, document: dict[str, object]) -> None:
    """Make the folder, or refuse one that holds anything but the same cells."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: give a folder for the cells.")
    if out.is_dir() and any(out.iterdir()) and _load_json(out / SHEET_FILE) != document:
        raise UserError(f"{out} is not empty, and does not hold these cells: choose another folder.")
    out.mkdir(parents=True, exist_ok=True)


def _load_json(path: Path) -> object:
    """Return what a JSON file says, None where there is none."""
    try:
        return read_json(path, object, MOST_BYTES)
    except (FileNotFoundError, UserError):
        return None


def _check_output(out: Path, folder: Path) -> None:
    """Refuse to write over anything that join-sheet did not write, and into the folder of the pictures."""
    if out.suffix.lower() != ".png":
        raise UserError(f"{out} is no name for a sheet: end it in .png.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{out} lies among the pictures of {folder}: choose a place outside.")
    atlas = _load_json(out.with_suffix(".json"))
    ours = isinstance(atlas, dict) and atlas.get("image") == out.name and "frames" in atlas
    if not ours and (taken := next((p for p in (out, out.with_suffix(".json")) if p.exists()), None)):
        raise UserError(f"{taken} exists, and join-sheet did not write it: choose another name.")


def _from_sheet_file(folder: Path) -> _Joined:
    """Put the cells back where sheet.json says they were."""
    from fogcatcher.data.pictures.sprite_sheets import digest, from_document, join_sheet

    document = _load_json(folder / SHEET_FILE)
    try:
        layout, names, rest = from_document(document)
    except ValueError as error:
        raise UserError(
            f"{folder / SHEET_FILE} cannot be used ({error}): with --columns it is not needed."
        ) from error
    found = set(_picture_names(folder))
    cells = {place: _read(folder / name) for place, name in names.items() if name in found}
    for place, rgba in cells.items():
        if rgba.shape[:2] != layout.cell:
            raise UserError(
                f"{folder / names[place]} is {rgba.shape[1]}x{rgba.shape[0]}, but its cell is "
                f"{layout.cell[1]}x{layout.cell[0]}: mend it, or say --columns for a new sheet."
            )
    joined = join_sheet(cells, layout, rest)
    notes = []
    if isinstance(document, dict) and document.get("digest") == digest(joined):
        notes.append(f"the same sheet as {document.get('source')}, pixel for pixel")
    if missing := len(names) - len(cells):
        notes.append(f"{missing:,} cells are missing and stay empty")
    if extra := len(found - set(names.values())):
        notes.append(f"{extra:,} pictures are not in {SHEET_FILE} and are left out; --columns takes them all")
    return _Joined(layout, cells, names, joined, notes)


def _picture_names(folder: Path) -> list[str]:
    """The pictures of the folder itself, sorted as people count: a2 before a10."""
    from fogcatcher.data.files import FolderFiles
    from fogcatcher.data.pictures.picture_files import SUFFIXES

    names = [n for n in FolderFiles(folder).names if "/" not in n and Path(n).suffix.lower() in SUFFIXES]
    return sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split("([0-9]+)", name)])


def _atlas(joined: _Joined, image: str) -> dict[str, object]:
    frames = {}
    for place, rgba in joined.cells.items():
        y, x = joined.layout.corner(place)
        frames[joined.names[place]] = {"x": x, "y": y, "w": rgba.shape[1], "h": rgba.shape[0]}
    height, width = joined.picture.shape[:2]
    return {"image": image, "width": width, "height": height, "frames": frames}
