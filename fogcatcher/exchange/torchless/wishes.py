"""From a wish to the numbers that a network is told: ``data/conditions/conditions.py`` without torch.

An attribute is a mapping as in ``conditions.json``: its name, its type, and what the type needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from fogcatcher.base.errors import UserError, unknown_name
from fogcatcher.base.numbers import number
from fogcatcher.base.typed_json import shown

Attribute = Mapping[str, Any]
UNKNOWN_WORD = 1
COLOUR_WAVES = 4
# OKLab of linear sRGB: the constants and their source are in fogcatcher/oklab.py.
LMS_FROM_LINEAR = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB_FROM_ROOTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def encode(attribute: Attribute, wish: object, features: int) -> NDArray[np.float32]:
    """Return (features,); zeros for None. Raises UserError for what cannot be asked."""
    if wish is None:
        return np.zeros(features, dtype=np.float32)
    if attribute["type"] not in ENCODERS:
        raise UserError(
            f"a {attribute['type']} such as {attribute['name']} needs torch: draw with fogcatcher.load."
        )
    return np.asarray(ENCODERS[attribute["type"]](attribute, wish, features), dtype=np.float32)


def _category(attribute: Attribute, wish: object, features: int) -> list[float]:
    mix = _mix(attribute, wish)
    for name in mix:
        if name not in attribute["classes"]:
            raise unknown_name(attribute["name"], name, attribute["classes"])
    return [mix.get(name, 0.0) for name in attribute["classes"]]


def _mix(attribute: Attribute, wish: object) -> Mapping[str, float]:
    """A mix, {"hero": 1, "food": 0.6}, perhaps written hero:1,food:0.6; a class alone has weight 1."""
    if isinstance(wish, Mapping):
        return {name: _weight(attribute, name, weight) for name, weight in wish.items()}
    name = str(wish).lower() if isinstance(wish, bool) else str(wish)
    if name in attribute["classes"] or not isinstance(wish, str) or ":" not in wish:
        return {name: 1.0}
    parts = [part.rpartition(":") for part in wish.split(",")]
    try:
        mix = {name.strip(): number(weight) for name, _, weight in parts}
        if len(mix) < len(parts):
            raise ValueError
    except ValueError:
        said = f"a mix has the form hero:1,food:0.6, each once, not {shown(wish)}."
        raise UserError(f"{attribute['name']}: {said}") from None
    return mix


def _weight(attribute: Attribute, name: str, weight: object) -> float:
    try:
        return number(weight)
    except ValueError:
        said = f"{attribute['name']}: the weight of {name} is a number; {shown(weight)} is none."
        raise UserError(said) from None


def _tags(attribute: Attribute, wish: object, features: int) -> list[float]:
    """1 has it, -1 has it not ("flying, -dark"), 0 not said."""
    parts = re.split(r"\s*[;|,]\s*", wish) if isinstance(wish, str) else wish
    parts = parts if isinstance(parts, (list, tuple)) else [parts]
    signs: dict[str, float] = {}
    for tag in (text for part in parts if (text := str(part).strip())):
        name = tag.removeprefix("-")
        if name not in attribute["tags"]:
            raise unknown_name(attribute["name"], name, attribute["tags"])
        signs[name] = -1 if tag.startswith("-") else 1
    return [signs.get(name, 0) for name in attribute["tags"]]


def _number(attribute: Attribute, wish: object, features: int) -> list[float]:
    name, low, high = attribute["name"], attribute["low"], attribute["high"]
    try:
        value = float(wish)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name} is a number; {shown(wish)} is none.") from None
    if not low <= value <= high:
        raise UserError(f"{name} must be from {low:g} to {high:g}, not {value:g}.")
    return [1.0, *_waves((value - low) / (high - low), features - 2)]


def _waves(u: float, count: int) -> list[float]:
    """A number of [0, 1] as itself in [-1, 1] and cos(pi k u), k = 1 ... count."""
    return [2 * u - 1, *np.cos(np.pi * u * np.arange(1, count + 1)).tolist()]


def _colour(attribute: Attribute, wish: object, features: int) -> list[float]:
    lightness, a, b = _oklab(np.array(_rgb(attribute["name"], wish)) / 255)
    # a and b of all sRGB colours lie within 0.33 of grey.
    places = (lightness, (a + 0.35) / 0.7, (b + 0.35) / 0.7)
    return [1.0, *(wave for place in places for wave in _waves(place, COLOUR_WAVES))]


def _rgb(name: str, wish: object) -> tuple[float, float, float]:
    """(r, g, b), 0..255, of #rrggbb, of a CSS name, or of a list of three numbers."""
    try:
        if isinstance(wish, str):
            r, g, b = ImageColor.getrgb(wish.strip())[:3]
        else:
            r, g, b = (number(part) for part in wish)  # type: ignore[union-attr]
        if not all(0 <= part <= 255 for part in (r, g, b)):
            raise ValueError("each part is from 0 to 255")
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} is a colour such as #20c0ff or teal; {shown(wish)} is none.") from error
    return r, g, b


def _oklab(srgb: NDArray[np.float64]) -> list[float]:
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clip(min=0.04045) + 0.055) / 1.055) ** 2.4)
    return (LAB_FROM_ROOTS @ np.cbrt(LMS_FROM_LINEAR @ linear)).tolist()


def _text(attribute: Attribute, wish: object, features: int) -> list[float]:
    """Word i of the vocabulary is i + 2, any other word 1, no word 0."""
    numbers = {word: i + 2 for i, word in enumerate(attribute["words"])}
    words = re.findall(r"[^\W_]+", str(wish).lower())
    if words and not set(words) & set(numbers):
        raise unknown_name(f"word of {attribute['name']}", words[0], attribute["words"][:40])
    said = [numbers.get(word, UNKNOWN_WORD) for word in words][:features]
    return [*said, *[0] * (features - len(said))]


ENCODERS: Mapping[str, Callable[[Attribute, object, int], list[float]]] = {
    "category": _category,
    "tags": _tags,
    "number": _number,
    "colour": _colour,
    "text": _text,
}
