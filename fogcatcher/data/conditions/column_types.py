"""From columns to controls: which columns say something a model can learn, and of what type each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.data.cells import is_number
from fogcatcher.data.conditions.asked import asked_for
from fogcatcher.data.conditions.conditions import (
    Attribute,
    Category,
    Colour,
    ConditionSpec,
    Number,
    Tags,
    Text,
    class_name,
    rgb_of,
    tags_of,
    words_of,
)
from fogcatcher.data.conditions.encoded import Encoded, EncodedText
from fogcatcher.data.selection import Columns, usual_label
from fogcatcher.data.values import USUAL_LABELS, Value

MOST_CLASSES = 200
MOST_WORDS = 4000
MOST_CONTROLS = 8
FEW = 2
"""Of so few columns, without one that is called as classes are, all are meant."""
_TEXT_NAMES = ("text", "caption", "prompt", "description")
_COLOUR_NAMES = ("colour", "color", "rgb")
_FLAGS = {"true", "false", "yes", "no"}


@dataclass
class Controls:
    """What a model will know: the attributes, and how often each is left unsaid in training."""

    spec: ConditionSpec
    dropout: dict[str, float] = field(default_factory=dict)
    """Attribute -> share of pictures for which it is silenced on its own."""
    notes: list[str] = field(default_factory=list)


def choose_controls(columns: Columns, asked: Sequence[str] = (), text_encoder: str | None = None) -> Controls:
    """Turn columns into attributes.

    ``asked``: NAME, NAME:TYPE or NAME:TYPE:DROPOUT each; "all" takes every column that can be used, "none"
    takes none. Nothing asked takes the usual label (kind, label, class, category, type) with any captions,
    tags and colours; without one, the first column of classes with those, or all where there are but two that
    can be used. ``text_encoder`` is the folder of a model
    that turns texts into vectors; without one an encoder is trained along with the rest. Raises UserError
    for unknown columns and types, and for a column that cannot be of the type asked for.
    """
    if list(asked) == ["none"]:
        return Controls(ConditionSpec())
    found = {name: _guess(name, values) for name, values in columns.items()}
    usable = {name: a for name, a in found.items() if isinstance(a, Attribute)}
    if asked and list(asked) != ["all"]:
        chosen, dropout = _asked(columns, found, asked)
    else:
        chosen, dropout = _usual(usable, bool(asked)), {}
    if text_encoder is not None:
        chosen = [_encoded(a, columns[a.name], text_encoder) if isinstance(a, Text) else a for a in chosen]
    # With one attribute the general dropout is enough; several must also be learnt one without another.
    for attribute in chosen:
        dropout.setdefault(attribute.name, 0.25 if len(chosen) > 1 else 0.0)
    return Controls(ConditionSpec(tuple(chosen)), dropout, _notes(columns, found, chosen))


def _encoded(attribute: Text, values: Sequence[Value], text_encoder: str) -> EncodedText:
    """The same column as an encoder of this machine reads it."""
    texts = {str(value) for value in values if value is not None}
    return EncodedText.of(attribute.name, text_encoder, sorted(texts))


def _usual(usable: Mapping[str, Attribute], everything: bool) -> list[Attribute]:
    label = usual_label(dict.fromkeys(usable, ()))
    if label is None:
        label = next((name for name in usable if isinstance(usable[name], Category)), None)
        everything |= len(usable) <= FEW
    names = [label] if label else []
    if everything:
        names += [name for name in usable if name != label]
    else:
        names += [name for name in usable if isinstance(usable[name], (Text, Tags, Colour))]
    return [usable[name] for name in names[:MOST_CONTROLS]]


def _asked(
    columns: Columns, found: Mapping[str, Attribute | str], asked: Sequence[str]
) -> tuple[list[Attribute], dict[str, float]]:
    chosen, dropout = [], {}
    for name, kind, share in map(asked_for, asked):
        if name not in columns:
            raise unknown_name("condition column", name, columns, about="conditions")
        if name in [attribute.name for attribute in chosen]:
            raise UserError(Message("{@conditions} names {name} twice: say its type once.", name=name))
        guess = found[name]
        attribute = _as(kind, name, columns[name]) if kind else guess
        if isinstance(attribute, str):
            raise UserError(f"{name} cannot be a condition: it {attribute}.", about="conditions")
        chosen.append(attribute)
        if share is not None:
            dropout[name] = share
    return chosen, dropout


def _notes(columns: Columns, found: Mapping[str, Attribute | str], chosen: Sequence[Attribute]) -> list[str]:
    notes = [f"condition: {in_words(attribute, columns[attribute.name])}" for attribute in chosen]
    names = {attribute.name for attribute in chosen}
    others = [in_words(a) for name, a in found.items() if name not in names and isinstance(a, Attribute)]
    if others:
        said = "could be conditions too ({@conditions:'NAME'}, or all): {others}"
        notes.append(Message(said, others=", ".join(others)))
    unused = [f"{name} ({reason})" for name, reason in found.items() if isinstance(reason, str)]
    if unused:
        notes.append(f"not conditions: {', '.join(name for name in unused if name not in names)}")
    return notes


def in_words(attribute: Attribute, values: Sequence[Value] = ()) -> str:
    """Return one attribute as people read it: its name, its type, and what it can be asked."""
    match attribute:
        case Category(name, classes):
            said = f"{name} ({len(classes)} classes)"
        case Tags(name, tags):
            said = f"{name} ({len(tags)} tags)"
        case Number(name, low, high):
            said = f"{name} (number, {low:g} to {high:g})"
        case Text(name, words):
            said = f"{name} (text, {len(words)} words)"
        case Encoded(name, encoder):
            said = f"{name} (text, by {encoder})"
        case _:
            said = f"{attribute.name} ({attribute.kind})"
    missing = sum(value is None for value in values)
    return said + (f", missing for {missing:,}" if missing else "")


# --- one column ---------------------------------------------------------------------------------


def _guess(name: str, values: Sequence[Value]) -> Attribute | str:
    """Return the attribute that a column looks like, or why it cannot be one ("NAME ...")."""
    known = [value for value in values if value is not None]
    distinct = {repr(value) for value in known}
    if len(distinct) < 2:
        return "has one value for all pictures" if known else "has no values"
    kind = _kind(name, known, len(distinct))
    if kind == "number" and len(distinct) == len(known) > 2 and _all_whole(known):
        return "has a number of its own for every picture, like an id"
    return _as(kind, name, values)


def _kind(name: str, known: Sequence[Value], distinct: int) -> str:
    """The type that the content suggests; the name decides only between readings that are both possible."""
    texts = [value for value in known if isinstance(value, str)]
    if all(isinstance(value, list) for value in known):
        return "colour" if _all_colours(known) and any(c in name.lower() for c in _COLOUR_NAMES) else "tags"
    usual = name.lower() in USUAL_LABELS
    is_text = not usual and _is_text(name, texts, distinct, len(known))
    fewer = usual or 2 * sum(map(_is_parted, texts)) <= len(texts)
    if not is_text and _are_tags(texts, fewer):
        return "tags"
    if usual or {class_name(value).lower() for value in known} <= _FLAGS:
        return "category"
    if len(texts) == len(known) and all(text.startswith("#") for text in texts) and _all_colours(known):
        return "colour"
    if all(map(is_number, known)):
        return "number"
    return "text" if is_text else "category"


def _is_text(name: str, texts: Sequence[str], distinct: int, known: int) -> bool:
    words = sum(len(text.split()) for text in texts) / max(1, len(texts))  # a path is no sentence
    return name.lower() in _TEXT_NAMES or (words >= 3 and 4 * distinct > known)


def _is_parted(text: str) -> bool:
    return len(tags_of(text)) > 1


def _are_tags(texts: Sequence[str], fewer: bool) -> bool:
    """Whether parted texts are made of few tags: as many as there are different texts, or fewer than that."""
    if not any(map(_is_parted, texts)):
        return False
    tags, distinct = {tag for text in texts for tag in tags_of(text)}, len(set(texts))
    return len(tags) <= MOST_CLASSES and len(tags) <= distinct - fewer


def _as(kind: str, name: str, values: Sequence[Value]) -> Attribute | str:
    """Return the column as an attribute of this type, or why it cannot be."""
    known = [value for value in values if value is not None]
    if not known:
        return "has no values"
    if kind == "tags":
        tags = Counter(tag for value in known for tag in tags_of(value))
        if len(tags) > MOST_CLASSES:
            return f"has {len(tags):,} different tags; {MOST_CLASSES} are the most"
        return Tags(name, tuple(sorted(tags)))
    if kind == "number":
        if others := [value for value in known if not is_number(value)]:
            return f"holds more than numbers, such as '{others[0]}'"
        numbers = [float(value) for value in known]  # type: ignore[arg-type]
        return Number(name, min(numbers), max(numbers)) if min(numbers) < max(numbers) else "never changes"
    if kind == "colour":
        return Colour(name) if _all_colours(known) else "holds more than colours"
    if kind == "text":
        words = Counter(word for value in known for word in words_of(value))
        return (
            Text(name, tuple(word for word, _ in words.most_common(MOST_WORDS))) if words else "has no words"
        )
    classes = Counter(class_name(value) for value in known)
    if len(classes) > MOST_CLASSES or (len(classes) > 2 and 2 * len(classes) > len(known)):
        return f"has {len(classes):,} different values for {len(known):,} pictures: too many for classes"
    return Category(name, tuple(sorted(classes)))


def _all_whole(known: Sequence[Value]) -> bool:
    return all(float(value).is_integer() for value in known)  # type: ignore[arg-type]


def _all_colours(known: Sequence[Value]) -> bool:
    try:
        return all(len(rgb_of(value)) == 3 for value in known)
    except UserError:
        return False
