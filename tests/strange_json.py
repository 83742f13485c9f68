"""JSON as nobody should have written it: whole trees with one part gone, added, or of a wild kind."""

import copy
import random
from collections.abc import Iterator
from typing import Any

WILD: list[Any] = [
    *("32", "", "x" * 1000, "a\nb\x1b[2J", "imported", "transformer", "betas"),
    *(None, True, 0, 1, 3, -64, 65_536, 10**6, 10**9, 10**300, -1e300, 1e-300, 0.5, 1e6),
    *([], {}, [1] * 20, [[[]]], {"a": {"b": [1]}}, ["x"] * 1000, [10**9] * 16, [0.5] * 2000),
]
"""What may stand in any place instead of what does."""


def places(tree: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every part of a tree."""
    yield path
    for key, part in (
        tree.items() if isinstance(tree, dict) else enumerate(tree if isinstance(tree, list) else ())
    ):
        yield from places(part, (*path, key))


def changed(tree: object, chance: random.Random) -> object:
    """A copy with one part gone, with one too many, or with something wild instead of one."""
    *way, last = chance.choice([path for path in places(tree) if path])
    new = node = copy.deepcopy(tree)
    for key in way:
        node = node[key]  # type: ignore[index]
    kind = chance.random()
    if kind < 0.1:
        del node[last]  # type: ignore[attr-defined]
    elif kind < 0.2 and isinstance(node, dict):
        node[chance.choice(["extra", "\x1b", "x" * 500])] = chance.choice(WILD)
    else:
        node[last] = chance.choice(WILD)  # type: ignore[index]
    return new
