"""What the commands that read pictures have in common: the path, and every choice about reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from fogcatcher.data.options import DataOptions, Fit, Resample


@dataclass
class DataArguments:
    """Every choice about the pictures."""

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA", help_behavior_hint="")]
    """Folder of pictures, zip or tar archive, .npy or .npz arrays, folder of IDX files or of tar shards,
    'train-{000..012}.tar' (in quotes), saved Hugging Face data set, hub:NAME, or "sprites", the built-in
    set."""
    size: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="")] = None
    """Size of the pictures: 16, or 24x32 for width x height. Default: one that suits nearly all, up to 64."""
    condition: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:TYPE]", help_behavior_hint="(repeatable)")]
    ] = ()
    """Column to learn as a condition: category, tags, number, colour or text, by content unless TYPE says.
    NAME:TYPE:SHARE also says how often it is left unsaid in training. Default: kind, label, class, category
    or type (sub-folders are label), with captions, tags and colours. "all": every usable column; "none"."""
    labels: Annotated[str, tyro.conf.arg(metavar="RULE")] = "auto"
    """Where labels come from: auto, metadata, dataset.json, sidecars, folders, prefix, none."""
    unmatched: Annotated[str, tyro.conf.arg(metavar="HOW")] = "error"
    """Where rows of labels and pictures do not match: error, or use what is there."""
    where: Annotated[str | None, tyro.conf.arg(metavar="EXPRESSION", help_behavior_hint="")] = None
    """Use only pictures for which this is true: 'view == "front" and not shiny'."""
    classes: Annotated[str | None, tyro.conf.arg(metavar="A,B", help_behavior_hint="")] = None
    """Use only these classes of the usual label."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Use at most so many pictures, chosen evenly."""
    balance: Annotated[str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="")] = None
    """Train equally often on every class of this column."""
    hold_out: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.05
    """Share of pictures kept out of training, for judging."""
    group: Annotated[str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="")] = None
    """Pictures of equal value here stay on one side of the hold-out."""
    alpha: Annotated[str, tyro.conf.arg(metavar="HOW")] = "keep"
    """Transparency: keep, drop, or composite:#rrggbb (paint pictures over a colour)."""
    fit: Fit = "pad"
    """Pictures of another shape: pad, or crop."""
    resample: Resample = "auto"
    """Larger pictures: auto (pixel art by whole steps, photographs smoothly), nearest, or smooth."""
    trim: bool = False
    """Cut away empty borders, and centre what is left."""
    all_frames: bool = False
    """Use every frame of animated files, not just the first."""
    max_bad: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.05
    """Stop if more than this share of the pictures cannot be read."""

    def options(self) -> DataOptions:
        """Return the choices as the library takes them. Raises UserError for what cannot be."""
        from fogcatcher.cli.arguments import parse_size

        return DataOptions(
            size=parse_size(self.size) if self.size else None,
            alpha=self.alpha,
            fit=self.fit,
            resample=self.resample,
            trim=self.trim,
            all_frames=self.all_frames,
            labels=self.labels,
            unmatched=self.unmatched,
            max_bad=self.max_bad,
            where=self.where,
            classes=tuple(part.strip() for part in (self.classes or "").split(",") if part.strip()),
            limit=self.limit,
            balance=self.balance,
            hold_out=self.hold_out,
            group=self.group,
        )
