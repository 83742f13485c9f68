"""``fogcatcher palette``: find the colours of pictures, and hold pictures to few colours."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError

if TYPE_CHECKING:
    from fogcatcher.data.pictures.palettes import Palette, Rgba

MOST_SHOWN = 32
MOST_SKIPPED_SHOWN = 5
MARK = "palette"
"""Marks the pictures that ``palette apply`` wrote, so that only these are ever written over."""


@dataclass
class Extract:
    """Find the palette of a picture, or of a folder of pictures with its sub-folders.

    Example:  fogcatcher palette extract my-sprites --colours 16 --out my-sprites.gpl
    """

    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
    """Picture, or folder of pictures."""
    colours: Annotated[str, tyro.conf.arg(metavar="N")] = "auto"
    """How many colours, 1 to 256; auto takes all of them, or if there are over 256, as many as matter."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Palette to write: .gpl for GIMP, .hex, or .png. Default: only say what was found."""

    def run(self) -> None:
        from fogcatcher.data.pictures.palettes import (
            choose_palette,
            colour_shares,
            colours_per_picture,
            count_colours,
            write_palette,
        )

        colours = None if self.colours == "auto" else _parse_count(self.colours)
        if self.out is not None:
            _check_palette_output(self.out)
        pictures = PictureFiles(self.path)
        use = count_colours(pictures)
        palette = choose_palette(use, colours, pictures.name)
        each = _spread(colours_per_picture(pictures))
        print(f"{len(use):,} colours in {_pictures(len(pictures))}; each {each}")
        shares = list(zip(palette.hex, colour_shares(use, palette), strict=True))
        for code, share in shares[:MOST_SHOWN]:
            print(f"  #{code} {share:7.2%}")
        if len(shares) > MOST_SHOWN:
            print(f"  and {len(shares) - MOST_SHOWN} more")
        pictures.say_skipped()
        if self.out is not None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            write_palette(palette, self.out)
        print(f"palette of {len(palette)} colours{f': {self.out}' if self.out else ''}")


@dataclass
class Apply:
    """Give every visible pixel of pictures the nearest colour of a palette; transparency stays.

    Example:  fogcatcher palette apply my-sprites --palette pico8 --out my-sprites-pico8
    """

    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
    """Picture, or folder of pictures."""
    palette: Annotated[str, tyro.conf.arg(metavar="PALETTE", help_behavior_hint="(required)")]
    """Palette file (.gpl, .hex, or a picture), pico8, gameboy or sprites; auto or a number of colours to
    extract it from the pictures themselves."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR", help_behavior_hint="(required)")]
    """Folder for the new pictures, each a PNG of the same name."""

    def run(self) -> None:
        from PIL import Image

        from fogcatcher.data.pictures.palettes import apply_palette, colours_per_picture, off_palette_share
        from fogcatcher.data.pictures.sheets import save_png

        pictures = PictureFiles(self.path)
        targets = _targets(pictures, self.out, self.path)
        palette = _palette_for(self.palette, pictures)
        about = {MARK: palette.name, "colours": list(palette.hex)}
        off = off_palette_share(pictures, palette)
        before, after = [], []
        for name, rgba in pictures.items():
            snapped = apply_palette(rgba, palette)
            before += colours_per_picture([rgba])
            after += colours_per_picture([snapped])
            targets[name].parent.mkdir(parents=True, exist_ok=True)
            save_png(Image.fromarray(snapped), targets[name], about)
        pictures.say_skipped()
        print(f"palette {palette.name}: {len(palette)} colours; {off:.1%} of the visible pixels were off it")
        print(f"before, each picture {_spread(before)}; after, each {_spread(after)}")
        print(f"{_pictures(len(after))} in {self.out}")


@dataclass
class PaletteCommands:
    """Find the colours of pictures, and hold pictures to few colours.

    Example:  fogcatcher palette extract my-sprites --colours 16 --out my-sprites.gpl
    """

    command: Annotated[
        Annotated[Extract, tyro.conf.subcommand("extract")] | Annotated[Apply, tyro.conf.subcommand("apply")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        self.command.run()


class PictureFiles:
    """One picture file, or all below a folder, read anew each time, so that many need no memory."""

    def __init__(self, path: Path) -> None:
        from fogcatcher.data.files import FolderFiles
        from fogcatcher.data.pictures.picture_files import SUFFIXES

        if not path.exists():
            raise UserError(f"there is no file or folder {path}: check the spelling, or give the full path.")
        self.name = path.resolve().name if path.is_dir() else path.stem
        self.root = path if path.is_dir() else path.parent
        self.names = [path.name]
        if path.is_dir():
            self.names = [n for n in FolderFiles(path).names if Path(n).suffix.lower() in SUFFIXES]
        if not self.names:
            raise UserError(f"there are no pictures in {path}: give a folder of PNG or other pictures.")
        self.skipped: dict[str, str] = {}

    def items(self) -> Iterator[tuple[str, Rgba]]:
        """Yield (name, (H, W, 4) RGBA). Raises UserError when not one can be read."""
        from fogcatcher.data.pictures.picture_files import Unreadable, read_picture

        for name in self.names:
            try:
                rgba = read_picture(self.root / name)
            except Unreadable as error:
                self.skipped[name] = str(error)
                continue
            yield name, rgba
        if len(self.skipped) == len(self.names):
            name, reason = next(iter(self.skipped.items()))
            raise UserError(f"not one picture can be read; {self.root / name}, for one, {reason}.")

    def __iter__(self) -> Iterator[Rgba]:
        return (rgba for _, rgba in self.items())

    def __len__(self) -> int:
        return len(self.names) - len(self.skipped)

    def say_skipped(self) -> None:
        if self.skipped:
            print(f"{len(self.skipped):,} files skipped:")
        for name, reason in list(self.skipped.items())[:MOST_SKIPPED_SHOWN]:
            print(f"  {name} {reason}")


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise UserError(f"'{text}' is not a number of colours: write 16, or auto.")
    return int(text)


def _palette_for(text: str, pictures: PictureFiles) -> Palette:
    from fogcatcher.data.pictures.palettes import extract_palette, read_palette

    if text == "auto" or (text.isascii() and text.isdigit()):
        return extract_palette(
            pictures, None if text == "auto" else _parse_count(text), pictures.root.resolve().name
        )
    return read_palette(text)


def _check_palette_output(out: Path) -> None:
    """Refuse a name that says no format, and to write over what may be a picture of somebody."""
    from PIL import Image

    if out.suffix.lower() not in (".gpl", ".hex", ".png"):
        raise UserError(f"{out} is no name for a palette: end it in .gpl, .hex or .png.")
    if out.suffix.lower() == ".png" and out.exists():
        try:
            with Image.open(out) as image:
                strip = image.height == 1
        except Exception:  # whatever it is, it is not a strip of colours
            strip = False
        if not strip:
            raise UserError(f"{out} exists and is no palette: choose another name.")


def _targets(pictures: PictureFiles, out: Path, source: Path) -> dict[str, Path]:
    """Return name -> file to write. Raises UserError where one exists that ``apply`` did not write."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: give a folder for the new pictures.")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError(f"{out} lies among the pictures of {source}: choose a folder outside.")
    from fogcatcher.data.pictures.sheets import is_marked

    png = {name for name in pictures.names if Path(name).suffix.lower() == ".png"}
    targets = {name: out / (name if name in png else f"{name}.png") for name in pictures.names}
    for name, target in targets.items():
        same = target.resolve() == (pictures.root / name).resolve()
        if same or (target.exists() and not is_marked(target, MARK)):
            raise UserError(f"{target} exists, and palette apply did not write it: choose another folder.")
    return targets


def _spread(counts: list[int]) -> str:
    if min(counts) == max(counts):
        return f"has {counts[0]:,} colours"
    middle = statistics.median(counts)
    return f"has {min(counts):,} to {max(counts):,} colours, half of them at most {middle:,g}"


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"
