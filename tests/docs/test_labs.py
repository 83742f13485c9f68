"""The labs are well made: their quick values are theirs, their code is one, and they run."""

import ast
import re

import pytest

from lab_notebooks import ANSWER, PARAMETERS, Lab, all_labs, catalogue_of, full_values, to_open, translated
from labs_run import execute, main

LABS = all_labs()
ids = [lab.name for lab in LABS]


def _tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


@pytest.mark.parametrize("lab", LABS, ids=ids)
def test_quick_values_are_of_the_same_names_and_kinds(lab: Lab):
    """``quick()`` refuses other names; that a value may stand in for the full one is seen here."""
    cells = [cell for cell in lab.quick().cells if cell.cell_type == "code"]
    assert PARAMETERS in _tags(cells[0])
    full, quick = full_values(cells[0].source), full_values(cells[1].source)
    assert full.keys() == quick.keys() and full
    for name, value in full.items():
        assert type(quick[name]) is type(value), name


@pytest.mark.parametrize("lab", LABS, ids=ids)
def test_cells_are_python_that_names_the_library_and_few_others(lab: Lab):
    allowed = {"fogcatcher", "torch", "numpy", "PIL", "matplotlib", "math", "pathlib", "time", "dataclasses"}
    allowed |= {"itertools", "functools", "collections", "csv", "inspect", "IPython", "sklearn"}
    for source in lab.code:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, source
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed, source
                assert not any(alias.name.startswith("_") for alias in node.names), "a hidden helper"


@pytest.mark.parametrize("lab", LABS, ids=ids)
def test_answers_check_themselves(lab: Lab):
    answers = [c for c in lab.notebook.cells if c.cell_type == "code" and ANSWER in _tags(c)]
    assert 3 <= len(answers) <= 6
    for cell in answers:
        assert "hide-input" in _tags(cell), "an answer is folded on the site"
        assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(cell.source)))


@pytest.mark.parametrize("lab", LABS, ids=ids)
def test_text_is_of_the_forms_that_can_be_translated(lab: Lab):
    """Headings, paragraphs, lists, tables and formulas: those are found again in the catalogues."""
    text = "\n".join(c.source for c in lab.notebook.cells if c.cell_type == "markdown")
    assert not re.search(r"^\s*(:::|```|<)", text, re.MULTILINE)
    assert "symbols.md" in text


@pytest.mark.parametrize("language", ["es", "pt"])
@pytest.mark.parametrize("lab", LABS, ids=ids)
def test_code_is_the_same_in_every_language(lab: Lab, language: str, tmp_path):
    code = [c.source for c in to_open(lab, tmp_path, language).cells if c.cell_type == "code"]
    assert code == lab.code


def test_text_is_taken_from_a_catalogue_whatever_form_it_has():
    lab = LABS[0].notebook
    lab.cells = lab.cells[:1]
    lab.cells[0].source = (
        "# One\n\nTwo of\n$a$ `b`\n\n| x | xy |\n|---|---|\n| y | `z` |\n\n"
        "1. Three\n   four\n2. Five\n\n$$\na\n$$"
    )
    said = {"One": "Uno", "Two of $a$ `b`": "Dos de $a$ `b`", "x": "equis", "xy": "XY", "y": "i griega"}
    said |= {"Three four": "Tres cuatro"}
    assert translated(lab, said).cells[0].source == (
        "# Uno\n\nDos de $a$ `b`\n\n| equis | XY |\n|---|---|\n| i griega | `z` |\n\n"
        "1. Tres cuatro\n2. Five\n\n$$\na\n$$"
    )


def test_what_is_not_translated_stays_english(tmp_path):
    assert catalogue_of("labs/no-such-lab", "es") == {}
    assert LABS[0].notebook.cells[0].source.split("\n")[0] == "# Lab 0. Pictures of two pixels"


def test_a_failing_cell_ends_the_run_and_is_shown(tmp_path, monkeypatch, capsys):
    made = tmp_path / "99-wrong.md"
    head = LABS[0].path.read_text(encoding="utf-8").split("\n# ")[0]
    cells = (
        "\n```{code-cell} ipython3\n---\ntags: [parameters]\nquick: {n: 1}\n---\nn = 2\n```\n"
        "\n```{code-cell} ipython3\nprint(n)\nassert n == 2, 'n is quick'\n```\n"
    )
    made.write_text(f"{head}\n# Wrong\n{cells}", encoding="utf-8")
    monkeypatch.setattr("labs_run.all_labs", lambda: [Lab(made)])
    assert main(["--quick"]) == 1
    said = capsys.readouterr().out
    assert "99-wrong: failed" in said and "n is quick" in said
    assert main(["--full", "--out", str(tmp_path / "kept")]) == 0
    assert (tmp_path / "kept" / "99-wrong.ipynb").exists()


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS, ids=ids)
def test_quick_runs_come_to_their_end(lab: Lab):
    execute(lab, quick=True)
