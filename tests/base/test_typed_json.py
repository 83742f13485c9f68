"""One reader of all JSON: what fits passes unchanged, and all else is one sentence with its place."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import DEEPEST, parsed, read_json
from fogcatcher.base.typed_json import AnyFinite, AnyFloat, Length, Range, typed, typed_fields

PACKAGE = Path(__file__).parents[2] / "fogcatcher"


@dataclass(frozen=True)
class Inner:
    width: Annotated[int, Range(1, 4096)]
    names: Annotated[tuple[str, ...], Length(0, 2)] = ()


@dataclass(frozen=True)
class Outer:
    inner: Inner
    fit: Literal["pad", "crop"] = "pad"
    size: tuple[int, int] | None = None
    shape: Inner | None = None
    shares: Mapping[str, Annotated[float, Range(0, 1)]] = field(default_factory=dict)
    hidden: int = field(default=3, init=False)

    def __post_init__(self) -> None:
        if self.size == (1, 1):
            raise UserError("a size of 1x1 cannot be.")


def test_what_fits_becomes_the_dataclass_that_the_hints_describe():
    tree = {
        "inner": {"width": 32, "names": ["a", "b"]},
        "fit": "crop",
        "size": [8, 16],
        "shape": {"width": 1},
        "shares": {"kind": 0.25, "size": 1},
    }
    shares = {"kind": 0.25, "size": 1}
    assert typed_fields(Outer, tree) == Outer(Inner(32, ("a", "b")), "crop", (8, 16), Inner(1), shares)
    assert typed_fields(Outer, {"inner": {"width": 4096}}) == Outer(Inner(4096))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inner": {"width": "32"}}, "inner.width must be a whole number from 1 to 4,096, not '32'"),
        ({"inner": {"width": 0}}, "inner.width must be a whole number from 1 to 4,096, not 0"),
        ({"inner": {"width": 1e3}}, "inner.width must be a whole number from 1 to 4,096, not 1000.0"),
        ({"inner": {"width": True}}, "inner.width must be a whole number from 1 to 4,096, not true"),
        ({"inner": {"width": None}}, "inner.width must be a whole number from 1 to 4,096, not null"),
        ({"inner": {"width": 1, "names": []}, "fit": []}, "fit must be 'pad' or 'crop', not a list of 0"),
        ({"inner": {"width": 1, "names": [""] * 3}}, "inner.names must be a list of 0 to 2, not a list of 3"),
        ({"inner": {"width": 1, "names": ["a", 7]}}, "inner.names[1] must be a text, not 7"),
        ({"inner": {"width": 1, "depth": 2}}, "inner.depth is unknown to this version"),
        ({"inner": {}}, "inner.width is missing"),
        ({"inner": []}, "inner must be an object, not a list of 0"),
        ({"fit": "stretch"}, "fit must be 'pad' or 'crop', not 'stretch'"),
        ({"size": [8]}, "size must be a list of 2 or null, not a list of 1"),
        ({"size": [8, "x"]}, "size[1] must be a whole number, not 'x'"),
        ({"size": [1, 1]}, "a size of 1x1 cannot be"),
        ({"shape": {"width": -1}}, "shape.width must be a whole number from 1 to 4,096, not -1"),
        ({"shares": {"kind": 1.5}}, "shares.kind must be a number from 0 to 1, not 1.5"),
        ({"hidden": 3}, "hidden is unknown to this version"),
        ({"\x1b" * 99: 3}, "'" + r"\x1b" * 9 + "... is unknown to this version"),
        ({"fit": "\n" * 99}, "fit must be 'pad' or 'crop', not '" + r"\n" * 18 + "..."),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        typed_fields(Outer, {"inner": {"width": 1}} | change)


def test_numbers_are_of_usual_size_unless_their_range_says_otherwise():
    assert typed(2**63 - 1, int, "x") == 2**63 - 1 and typed(-1e6, float, "x") == -1e6
    assert typed(1e300, AnyFinite, "x") == 1e300 and str(typed(float("nan"), AnyFloat, "x")) == "nan"
    for value, hint in ((2**63, int), (1.1e6, float), (float("nan"), float), (float("inf"), AnyFinite)):
        with pytest.raises(ValueError, match="must be a"):
            typed(value, hint, "x")


def test_a_file_is_read_as_its_hint_asks(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"width": 3, "names": ["\xf0\x9f\x90\x89", "\\ud83d\\udc09"]}')
    assert read_json(path, Inner) == Inner(3, ("\U0001f409", "\U0001f409"))
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json", Inner)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it cannot be read as JSON"),
        (b'{"width": 3', "it cannot be read as JSON"),
        (b'{"width": NaN}', "it cannot be read as JSON (NaN is not a number to compute with"),
        (b'{"width": -Infinity}', "it cannot be read as JSON (-Infinity is not a number to compute with"),
        (b'{"width": 1e999}', "it cannot be read as JSON (1e999 is not a number to compute with"),
        (b'{"width": ' + b"9" * 5000 + b"}", "it cannot be read as JSON (a number of 5,000 digits"),
        (b'{"width": ' + b"9" * 301 + b"}", "it cannot be read as JSON (a number of 301 digits"),
        (b'{"width": ' + b"9" * 300 + b"}", "width must be a whole number from 1 to 4,096, not 9999"),
        (b'{"names": ["\xff"]}', "it is not written in UTF-8"),
        (b'{"names": ["\\ud800"]}', "it is not written in UTF-8"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "it is nested too deeply"),
        (b"[" * DEEPEST + b"]" * DEEPEST, "it must be an object, not a list of 1"),
        (b" " * 1001, "it is larger than 0 MB"),
    ],
    ids=range(14),
)
def test_files_that_nobody_should_have_written(content, said, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    most = 1000 if content.isspace() else 10**6
    with pytest.raises(UserError, match=f"a.json: {re.escape(said)}") as error:
        read_json(path, Inner, most)
    assert len(str(error.value)) < 600 and "\n" not in str(error.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_folders_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(UserError, match=f"{name}: it is not a plain file"):
            read_json(tmp_path / name, Inner)
    with pytest.raises(UserError, match="folder cannot be read"):
        read_json(tmp_path / "folder", Inner)


def test_other_programs_may_write_nan_where_it_is_allowed():
    found: list[Any] = parsed('{"x": [NaN, 1e999, 3, 0.5]}', finite=False)["x"]
    assert str(found) == "[nan, inf, 3, 0.5]"


def test_nothing_reads_json_but_the_reader():
    """One file goes out to people who have nothing else of this program."""
    found = {p.name for p in PACKAGE.rglob("*.py") if re.search(r"json\.loads?\(", p.read_text("utf-8"))}
    assert found == {"read_json.py", "diffusers_pipeline.py"}
