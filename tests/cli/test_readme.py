"""What the README tells people to type works as typed."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import tyro
from PIL import Image

from fogcatcher.cli.main import Command
from fogcatcher.diffusion.sampling.table import SAMPLERS
from fogcatcher.model.choices import COLUMNS
from fogcatcher.model.presets import PRESETS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4}(fogcatcher .*?)(?:  +#.*)?$", README, re.MULTILINE)


def test_there_are_commands():
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command: str):
    arguments = shlex.split(command)[1:]
    if arguments != ["--help"]:
        parsed: Any = tyro.cli(Command, args=arguments, config=(tyro.conf.OmitSubcommandPrefixes,))  # type: ignore[arg-type]
        assert parsed is not None


def test_the_python_lines_run(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for i in range(6):
        target = tmp_path / "my-sprites" / ("food" if i % 2 else "hero") / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA", (8, 8), (40 * i, 90, 200, 255)).save(target)
    monkeypatch.chdir(tmp_path)
    assert "minutes=10" in block
    exec(block.replace("minutes=10", "steps=2"), {})
    assert (tmp_path / "food.png").exists() and (tmp_path / "runs" / "my-sprites").exists()


def test_links_into_the_source_are_at_the_present_lines():
    """After a change: python docs/renumber.py."""
    page = ROOT / "docs" / "methods.md"
    spec = importlib.util.spec_from_file_location("renumber", ROOT / "docs" / "renumber.py")
    assert spec and spec.loader
    renumber = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(renumber)
    text = page.read_text(encoding="utf-8")
    assert renumber.renumbered(text) == text


METHODS = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")


def test_the_page_of_methods_names_every_preset():
    assert [name for name in PRESETS if f"`{name}`" not in METHODS] == []


def cells_below(header: str) -> list[list[str]]:
    """The rows of the table on the page of methods that starts so."""
    lines = METHODS[METHODS.index(header) :].split("\n\n")[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_the_samplers_on_the_page_are_those_of_the_table():
    told = [
        (name, order)
        for names, _, _, order, _ in cells_below("| `--sampler` | source")
        for name in re.findall(r"`(\w+)`", names)
    ]
    assert sorted(name for name, _ in told) == sorted(SAMPLERS)
    assert {name for name, order in told if order == "noisy"} == {n for n, s in SAMPLERS.items() if s.noisy}


def test_the_options_of_samplers_on_the_page_are_those_of_the_table():
    expected = [
        [f"`{name}`", f"`{o.name}`", o.range_in_words, f"{o.default:g}", o.help]
        for name, sampler in SAMPLERS.items()
        for o in sampler.options.values()
    ]
    assert cells_below("| `--sampler` | option") == expected


def test_the_columns_on_the_page_are_those_of_the_tables():
    rows = [[f"`--{c}`", f"`{n}`", row.about] for c, table in COLUMNS.items() for n, row in table.items()]
    assert cells_below("| option | name | what") == rows


def test_the_numbers_of_the_method_on_the_page_are_those_of_the_tables():
    told = {
        (name, row, *rest)
        for names, rows, *rest in cells_below("| number | of |")
        for name in re.findall(r"`(\w+)`", names)
        for row in re.findall(r"`(\w+)`", rows)
    }
    assert told == {
        (o.name, name, o.range_in_words, f"{o.default:g}", o.help)
        for table in COLUMNS.values()
        for name, row in table.items()
        for o in row.options.values()
    }
