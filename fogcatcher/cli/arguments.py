"""Small texts on the command line, and what they mean."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from fogcatcher.base.errors import UserError
from fogcatcher.base.numbers import number
from fogcatcher.base.typed_json import shown

YES_OR_NO = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of "7", "0-63" or "0-7,100,205-207".

    Raises UserError when it is none of these, or names over a million seeds.
    """
    seeds: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part)
        if not match:
            raise UserError(f"--seeds {shown(text)} is not a list of seeds: write 0-63, or 1,5,10-20.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first >= 1_000_000:
            raise UserError(f"--seeds {shown(part)} must rise, and name at most a million seeds.")
        seeds.extend(range(first, last + 1))
    return seeds


def parse_size(text: str) -> tuple[int, int]:
    """Return (height, width) of "16" or "24x32" (width x height). Raises UserError for anything else."""
    match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text.strip().lower())
    if not match:
        raise UserError(f"{shown(text)} is not a size: write 16 for a square, or 24x32 for width x height.")
    return int(match[2] or match[1]), int(match[1])


def parse_condition(
    texts: tuple[str, ...], flag: str = "--condition", example: str = "kind=food"
) -> dict[str, str]:
    """Return the wish of "kind=food", "size=3", "colour=#20c0ff", attribute by attribute.

    Raises UserError where the form is wrong. What the names and values mean, the model knows.
    """
    wish: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise UserError(f"{flag} {shown(text)} needs the form NAME=VALUE, for example {example}.")
        if name in wish:
            raise UserError(f"{flag} names {name} twice ('{wish[name]}', '{value}'): say it once.")
        wish[name] = value
    return wish


def parse_guidance(text: str) -> float | dict[str, float]:
    """Return the scale of "2", or of each attribute of "kind=3,palette=1.5".

    Raises UserError when it is neither.
    """
    try:
        if "=" not in text:
            return number(text)
        pairs = [part.rpartition("=") for part in text.split(",")]
        scales = {name.strip(): number(scale) for name, _, scale in pairs}
    except ValueError:
        raise UserError(f"--guidance {shown(text)} is not a number, nor like kind=3,palette=1.5.") from None
    if len(scales) < len(pairs):
        raise UserError(f"--guidance {shown(text)} names an attribute twice: say it once.")
    return scales


def parse_interval(text: str) -> tuple[float, float]:
    """Return the two noise levels of "0.2,2". Raises UserError when they are none."""
    try:
        low, high = (number(part) for part in text.split(","))
    except ValueError:
        raise UserError(
            f"--guidance-interval {shown(text)} is not LOW,HIGH: two noise levels such as 0.2,2."
        ) from None
    return low, high


def parse_options(
    texts: tuple[str, ...], flag: str = "--sampler-option", example: str = "churn=20"
) -> dict[str, float]:
    """Return the numbers of "churn=20", "noise=1". Raises UserError where the form is wrong."""
    options = parse_condition(texts, flag, example)
    try:
        return {name: number(value) for name, value in options.items()}
    except ValueError:
        raise UserError(f"{flag} {shown(' '.join(texts))} needs numbers, for example {example}.") from None


def parse_values(
    texts: tuple[str, ...], flag: str, example: str
) -> dict[str, bool | float | tuple[float, ...]]:
    """Return the values of "heads=4", "attention=16,8", "attention=none", "resample=yes".

    Raises UserError where the form is wrong.
    """
    try:
        return {name: _value(text) for name, text in parse_condition(texts, flag, example).items()}
    except ValueError:
        raise UserError(
            f"{flag} {shown(' '.join(texts))} needs a number, some joined by commas, none, yes or no: "
            f"for example {example}."
        ) from None


def _value(text: str) -> bool | float | tuple[float, ...]:
    word = text.strip().lower()
    if word in YES_OR_NO:
        return YES_OR_NO[word]
    if word == "none":
        return ()
    parts = tuple(_whole(number(part)) for part in word.split(","))
    return parts if "," in word else parts[0]


def _whole(value: float) -> float:
    """As a whole number where it is one."""
    return int(value) if value == int(value) else value


def folder_name(run: str | Path) -> str:
    """Return what a run, a shipped model or one of the Hub is called; "." and ".." have names too."""
    return Path(run).resolve().name or "model"


def command_name() -> str:
    """Return how this person can type the command again: its name, or its path where that is not found."""
    return "fogcatcher" if shutil.which("fogcatcher") else sys.argv[0]
