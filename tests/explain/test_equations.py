"""The index of equations misses none that a docstring names, and leads to the lines that have it."""

import ast
import re

import pytest

from fogcatcher.explain.equations import PACKAGE, PROJECT, index, mentions, proofs_of, search
from tests.commands import fogcatcher, refused

INDEX = index()


def test_places_belong_to_the_paper_named_with_them_or_before():
    said = (
        "As equations 6 and 7 of Ho et al. 2020 (there b). Song & Ermon 2019, algorithm 1; "
        "see eq. (3), appendix C.2"
    )
    assert list(mentions(said)) == [
        ("Ho et al. 2020", "equation 6"),
        ("Ho et al. 2020", "equation 7"),
        ("Song & Ermon 2019", "algorithm 1"),
        ("Song & Ermon 2019", "equation 3"),
        ("Song & Ermon 2019", "appendix C.2"),
    ]
    assert list(mentions("equation 5", "Ho et al. 2020")) == [("Ho et al. 2020", "equation 5")]
    assert list(mentions("algorithms 3 to 5, in 12 sections, Zhao et al. 2023", "X et al. 1999")) == [
        ("X et al. 1999", f"algorithm {n}") for n in (3, 4, 5)
    ]


def test_every_equation_that_a_docstring_names_has_an_entry_with_a_paper():
    """Counted by another way: numbers after the word in the text of each docstring."""
    known = {(e.path, e.place) for e in INDEX}
    assert all(re.search(r"(19|20)\d\d$", e.paper) for e in INDEX), [e for e in INDEX if not e.paper]
    missing = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = " ".join((ast.get_docstring(node) or "").split())
                for number in re.findall(r"[Ee]q(?:uations?|\.) \(?(\d+)", text):
                    where = path.relative_to(PROJECT).as_posix()
                    if (where, f"equation {number}") not in known:
                        missing.append((where, number))
    assert missing == []


def test_entries_lead_to_their_lines():
    for entry in INDEX:
        line = (PROJECT / entry.path).read_text(encoding="utf-8").splitlines()[entry.line - 1]
        last = entry.name.split(".")[-1]
        assert entry.line == 1 or re.search(rf"(class|def) {last}\b", line), entry


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("ho eq 4", "Process.corrupt"),
        ("ho 2020 eq. 7", "Process.bridge"),
        ("eq 11", "DDPM"),
        ("eq 11", "VPSchedule"),
        ("Dhariwal equation 15", "learned_log_variance"),
        ("karras 2022 algorithm 2", "Churn"),
        ("ddim equation 12", "DDIM"),
        ("hang", "min_snr"),
    ],
)
def test_what_is_asked_for_is_found(asked: str, name: str):
    """Known from the papers."""
    found = search(asked)
    assert name in [entry.name for entry in found]
    assert len(found) < 12


def test_numbers_are_whole_words():
    assert all(entry.place == "equation 1" for entry in search("eq 1"))


def test_tests_are_named_that_use_it():
    (entry,) = search("nichol eq 16")
    places = proofs_of(entry)
    assert places and all("::test_" in place for place in places)
    for place in places:
        path, test = place.split("::")
        assert f"def {test}(" in (PROJECT / path).read_text(encoding="utf-8")


def test_the_command(capsys):
    code, said, _ = fogcatcher("learn", "ho", "eq", "5", capsys=capsys)
    assert code == 0 and "Ho et al. 2020, equation 5: bound, fogcatcher/diffusion/bound.py:1" in said
    assert "    L = KL(q(x_T|x0) || p(x_T))" in said and "    test: tests/" in said
    code, said, _ = fogcatcher("learn", capsys=capsys)
    assert code == 0 and len(said.splitlines()) == len(INDEX) > 130
    assert "nothing in the program names 'eq 999'" in refused("learn", "eq 999", capsys=capsys)
