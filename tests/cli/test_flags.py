"""The library speaks of parameters, the command line of flags, and every flag it speaks of exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from PIL import Image

import fogcatcher
from fogcatcher.base.errors import Message, UserError
from fogcatcher.cli.flags import OTHER_FLAGS, as_flag, in_flags
from fogcatcher.cli.main import main
from fogcatcher.cli.train import describe_run
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from tests.commands import refused

PACKAGE = Path(fogcatcher.__file__).parent
LIBRARY = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent.name != "cli"]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in LIBRARY}
MARK = re.compile(r"\{@(\w+)(?::([^{}]*)\})?")
STYLE = re.compile(r"var\(--[\w-]+|@property --\w+|--[\w-]+:")
"""Style sheets of pages name their own properties so."""


def constants(tree: ast.AST) -> Iterator[str]:
    """Every text in the code that is not a docstring: no statement by itself."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_the_library_names_no_flag():
    flagged = {
        f"{path.name}: {text}"
        for path, tree in TREES.items()
        for text in constants(tree)
        if re.search(r"--[a-z]", STYLE.sub("", text))
    }
    assert len(TREES) > 100 and not flagged


def test_every_option_that_the_library_names_is_a_flag(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--tyro-print-completion", "bash"])
    flags = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", capsys.readouterr().out))
    texts = [text for tree in TREES.values() for text in constants(tree)]
    said = {as_flag(name, value).split()[0] for text in texts for name, value in MARK.findall(text)}
    meant = {as_flag(name) for tree in TREES.values() for name in _about(tree)}
    assert {"--size-of-model", "--condition", "--no-metadata"} <= said and "--preset" in meant
    assert said | meant | set(OTHER_FLAGS.values()) <= flags


def _about(tree: ast.AST) -> Iterator[str]:
    """The options that errors are about without naming them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "about" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def test_every_template_has_the_values_that_it_names():
    calls = [
        node
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Message"
    ]
    templates = {
        str(call.args[0].value): {keyword.arg for keyword in call.keywords}
        for call in calls
        if isinstance(call.args[0], ast.Constant)
    }
    assert len(templates) > 30
    for template, values in templates.items():
        assert set(_fields(template)) == values, template


def _fields(template: str) -> Iterator[str]:
    for _, name, spec, _ in Formatter().parse(template):
        if name and not name.startswith("@"):
            yield name
        yield from _fields(spec or "")


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("size_of_model", "", "--size-of-model"),
        ("max_bad", "0.20", "--max-bad 0.20"),
        ("labels", "'none'", "--labels none"),
        ("conditions", '"it\'s"', "--condition it's"),
        ("cell", "(24, 16)", "--cell 16x24"),  # height and width; the command line has them the other way
        ("best", "True", "--best"),
        ("metadata", "False", "--no-metadata"),
        ("n", "8", "-n 8"),
    ],
)
def test_a_parameter_becomes_what_a_person_types(name: str, value: str, flag: str):
    assert as_flag(name, value) == flag


def test_one_mistake_in_python_and_on_the_command_line(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(UserError) as caught:
        DataOptions(hold_out=1.5)
    assert str(caught.value) == "hold_out is a share from 0 to less than 1, not 1.5."
    assert caught.value.options == ("hold_out",)
    said = refused("inspect", "sprites", "--hold-out", "1.5", capsys=capsys)
    assert said == "fogcatcher: --hold-out is a share from 0 to less than 1, not 1.5.\n"


def test_text_that_names_no_option_stays():
    assert in_flags("a {@size} b") == "a {@size} b"
    assert in_flags(Message("add {@unmatched:'use'}{more}", more=Message(" or {@n:2}"))) == (
        "add --unmatched use or -n 2"
    )


def test_notes_speak_to_their_reader_also_from_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fogcatcher.data.reading.CACHE_FROM", 1)
    for i in range(8):
        path = tmp_path / "data" / f"{'knight' if i % 2 else 'slime'}_{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (20 * i, 0, 200)).save(path)
    for _ in range(2):  # read, and taken from the cache
        assert "(labels='none' ignores it)" in read_dataset(tmp_path / "data").notes[0]
    said = "the part of each name before the first _ (--labels none ignores it)"
    monkeypatch.setattr("fogcatcher.runs.forecast.time_step", lambda run, seconds: 0.1)
    main(["inspect", str(tmp_path / "data"), "--html", str(tmp_path / "page.html")])
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "page.html").read_text(encoding="utf-8")
    describe_run(prepare(Setup(str(tmp_path / "data"), steps=1, size_of_model="tiny")))
    told = capsys.readouterr().out
    assert said in told and "few pictures (--augment none does without)" in told
