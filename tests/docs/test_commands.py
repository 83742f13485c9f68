"""Every command has a page, whose run does what it says."""

import pytest

from extensions.command_pages import command_names, page
from extensions.runs import EXAMPLES, WITHOUT_A_RUN, Typed, read
from tests.commands import fogcatcher
from tests.docs.sprite_files import make_files

RUNS = [name for name in command_names() if name not in WITHOUT_A_RUN]


def test_every_command_has_a_run_and_no_run_is_of_nothing():
    assert {path.stem for path in EXAMPLES.glob("*.txt")} == set(RUNS)
    assert set(command_names()) >= set(WITHOUT_A_RUN) and len(RUNS) >= 25


def test_a_page_has_the_help_and_the_run():
    shown = page("learn")
    assert "usage: fogcatcher learn [-h]" in shown and '$ fogcatcher learn "ho eq 7"' in shown


@pytest.mark.parametrize(
    ("output", "said", "fits"),
    [
        ("a ... s", "a 12.5 s\n", True),
        ("a ... s", "b 12.5 s", False),
        ("first\n...", "first\nmore\nlines", True),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
    ],
)
def test_only_dots_may_be_anything(output: str, said: str, fits: bool):
    assert Typed([], output).fits(said) is fits


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", RUNS)
def test_a_run_prints_what_its_page_says(name: str, tmp_path, monkeypatch, capsys):
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fogcatcher"])
    for typed in read(name):
        code, said, errors = fogcatcher(*typed.arguments, capsys=capsys)
        assert code == 0, errors
        assert typed.fits(said), f"{typed.arguments}:\n{said}\nand not\n{typed.output}"
