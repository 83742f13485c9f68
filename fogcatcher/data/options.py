"""What a person may choose about the pictures: how they are read, which are used, what is held out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.base.numbers import check_fields
from fogcatcher.base.typed_json import Range
from fogcatcher.data.texts import text_codec

BUILT_IN = ("sprites", "scenes")
"""Names of the sets of pictures that ``data/builtin.py`` draws by rule."""
ALPHA = ("keep", "drop", "composite")
UNMATCHED = ("error", "use")
Fit = Literal["pad", "crop"]
Resample = Literal["auto", "nearest", "smooth"]
Levels = Annotated[int, Range(0, 255)]
Count = Annotated[int, Range(1, 10**9)]
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class DataOptions:
    """All choices about a data set; the defaults suit a folder of sprites."""

    kind: str = "auto"
    """What the data are: pictures, signals, or auto, by what lies there."""
    size: tuple[int, int] | None = None
    """(height, width) to fit pictures to; None takes the usual one."""
    alpha: str = "keep"
    """keep, drop, or composite:#rrggbb (painted over that colour)."""
    fit: Fit = "pad"
    """pad, or crop, what has another shape."""
    resample: Resample = "auto"
    """auto (nearest for pixel art, else smooth), nearest or smooth, for what is larger."""
    trim: bool = False
    """Cut away empty borders and centre what is left."""
    cut_out: bool = False
    """Make plain backdrops transparent, whatever their colour."""
    cut_out_tolerance: Levels = 24
    """How many levels of 255 a channel of a backdrop may differ from its colour. The usual is more than the
    noise of JPEG, and less than any outline."""
    all_frames: bool = False
    """Use every frame of animated files, not just the first."""
    labels: str = "auto"
    """Where labels come from: one of labels.RULES."""
    encoding: str | None = None
    """How tables, captions and names are written that are not UTF-8, such as cp932."""
    unmatched: str = "error"
    """error, or use, where pictures and rows of labels do not match."""
    max_bad: float = 0.05
    """Share of pictures that may be unreadable."""
    where: str | None = None
    """Expression over the columns; pictures it is true for are used."""
    classes: tuple[str, ...] = ()
    """Classes of the usual label column to use; none named means all."""
    limit: Count | None = None
    """Use at most so many pictures, chosen evenly."""
    balance: str | None = None
    """Column whose classes are trained on equally often."""
    hold_out: float = 0.05
    """Share of pictures kept out of training, for judging."""
    group: str | None = None
    """Column whose equal values stay on one side of the hold-out."""

    def __post_init__(self) -> None:
        """Raises UserError for a choice that cannot be."""
        check_fields(self)
        if self.size is not None and not all(8 <= side <= 1024 for side in self.size):
            height, width = self.size
            raise UserError(
                Message("{@size} must be from 8 to 1024, not {width}x{height}.", width=width, height=height)
            )
        kind, _, colour = self.alpha.partition(":")
        if kind not in ALPHA or (kind == "composite") != bool(colour):
            raise UserError(
                Message("{@alpha} '{alpha}' must be keep, drop, or composite:#rrggbb.", alpha=self.alpha)
            )
        if colour and not COLOUR.fullmatch(colour):
            raise UserError(
                Message(
                    "{@alpha} '{alpha}': the colour needs the form #rrggbb, such as #20c0ff.",
                    alpha=self.alpha,
                )
            )
        for option, what, given, valid in (
            ("unmatched", Message("choice for {@unmatched}"), self.unmatched, UNMATCHED),
        ):
            if given not in valid:
                raise unknown_name(what, given, valid, about=option)
        if self.encoding is not None:
            text_codec(self.encoding)
        if not 0 <= self.max_bad <= 1:
            raise UserError(Message("{@max_bad} is a share from 0 to 1, not {share:g}.", share=self.max_bad))
        if not 0 <= self.hold_out < 1:
            raise UserError(
                Message("{@hold_out} is a share from 0 to less than 1, not {share:g}.", share=self.hold_out)
            )

    @property
    def background(self) -> tuple[int, int, int] | None:
        """The colour to paint pictures over; None leaves them as they are."""
        _, _, colour = self.alpha.partition(":#")
        return (int(colour[0:2], 16), int(colour[2:4], 16), int(colour[4:6], 16)) if colour else None
