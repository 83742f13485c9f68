"""Text of strangers that is shown: names, values and what libraries say of files."""

from __future__ import annotations

LONGEST_LINE = 200


def printable(text: str, longest: int | None = None) -> str:
    """Return text that can be shown and stored: what is no Unicode, and control signs, are written out.

    ``longest`` cuts it after so many letters.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if longest is None or len(safe) <= longest else safe[: longest - 3] + "..."


def in_one_line(error: BaseException | str) -> str:
    """Return what an error says as a part of one sentence: its first line, short and printable."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    return printable(said, LONGEST_LINE).rstrip(".:")
