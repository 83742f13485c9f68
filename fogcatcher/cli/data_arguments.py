"""What the commands that read pictures have in common: the path, and every choice about reading."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

import tyro

from fogcatcher.data.options import Count, DataOptions, Fit, Levels, Resample


@dataclass
class DataArguments:
    """Every choice about the pictures."""

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA", help_behavior_hint="")]
    """Folder of pictures, zip or tar archive, .npy or .npz arrays, folder of IDX files or of tar shards,
    'train-{000..012}.tar' (in quotes), saved Hugging Face data set, hub:NAME, or a built-in set: "sprites",
    "scenes"."""
    kind: Annotated[str, tyro.conf.arg(metavar="KIND")] = DataOptions.kind
    """What the data are: pictures, signals (numbers in .npy, .npz and .csv files), or auto."""
    size: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="")] = None
    """Size of the pictures: 16, or 24x32 for width x height. Default: one that suits nearly all, up to 64."""
    condition: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:TYPE]", help_behavior_hint="(repeatable)")]
    ] = ()
    """Column to learn as a condition: category, tags, number, colour or text, by content unless TYPE says.
    NAME:TYPE:SHARE also says how often it is left unsaid in training. Default: kind, label, class, category
    or type (sub-folders are label), with captions, tags and colours. "all": every usable column; "none"."""
    labels: Annotated[str, tyro.conf.arg(metavar="RULE")] = DataOptions.labels
    """Where labels come from: auto, metadata, dataset.json, sidecars, folders, prefix, none."""
    unmatched: Annotated[str, tyro.conf.arg(metavar="HOW")] = DataOptions.unmatched
    """Where rows of labels and pictures do not match: error, or use what is there."""
    encoding: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = (
        DataOptions.encoding
    )
    """How tables, captions and file names are written that are not UTF-8: cp932, gbk, cp1251 ..."""
    where: Annotated[str | None, tyro.conf.arg(metavar="EXPRESSION", help_behavior_hint="")] = (
        DataOptions.where
    )
    """Use only pictures for which this is true: 'view == "front" and not shiny'."""
    classes: Annotated[str | None, tyro.conf.arg(metavar="A,B", help_behavior_hint="")] = None
    """Use only these classes of the usual label."""
    limit: Annotated[Count | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = DataOptions.limit
    """Use at most so many pictures, chosen evenly."""
    balance: Annotated[str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="")] = (
        DataOptions.balance
    )
    """Train equally often on every class of this column."""
    hold_out: Annotated[float, tyro.conf.arg(metavar="SHARE")] = DataOptions.hold_out
    """Share of pictures kept out of training, for judging."""
    group: Annotated[str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="")] = DataOptions.group
    """Pictures of equal value here stay on one side of the hold-out."""
    alpha: Annotated[str, tyro.conf.arg(metavar="HOW")] = DataOptions.alpha
    """Transparency: keep, drop, or composite:#rrggbb (paint pictures over a colour)."""
    fit: Fit = DataOptions.fit
    """Pictures of another shape: pad, or crop."""
    resample: Resample = DataOptions.resample
    """Larger pictures: auto (pixel art by one whole step, photographs smoothly), nearest, or smooth."""
    trim: bool = DataOptions.trim
    """Cut away empty borders, and centre what is left."""
    cut_out: bool = DataOptions.cut_out
    """Make plain backdrops transparent, whatever their colour: what reaches the border goes, holes stay."""
    cut_out_tolerance: Annotated[Levels, tyro.conf.arg(metavar="LEVELS")] = DataOptions.cut_out_tolerance
    """How many levels of 255 a backdrop may differ from its colour."""
    all_frames: bool = DataOptions.all_frames
    """Use every frame of animated files, not just the first."""
    max_bad: Annotated[float, tyro.conf.arg(metavar="SHARE")] = DataOptions.max_bad
    """Stop if more than this share of the pictures cannot be read."""

    def options(self) -> DataOptions:
        """Return the choices as the library takes them. Raises UserError for what cannot be."""
        from fogcatcher.cli.arguments import parse_size

        named = shared(self, DataOptions)
        classes = (part.strip() for part in (self.classes or "").split(","))
        size = parse_size(self.size) if self.size else None
        return DataOptions(**{**named, "size": size, "classes": tuple(filter(None, classes))})


def shared(arguments: DataArguments, kind: type) -> dict[str, Any]:
    """Return the arguments that fields of a dataclass are called after."""
    given = {option.name for option in fields(arguments)}
    return {field.name: getattr(arguments, field.name) for field in fields(kind) if field.name in given}
