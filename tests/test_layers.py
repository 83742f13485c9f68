"""The house: imports go only to a lower floor, never in a circle; the mathematics needs nothing but torch."""

from pathlib import Path

import pytest

from floors import circles, graph_of, imported, modules_of, room_of

ROOT = Path(__file__).parents[1]

FLOORS = [
    ["base"],
    ["diffusion"],
    ["networks"],
    ["data"],
    ["training", "drawing"],
    ["model"],
    ["judging", "explain", "exchange", "applications"],
    ["runs"],
    ["studio"],
    ["cli"],
]
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
FACES = {"", "__main__"}
"""The public names, which come from everywhere, and the door to the commands."""
STANDARD = {"__future__", "abc", "collections", "dataclasses", "importlib", "itertools", "math", "typing"}

MODULES = modules_of(ROOT / "fogcatcher")
GRAPH = graph_of(ROOT / "fogcatcher")


@pytest.mark.parametrize("module", sorted(set(MODULES) - FACES))
def test_imports_go_down(module: str):
    room = room_of(module)
    assert room in FLOOR, f"{room} has no floor yet: add it to FLOORS"
    for target in GRAPH[module]:
        other = room_of(target)
        assert other == room or FLOOR.get(other, 99) < FLOOR[room], f"{module} must not import {target}"


def test_the_mathematics_imports_only_torch_and_one_colour_space():
    files = {name: path for name, path in MODULES.items() if room_of(name) == "diffusion"}
    roots = {target.split(".")[0] for path in files.values() for target in imported(path)}
    assert len(files) > 20 and roots <= {"fogcatcher", "torch", "jaxtyping", *STANDARD}
    outside = {target for name in files for target in GRAPH[name] if room_of(target) != "diffusion"}
    assert outside == {"base.oklab"}


def test_no_file_imports_itself_by_way_of_others():
    assert circles(GRAPH) == []


def test_no_files_called_utils():
    assert not [p for p in MODULES.values() if p.stem in ("utils", "helpers", "common", "misc")]
