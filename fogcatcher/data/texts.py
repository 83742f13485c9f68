"""Bytes that somebody wrote as text: which letters they are, or that this cannot be known."""

from __future__ import annotations

import codecs
import re

from fogcatcher.base.errors import Message, UserError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"),
)  # fmt: skip
"""What a file may begin with to say how it is written; the mark of UTF-16 begins that of UTF-32."""
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")
"""How Windows writes the languages of Europe in Latin letters."""
_POSSIBLE = (*_LATIN[:2], "cp1251", "cp932", "gbk", "euc_kr", "big5")
_SHARED = frozenset(
    byte
    for byte in range(0xA0, 0x100)
    if len({bytes([byte]).decode(codec, "replace") for codec in _LATIN}) == 1
    and bytes([byte]).decode("cp1252").isalpha()
)
"""Bytes that are the same letter in all of them."""
_UMLAUTS = "\xe4\xf6\xfc\xc4\xd6\xdc".encode("latin-1")
_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_RUN = re.compile(rb"[\x80-\xff]+")
_SHOWN = 24


def text_codec(name: str) -> str:
    """Return the usual name of an encoding of text. Raises UserError where there is none of that name."""
    try:
        found = codecs.lookup(name)
        if "\0" not in name and found._is_text_encoding:  # type: ignore[attr-defined]
            return found.name
    except (LookupError, ValueError):
        pass
    raise UserError(
        Message("{@encoding:{name}} is no encoding of text: write cp932, gbk, cp1251 or the like.", name=name)
    )


def decoded(content: bytes, where: str, encoding: str | None = None) -> tuple[str, str]:
    """Return a text, and how it was read where that was not told ("" for UTF-8 and what was told).

    Without ``encoding`` it is UTF-8, or what a mark at its start says, or Windows' way of writing European
    words where all such ways agree. Raises UserError, which names the line, where that cannot be known.
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return _strictly(content, where, codec), ""
    if encoding is not None:
        return _strictly(content, where, encoding).removeprefix("\ufeff"), ""
    if content.count(0):
        codec = "utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"
        return _strictly(content, where, codec), ""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if all(map(_is_european, _WORD.findall(content))):
            return content.decode("cp1252"), "cp1252"
        raise _unknown(content, where, error.start) from error
    if "\x1b$" in text or "\x1b(" in text:  # Japanese and Korean in seven bits
        raise _unknown(content, where, content.index(b"\x1b"))
    return text, ""


def _is_european(word: bytes) -> bool:
    """Whether its odd bytes are letters that all of Windows' Latin encodings share, one by one among plain
    ones: other scripts stand in runs, or in pairs. Only an umlaut before a sharp s is as usual."""
    runs = _RUN.findall(word)
    alone = all(len(run) == 1 or (len(run) == 2 and run[0] in _UMLAUTS and run[1] == 0xDF) for run in runs)
    return alone and _SHARED.issuperset(b"".join(runs)) and len(_RUN.sub(b"", word)) >= len(runs)


def _strictly(content: bytes, where: str, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeError as error:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise UserError(
            Message(
                "{where}, line {line} cannot be read as {codec}: save it as UTF-8, or give another "
                "{@encoding}.",
                where=where,
                line=_line(content, at),
                codec=codec,
            )
        ) from error


def _line(content: bytes, at: int) -> int:
    return content[:at].count(b"\n") + 1


def _unknown(content: bytes, where: str, at: int) -> UserError:
    """What the first doubtful words may be, so that a person sees which is right."""
    start = max(content.rfind(separator, 0, at) for separator in (b"\n", b",", b";", b"\t", b'"')) + 1
    part = re.split(rb'[\r\n,;\t"]', content[start : start + 10 * _SHOWN])[0][: 2 * _SHOWN]
    readings: dict[str, str] = {}
    for codec in ("iso2022_jp", "iso2022_kr") if part.isascii() else _POSSIBLE:
        try:
            text = part.decode(codec)[:_SHOWN].strip()
        except UnicodeDecodeError:
            continue
        if text.isprintable() and not text.isascii():
            readings.setdefault(text, codec)
    listed = ", ".join(f"'{text}' in {codec}" for text, codec in readings.items())
    return UserError(
        Message(
            "{where}, line {line} is not UTF-8, so its letters cannot be known{readings}: "
            "name the right one by {@encoding}, or save it as UTF-8.",
            where=where,
            line=_line(content, at),
            readings=f" ({listed})" if listed else "",
        )
    )
