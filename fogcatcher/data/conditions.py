"""Conditions: named attributes of a picture that a model can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.errors import UserError, unknown_name

Wish = str | Mapping[str, float] | None
"""What somebody asks of one attribute: a class, a mix ({"hero": 1, "food": 0.6}), or nothing."""


@dataclass(frozen=True)
class Category:
    """An attribute with one of a few named values."""

    name: str
    classes: tuple[str, ...]

    def weights(self, wish: Wish) -> Tensor:
        """Return (classes,) weights; zeros for None. Raises UserError for an unknown class."""
        mix = {wish: 1.0} if isinstance(wish, str) else (wish or {})
        weights = torch.zeros(len(self.classes))
        for name, weight in mix.items():
            if name not in self.classes:
                raise unknown_name(f"{self.name}", name, self.classes)
            weights[self.classes.index(name)] = weight
        return weights


@dataclass(frozen=True)
class ConditionSpec:
    """All the attributes of a model, with the names people use for them."""

    attributes: tuple[Category, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Attribute -> number of classes."""
        return {attribute.name: len(attribute.classes) for attribute in self.attributes}

    def encode(self, wishes: Sequence[Mapping[str, Wish]]) -> dict[str, Tensor]:
        """Return attribute -> (B, classes) weights, one row per wish; what is not said stays zero.

        Raises UserError for an unknown attribute or class, naming the valid ones.
        """
        known = [attribute.name for attribute in self.attributes]
        for name in {name for wish in wishes for name in wish}:
            if name not in known:
                if not known:
                    raise UserError(
                        f"this model knows no conditions, so '{name}' cannot be asked of it; "
                        "train with labels (sub-folders, or --condition COLUMN) to get them."
                    )
                raise unknown_name("condition", name, known)
        return {
            a.name: torch.stack([a.weights(wish.get(a.name)) for wish in wishes]) for a in self.attributes
        }

    def to_json(self) -> list[dict[str, object]]:
        return [{"name": a.name, "type": "category", "classes": list(a.classes)} for a in self.attributes]

    @staticmethod
    def from_json(rows: Sequence[Mapping[str, object]]) -> ConditionSpec:
        """Raises UserError for an attribute of a type that this version does not know."""
        attributes = []
        for row in rows:
            name, kind, classes = row.get("name"), row.get("type"), row.get("classes")
            if not isinstance(name, str) or kind != "category" or not isinstance(classes, list):
                raise UserError(f"conditions.json holds an attribute this version cannot read: {row}")
            attributes.append(Category(name, tuple(str(c) for c in classes)))
        return ConditionSpec(tuple(attributes))


def categories_of(labels: Mapping[str, Sequence[str | None]]) -> ConditionSpec:
    """Return the spec of columns of labels: each column a category, its classes in alphabetical order."""
    return ConditionSpec(
        tuple(
            Category(name, tuple(sorted({value for value in column if value is not None})))
            for name, column in labels.items()
        )
    )
