"""What a person asks of a column: NAME, NAME:TYPE or NAME:TYPE:DROPOUT. It loads nothing."""

from __future__ import annotations

from fogcatcher.base.errors import Message, UserError, unknown_name

KINDS = ("category", "tags", "number", "colour", "text")


def asked_for(text: str) -> tuple[str, str, float | None]:
    """Return the name, type ("" where it is not said) and dropout of NAME, NAME:TYPE or NAME:TYPE:DROPOUT.

    A name may hold colons where a type follows. Raises UserError for unknown types and shares that cannot be.
    """
    name, colon, kind = text.rpartition(":")
    if not colon:
        return text, "", None
    if kind in KINDS:
        return name, kind, None
    before, _, middle = name.rpartition(":")
    if before and middle in KINDS:
        return before, middle, _share(text, kind)
    name, _, rest = text.partition(":")
    raise unknown_name(f"type of {name}", rest.partition(":")[0], KINDS, about="conditions")


def _share(text: str, share: str) -> float:
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 0.5:
        raise UserError(
            Message(
                "{@conditions:{text!r}}: the dropout is a share from 0 to 0.5, not {share}.",
                text=text,
                share=share,
            )
        )
    return value
