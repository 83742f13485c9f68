"""Imports go only to a lower floor; the mathematics needs nothing but torch."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fogcatcher"

FLOORS = [
    ["disk", "errors", "memory", "oklab", "processes", "tensors"],
    ["randomness", "schedules", "predictions"],
    ["process", "binomial"],
    ["denoiser", "exact"],
    ["posterior"],
    ["bound"],
    ["objectives", "guidance"],
    ["grids", "samplers", "classifier_guidance"],
    ["solvers", "probability_flow"],
    ["stochastic", "likelihood"],
    ["edits"],
    ["networks", "data", "torchless"],
    ["training", "metrics", "baselines"],
    ["recipes"],
    ["privacy", "typed_json", "finishing", "atlas", "parameters_text"],
    ["hub", "model_card", "loggers", "drawing", "canvas", "edit_recipes", "trained_classifier"],
    ["steering"],
    ["draw_to_disk", "model", "picture_recipes"],
    ["explain"],
    ["exchange", "onnx_runtime", "previews", "nll", "evaluation", "run_log", "classifier_training"],
    ["diffusion_classifier", "feature_segmentation"],
    ["evaluation_page", "monitor", "run_summary", "reproduction"],
    ["run_record"],
    ["runs"],
    ["cli"],
]
FLOOR = {name: number for number, floor in enumerate(FLOORS) for name in floor}
MATHEMATICS = [name for floor in FLOORS[1:11] for name in floor]
STANDARD = {"__future__", "abc", "collections", "dataclasses", "itertools", "math", "typing"}

FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path, at_the_top: bool = False) -> list[tuple[str, str]]:
    """Every imported (package, module below fogcatcher or "")."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_the_top else ast.walk(tree)
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            here = node.module == "fogcatcher"
            names = [f"fogcatcher.{alias.name}" if here else node.module for alias in node.names]
        else:
            continue
        for name in names:
            root, _, rest = name.partition(".")
            found.append((root, rest.split(".")[0]))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_down(path: Path):
    module = module_of(path)
    if module in ("__init__", "__main__"):
        return
    assert module in FLOOR, f"{module} has no floor yet: add it to FLOORS"
    for root, below in imports(path):
        if root == "fogcatcher" and below not in ("", module):
            assert FLOOR[below] < FLOOR[module], f"{module} must not import {below}"


@pytest.mark.parametrize("module", MATHEMATICS)
def test_the_mathematics_imports_only_torch(module: str):
    allowed = {"fogcatcher", "torch", *STANDARD}
    files = [path for path in FILES if module_of(path) == module]
    assert files and {root for path in files for root, _ in imports(path)} <= allowed


def test_no_circles_inside_a_floor():
    """Modules of one folder or floor import each other one way only."""
    names = {path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in FILES}
    modules = {name.removesuffix(".__init__") for name in names.values()}
    graph: dict[str, set[str]] = {}
    for path, name in names.items():
        targets = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                # "from package import module" is an arrow to the module, not to the package.
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= whole if whole <= modules else {node.module}
        graph[name.removesuffix(".__init__")] = targets
    state: dict[str, int] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert state.get(name) != 1, f"import circle: {' -> '.join((*path, name))}"
        if state.get(name) == 2:
            return
        state[name] = 1
        for target in graph.get(name, ()):
            visit(target, (*path, name))
        state[name] = 2

    for name in graph:
        visit(name, ())


def test_no_files_called_utils():
    assert not [p for p in FILES if p.stem in ("utils", "helpers", "common", "misc")]
