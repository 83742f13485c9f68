"""What a table says of a picture, and what somebody asks of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Value = str | float | bool | list[Any] | None
"""One entry of a table, as JSON has it (a whole number counts as a float here); None where it is missing."""

Wish = Value | Mapping[str, float]
"""What somebody asks of one attribute: a value, a mix ({"hero": 1, "food": 0.6}), or None for nothing."""

USUAL_LABELS = ("kind", "label", "class", "category", "type")
"""Columns that people mean by "the classes", the first that is there; in small or large letters."""

PREFIX = "hub:"
"""Of the names of data sets and models of the Hub."""
