"""What the page says in other languages for the service: each sentence it knows is one of the program."""

import ast
import re
from pathlib import Path

import pytest

import fogcatcher
from fogcatcher.explain.source_lines import named_lines

PACKAGE = Path(fogcatcher.__file__).parent
PAGE = PACKAGE.parent / "studio" / "src"
KEY = re.compile(r'^\s+"(said\.\w+)":\s*"((?:[^"\\]|\\.)*)",$', re.MULTILINE)
LINE = re.compile(r'<Line file="([^"]+)" name="([^"]+)" />')


def test_every_sentence_of_the_table_is_one_of_the_program():
    said = set[str]()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.add(node.value)
    table = dict(KEY.findall((PAGE / "words" / "en.ts").read_text(encoding="utf-8")))
    assert len(table) > 15
    assert {key: text for key, text in table.items() if text not in said} == {}


def test_every_line_that_a_panel_names_is_there():
    named = {
        found for path in PAGE.rglob("*.tsx") for found in LINE.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) >= 3
    for file, name in named:
        assert named_lines(file, name).code


@pytest.fixture(scope="module")
def answers(studio):
    return studio.get("/api/options")


def test_choices_say_what_they_are(answers):
    train = answers["train"]
    for choice in [*train["presets"], *train["networks"], *answers["steering"], *answers["samplers"]]:
        assert len(choice["help"]) > 10, choice
    assert all(named_lines(one["source"]["file"], one["source"]["name"]) for one in answers["samplers"])


def test_a_refusal_says_its_parts(studio):
    status, _, body = studio.ask("GET", "/api/models/nobody")
    assert status == 404
    assert b'"template":"there is no model called \'{name}\'' in body and b'"name":"nobody"' in body
