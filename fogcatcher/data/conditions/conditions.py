"""Conditions: named, typed attributes of a picture that a model can be asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from PIL import ImageColor
from torch import Tensor

from fogcatcher.base.errors import Message, UserError, known_name, unknown_name
from fogcatcher.base.memory import free_bytes
from fogcatcher.base.numbers import number
from fogcatcher.base.oklab import oklab_from_srgb, srgb_from_oklab
from fogcatcher.base.printable import printable
from fogcatcher.base.typed_json import AnyFinite, Length, shown, typed, typed_fields
from fogcatcher.data.conditions.attribute import Attribute
from fogcatcher.data.conditions.encoded import EncodedText, Sentence
from fogcatcher.data.values import Value, Wish

WAVES = 8
"""Cosines that describe a number; the fastest tells values apart that differ by an eighth of the range."""
COLOUR_WAVES = 4
LONGEST_TEXT = 32
UNKNOWN_WORD = 1
MOST_ATTRIBUTES = 1000
"""A list of conditions.json is no longer; training with as many would take forever."""
Names = Annotated[tuple[str, ...], Length(1, 100_000)]
TAG_SEPARATORS = re.compile(r"\s*[;|,]\s*")


@dataclass(frozen=True)
class Category(Attribute):
    """One of a few named classes; mixes may be asked for."""

    kind: ClassVar[str] = "category"
    classes: Names

    @property
    def features(self) -> int:
        return len(self.classes)

    def clean(self, wish: Wish) -> Wish:
        """ "hero:1,food:0.6" becomes a mix, unless a class has that very name."""
        if isinstance(wish, str) and wish not in self.classes and ":" in wish:
            wish = _weights(self.name, wish, [part.strip() for part in wish.split(",")], "hero:1,food:0.6")
        if isinstance(wish, Mapping):
            wish = {known_name(self.name, name, self.classes): weight for name, weight in wish.items()}
        elif isinstance(wish, str):
            wish = known_name(self.name, wish, self.classes)
        return super().clean(wish)

    def between(self, a: Wish, b: Wish, u: float) -> Wish:
        if u in (0, 1):
            return b if u else a
        from_a = {name: (1 - u) * weight for name, weight in self._mix(a).items()}
        from_b = {name: u * weight for name, weight in self._mix(b).items()}
        return {name: from_a.get(name, 0) + from_b.get(name, 0) for name in {**from_a, **from_b}}

    @staticmethod
    def _mix(wish: Wish) -> Mapping[str, float]:
        return wish if isinstance(wish, Mapping) else {} if wish is None else {class_name(wish): 1.0}

    def encode(self, wish: Wish) -> Tensor:
        weights = torch.zeros(self.features)
        mix = self._mix(wish)
        for name, weight in mix.items():
            if name not in self.classes:
                raise unknown_name(self.name, name, self.classes)
            weights[self.classes.index(name)] = _weight(self.name, name, weight)
        return weights

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "classes": list(self.classes)}


def _weights(
    attribute: str, wish: str, parts: Sequence[str], example: str, plain: Sequence[str] = ()
) -> dict[str, float]:
    """Return NAME:WEIGHT of each part, 1 for the ``plain`` ones. Raises UserError for anything else."""
    weights: dict[str, float] = {}
    for part in parts:
        name, colon, weight = (part, ":", "1") if part in plain else part.rpartition(":")
        try:
            value = number(weight)
            if not colon or name.strip() in weights:
                raise ValueError
        except ValueError:
            raise UserError(
                f"{attribute}: a mix has the form {example}, each once, not {shown(wish)}."
            ) from None
        weights[name.strip()] = value
    return weights


def _weight(attribute: str, name: str, weight: object) -> float:
    """Raises UserError for a weight that is no number."""
    try:
        return number(weight)
    except ValueError:
        said = f"{attribute}: the weight of {name} is a number; {shown(weight)} is none."
        raise UserError(said) from None


def class_name(value: object) -> str:
    """Return how a value is called as a class: text as it is, true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Tags(Attribute):
    """Any number of named marks: 1 has it, -1 has it not, 0 not said.

    A picture says something about every tag; a wish may name some only, "flying, -dark", or weigh them,
    "fire:1, water:0.5".
    """

    kind: ClassVar[str] = "tags"
    tags: Names

    @property
    def features(self) -> int:
        return len(self.tags)

    def encode(self, wish: Wish) -> Tensor:
        signs = torch.zeros(self.features)
        mix = self._mix(wish)
        named = [tag if tag in self.tags else tag.removeprefix("-") for tag in mix]
        for (tag, weight), name in zip(mix.items(), named, strict=True):
            if name not in self.tags:
                raise unknown_name(self.name, name, self.tags)
            if named.count(name) > 1:
                raise UserError(f"{self.name} asks for '{name}' twice: name each tag once.")
            value = _weight(self.name, name, weight)
            signs[self.tags.index(name)] = value if tag == name else -value
        return signs

    def _mix(self, wish: Wish) -> Mapping[str, float]:
        return wish if isinstance(wish, Mapping) else dict.fromkeys(tags_of(wish), 1.0)

    def clean(self, wish: Wish) -> Wish:
        """ "fire:1, water:0.5" becomes a mix, unless tags have such names."""
        if isinstance(wish, str) and ":" in wish:
            plain = [*self.tags, *(f"-{tag}" for tag in self.tags)]
            tags = tags_of(wish)
            if not set(tags) <= set(plain):
                wish = _weights(self.name, wish, tags, "fire:1,water:0.5", plain)
        return super().clean(wish)

    def encode_picture(self, value: Value) -> Tensor:
        """Return the signs of a picture that has just these tags; zeros where nothing is known."""
        if value is None:
            return torch.zeros(self.features)
        has = set(tags_of(value))
        return torch.tensor([1.0 if tag in has else -1.0 for tag in self.tags])

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "tags": list(self.tags)}


def tags_of(value: object) -> list[str]:
    """Return the tags of a list, or of text that parts them by commas, semicolons or bars."""
    if value is None:
        return []
    parts = TAG_SEPARATORS.split(value) if isinstance(value, str) else value
    parts = parts if isinstance(parts, (list, tuple)) else [parts]
    return [text for part in parts if (text := str(part).strip())]


@dataclass(frozen=True)
class Number(Attribute):
    """A quantity between two ends: encoded by itself and by cosines over its range."""

    kind: ClassVar[str] = "number"
    low: AnyFinite
    high: AnyFinite

    def __post_init__(self) -> None:
        """Raises UserError for a range without an inside."""
        if not self.low < self.high:
            raise UserError(f"{self.name} must have a range, not {self.low:g} to {self.high:g}.")

    @property
    def features(self) -> int:
        return 2 + WAVES

    def encode(self, wish: Wish) -> Tensor:
        if wish is None:
            return torch.zeros(self.features)
        try:
            value = float(wish)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"{self.name} is a number; {shown(wish)} is none.") from None
        if not self.low <= value <= self.high:
            raise UserError(f"{self.name} must be from {self.low:g} to {self.high:g}, not {value:g}.")
        return torch.tensor([1.0, *_waves((value - self.low) / (self.high - self.low), WAVES)])

    def clean(self, wish: Wish) -> Wish:
        super().clean(wish)
        return None if wish is None else float(wish)  # type: ignore[arg-type]

    def between(self, a: Wish, b: Wish, u: float) -> Wish:
        if a is None or b is None or u in (0, 1):
            return super().between(a, b, u)
        return (1 - u) * float(a) + u * float(b)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "low": self.low, "high": self.high}


def _waves(u: float, count: int) -> list[float]:
    """A number of [0, 1] as itself in [-1, 1] and cos(pi k u), k = 1 ... count."""
    return [2 * u - 1, *(math.cos(math.pi * k * u) for k in range(1, count + 1))]


@dataclass(frozen=True)
class Colour(Attribute):
    """A colour, #rrggbb or a name of CSS: encoded by its place in OKLab."""

    kind: ClassVar[str] = "colour"

    @property
    def features(self) -> int:
        return 1 + 3 * (1 + COLOUR_WAVES)

    def encode(self, wish: Wish) -> Tensor:
        if wish is None:
            return torch.zeros(self.features)
        lightness, a, b = oklab_from_srgb(torch.tensor(rgb_of(wish, self.name)) / 255).tolist()
        # a and b of all sRGB colours lie within 0.33 of grey.
        places = (lightness, (a + 0.35) / 0.7, (b + 0.35) / 0.7)
        return torch.tensor([1.0, *(wave for place in places for wave in _waves(place, COLOUR_WAVES))])

    def between(self, a: Wish, b: Wish, u: float) -> Wish:
        """Mixed in OKLab, where the way looks even."""
        if a is None or b is None or u in (0, 1):
            return super().between(a, b, u)
        from_a, from_b = (oklab_from_srgb(torch.tensor(rgb_of(wish, self.name)) / 255) for wish in (a, b))
        rgb = srgb_from_oklab((1 - u) * from_a + u * from_b).clamp(0, 1) * 255
        return "#" + "".join(f"{round(part):02x}" for part in rgb.tolist())


def rgb_of(value: object, name: str = "colour") -> tuple[float, float, float]:
    """Return (r, g, b), 0..255, of #rrggbb, of a CSS name, or of a list of three numbers."""
    try:
        if isinstance(value, str):
            r, g, b = ImageColor.getrgb(value.strip())[:3]
        else:
            r, g, b = (number(part) for part in value)  # type: ignore[union-attr]
        if not all(0 <= part <= 255 for part in (r, g, b)):
            raise ValueError("each part is from 0 to 255")
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} is a colour such as #20c0ff or teal; {shown(value)} is none.") from error
    return r, g, b


@dataclass(frozen=True)
class Text(Attribute):
    """Words in their order; an encoder inside the network learns what they mean from the pictures."""

    kind: ClassVar[str] = "text"
    words: Names
    """The vocabulary; word number i is encoded as i + 2 (0 is nothing, 1 any other word)."""

    @property
    def features(self) -> int:
        return LONGEST_TEXT

    @property
    def vocabulary(self) -> int:
        """How many numbers a word can be encoded as."""
        return len(self.words) + 2

    def encode(self, wish: Wish) -> Tensor:
        numbers = {word: i + 2 for i, word in enumerate(self.words)}
        said = [numbers.get(word, UNKNOWN_WORD) for word in words_of(wish)][:LONGEST_TEXT]
        return torch.tensor([*said, *[0] * (LONGEST_TEXT - len(said))], dtype=torch.float32)

    def one_by_one(self, wish: Wish) -> list[str]:
        return words_of(wish)[:LONGEST_TEXT]

    def clean(self, wish: Wish) -> Wish:
        """Raises UserError where the model knows none of the words."""
        said = words_of(wish)
        if said and not set(said) & set(self.words):
            raise unknown_name(f"word of {self.name}", said[0], self.words[:40])
        return wish

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "words": list(self.words)}


def words_of(value: object) -> list[str]:
    """Return the words of a text, in small letters."""
    return re.findall(r"[^\W_]+", "" if value is None else str(value).lower())


_KINDS: Mapping[str, type[Attribute]] = {
    a.kind: a for a in (Category, Tags, Number, Colour, Text, Sentence, EncodedText)
}


@dataclass(frozen=True)
class ConditionSpec:
    """All the attributes of a model, with the names people use for them."""

    attributes: tuple[Attribute, ...] = ()

    @property
    def main(self) -> Category | None:
        """The first category: what a sheet shows row by row when nobody asks for anything else."""
        return next((a for a in self.attributes if isinstance(a, Category)), None)

    @property
    def shown(self) -> tuple[str, Names]:
        """What a sheet shows row by row when nobody asks for anything: an attribute, and its classes or tags.

        The first category, without any the first tags; ("", ()) where there is neither.
        """
        if self.main:
            return self.main.name, self.main.classes
        return next(((a.name, a.tags) for a in self.attributes if isinstance(a, Tags)), ("", ()))

    def encode(self, wishes: Sequence[Mapping[str, Wish]]) -> dict[str, Tensor]:
        """Return attribute -> (B, features), one row per wish; what is not said stays zero.

        Raises UserError for an unknown attribute or class, naming the valid ones.
        """
        self._check_names({name for wish in wishes for name in wish})
        return {a.name: torch.stack([a.encode(wish.get(a.name)) for wish in wishes]) for a in self.attributes}

    def encode_pictures(self, columns: Mapping[str, Sequence[Value]]) -> dict[str, Tensor]:
        """Return attribute -> (N, features) of a data set's columns; missing values are zeros.

        Raises UserError where memory does not hold them.
        """
        encoded = {}
        for a in self.attributes:
            needed, free = 4 * a.features * len(columns[a.name]), free_bytes()
            if needed > free:
                raise UserError(
                    f"{a.name} takes {needed / 1e9:,.1f} GB of memory as {a.features:,} numbers for each of "
                    f"{len(columns[a.name]):,} samples, and {free / 1e9:,.1f} GB are free: train on fewer."
                )
            encode = a.encode_picture if isinstance(a, Tags) else a.encode
            # Most values occur many times: each is encoded once.
            known = {repr(value): encode(value) for value in columns[a.name]}
            encoded[a.name] = torch.stack([known[repr(value)] for value in columns[a.name]])
        return encoded

    def clean(self, wish: Mapping[str, Wish]) -> dict[str, Wish]:
        """Return a wish as recipes keep it. Raises UserError for what this model cannot be asked."""
        names = [attribute.name for attribute in self.attributes]
        wish = {
            known_name("condition", name, names) if names else name: asked for name, asked in wish.items()
        }
        self._check_names(set(wish))
        return {a.name: a.clean(wish[a.name]) for a in self.attributes if a.name in wish}

    def between(self, a: Mapping[str, Wish], b: Mapping[str, Wish], u: float) -> dict[str, Wish]:
        """Return the wish at the share ``u``, 0 to 1, of the way from one to another."""
        said = [attribute for attribute in self.attributes if attribute.name in a or attribute.name in b]
        return {x.name: x.between(a.get(x.name), b.get(x.name), u) for x in said}

    def _check_names(self, names: set[str]) -> None:
        known = [attribute.name for attribute in self.attributes]
        for name in sorted(names - set(known)):
            if not known:
                raise UserError(
                    Message(
                        "this model knows no conditions, so '{name}' cannot be asked of it; "
                        "train with labels (sub-folders, or {@conditions:'COLUMN'}) to get them.",
                        name=name,
                    )
                )
            raise unknown_name("condition", name, known)

    def to_json(self) -> list[dict[str, Any]]:
        return [attribute.to_json() for attribute in self.attributes]

    @staticmethod
    def from_json(rows: object, where: object = "conditions.json") -> ConditionSpec:
        """Raises UserError for what is no list of attributes that this version knows; it names ``where``."""
        try:
            attributes = typed(rows, Annotated[list[dict[str, object]], Length(0, MOST_ATTRIBUTES)], "")
            found = [_from_json(row, f"[{i}]") for i, row in enumerate(attributes)]
        except ValueError as error:
            said = printable(str(error))
            raise UserError(f"{where} holds conditions that this version cannot read: {said}.") from error
        return ConditionSpec(tuple(found))


def _from_json(row: dict[str, object], place: str) -> Attribute:
    kind = typed(row.get("type"), str, f"{place}.type")
    if kind not in _KINDS:
        raise ValueError(f"{place}.type must be {' or '.join(_KINDS)}, not {shown(kind)}")
    return typed_fields(_KINDS[kind], {key: row[key] for key in row if key != "type"}, place)
