"""What the service says in other languages: each sentence of its tables is one of the program."""

import ast
import json
import re
from pathlib import Path
from typing import get_args

import pytest

import fogcatcher
from fogcatcher.explain.source_lines import named_lines
from fogcatcher.runs.summary import Word
from fogcatcher.studio.options import WORDS

PACKAGE = Path(fogcatcher.__file__).parent
PAGE = PACKAGE.parent / "studio" / "src"
HOLE = re.compile(r"\{\w+(?::,)?\}")
LINE = re.compile(r'<Line file="([^"]+)" name="([^"]+)" />')


def table(language):
    return json.loads((WORDS / f"{language}.json").read_text(encoding="utf-8"))


def test_every_sentence_of_a_table_is_one_of_the_program():
    said = set[str]()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.add(node.value)
    tables = [table(language)["said"] for language in ("es", "pt")]
    assert set(tables[0]) == set(tables[1]) and len(tables[0]) > 15
    assert set(tables[0]) - said == set()


@pytest.mark.parametrize("language", ["es", "pt"])
def test_the_same_is_filled_in_in_every_language(language):
    for english, other in table(language)["said"].items():
        assert set(HOLE.findall(other)) == set(HOLE.findall(english)), english


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


def _helps(tree):
    """Every sentence of help in a tree of options, but the methods, which are made of names."""
    if isinstance(tree, list):
        return set().union(*map(_helps, tree))
    if not isinstance(tree, dict):
        return set()
    inner = [_helps(one) for name, one in tree.items() if name not in ("presets", "steering")]
    return ({tree["help"]} if tree.get("help") else set()).union(*inner)


@pytest.mark.parametrize("language", ["es", "pt"])
def test_all_help_is_told_in_other_languages(studio, answers, language):
    known = table(language)["help"]
    assert set(known) == _helps(answers)
    told = studio.get(f"/api/options?language={language}")
    assert _helps(told) == set(known.values())
    heun = [one["help"] for one in told["samplers"] if one["name"] == "heun"]
    assert heun[0].startswith({"es": "Segundo orden: la media", "pt": "Segunda ordem: a média"}[language])


def test_every_verdict_on_a_run_has_its_words():
    page = (PAGE / "parts" / "run.tsx").read_text(encoding="utf-8")
    assert {word for word in get_args(Word) if f'case "{word}":' not in page} == {"too short to tell"}


def test_a_refusal_says_its_parts(studio):
    status, _, body = studio.ask("GET", "/api/models/nobody")
    assert status == 404
    assert b'"template":"there is no model called \'{name}\'' in body and b'"name":"nobody"' in body
