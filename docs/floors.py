"""How the house is built, read from the imports:  python docs/floors.py [PACKAGE]

A room is a folder or a file right below the package. A room stands one floor above the highest that it
imports from. Every import counts: at the top, inside functions, and for types alone. Printed are the rooms of
each floor, the arrows back up (imports between rooms that, directly or by way of others, import each other),
and circles (of single files).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "fogcatcher"
Graph = Mapping[str, set[str]]


def modules_of(package: Path) -> dict[str, Path]:
    """Return every module by its dotted name below the package; "" is the package itself."""
    files = sorted(package.rglob("*.py"))
    return {
        ".".join(p.relative_to(package).with_suffix("").parts).removesuffix("__init__").rstrip("."): p
        for p in files
    }


def imported(path: Path) -> Iterator[str]:
    """Yield every dotted name that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph_of(package: Path) -> dict[str, set[str]]:
    """Return module -> the modules of the package that it imports."""
    modules = modules_of(package)
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets = {_nearest(target, package.name, modules) for target in imported(path)}
        graph[name] = {target for target in targets if target is not None and target != name}
    return graph


def _nearest(target: str, package: str, modules: Mapping[str, Path]) -> str | None:
    """The module that holds an imported name; None for another package's."""
    root, *rest = target.split(".")
    if root != package:
        return None
    while rest and ".".join(rest) not in modules:
        rest.pop()
    return ".".join(rest)


def room_of(module: str) -> str:
    return module.split(".")[0]


def rooms_of(graph: Graph) -> dict[str, set[str]]:
    """Return room -> the rooms that it imports from. The package's own file is none."""
    rooms: dict[str, set[str]] = {}
    for module, targets in graph.items():
        if room := room_of(module):
            rooms.setdefault(room, set()).update({room_of(target) for target in targets} - {room, ""})
    return rooms


def circles(graph: Graph) -> list[set[str]]:
    """Return the sets of nodes that reach each other."""
    reach: dict[str, set[str]] = {node: set(targets) for node, targets in graph.items()}
    while True:
        more = {node: near.union(*(reach.get(n, set()) for n in near)) for node, near in reach.items()}
        if more == reach:
            break
        reach = more
    found = {frozenset({m for m in reach[n] if n in reach.get(m, set())}) for n in graph if n in reach[n]}
    return [set(circle) for circle in found]


def floors_of(rooms: Graph) -> dict[str, int]:
    """Return the floor of each room, from 1; rooms of one circle share theirs."""
    together = {room: circle for circle in circles(rooms) for room in circle}
    floors: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in floors:
            mates = together.get(room, {room})
            below = set().union(*(rooms.get(mate, set()) for mate in mates)) - mates
            number = 1 + max((floor(other) for other in below), default=0)
            floors.update(dict.fromkeys(mates, number))
        return floors[room]

    for room in rooms:
        floor(room)
    return floors


def main(package: Path = PACKAGE) -> None:
    graph = graph_of(package)
    rooms = rooms_of(graph)
    floors = floors_of(rooms)
    up = [
        f"{module} -> {target}"
        for circle in circles(rooms)
        for module, targets in graph.items()
        for target in targets
        if {room_of(module), room_of(target)} <= circle and room_of(module) != room_of(target)
    ]
    for number in sorted(set(floors.values())):
        print(f"{number:3}  {'  '.join(sorted(room for room in floors if floors[room] == number))}")
    counts = f"{len(up)} arrows back up, {len(circles(graph))} circles"
    print(f"{len(rooms)} rooms on {max(floors.values())} floors, {counts}")
    for arrow in up:
        print(f"  {arrow}")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
