"""What was read from files that anybody may have written, as JSON that every page takes."""

from __future__ import annotations

import math
from typing import Any

from fogcatcher.base.errors import Message


def parts_of(said: str) -> dict[str, Any]:
    """Return a sentence as a page finds it in its own language: its template, and what fills that."""
    if not isinstance(said, Message):
        return {"template": said, "values": {}}
    values = {
        name: value if isinstance(value, int | float) else str(value) for name, value in said.values.items()
    }
    return {"template": said.template, "values": as_json(values)}


def as_json(tree: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a tree with null for what is no finite number, and texts that can be sent.

    Names of files need not be UTF-8; what is not becomes question marks.
    """
    if isinstance(tree, dict):
        return {as_json(name): as_json(part) for name, part in tree.items()}
    if isinstance(tree, list | tuple):
        return [as_json(part) for part in tree]
    if isinstance(tree, str):
        return tree if tree.isascii() else tree.encode("utf-8", "replace").decode("utf-8")
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
