"""Cards and terminals show the names of strangers, and obey none of them."""

import ast
import re
from dataclasses import replace

import pytest

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.cli.outlet import control_signs_written_out, written_out
from fogcatcher.data.conditions.conditions import Category, ConditionSpec
from fogcatcher.model.config import Start
from fogcatcher.model.model_card import model_card, usage_of
from tests.random_models import config

EVIL = [
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a`b", "`` ` ``", "</code><b>"),
    *("[x](javascript:alert(1))", "![x](http://evil)", "**b**", "__b__", "a\n# b", "\x1b[2J", "\u202eabc"),
    *('")\nimport os\nos.system("id', "\\", '\\"', "a|b", "$(id)", "\udc80", "```", "&lt;b&gt;"),
]


@pytest.mark.parametrize("name", EVIL)
def test_a_card_shows_names_and_runs_none(name):
    spec = ConditionSpec((Category(name, (name, "plain name")),))
    start = Start(name, name[:60], name, 1, 1)
    text = model_card(replace(config(), start=start), spec, usage_of(name), title=name)
    text.encode()
    (code,) = re.findall(r"```python\n(.*?)\n```\n", text, re.DOTALL)
    _, loading, *_ = ast.parse(code).body
    assert len(code.splitlines()) == 4 and isinstance(loading, ast.Assign)
    assert isinstance(loading.value, ast.Call) and ast.literal_eval(loading.value.args[0]) == name
    rest = text.replace(code, "")
    assert "`plain name`" in rest and rest.count("\n#") == 5
    for sign in ("<script", "<img", "<b>", "](", "**", "__", "\x1b", "\u202e", "\udc80"):
        assert sign not in rest.replace("](None)", "")
    assert set(re.findall(r"<[^>]*>", rest)) <= {"<code>", "</code>"}


def test_sentences_are_printable():
    for said in (
        str(UserError("a \x1b]0;x\x07 b\nc")),
        str(UserError(Message("a {name} b", name="\x1b[2J\n"))),
        str(unknown_name("class", "\x1b[2J", ["\x1b[3J", "x" * 10_000, *map(str, range(10**5))])),
    ):
        assert said.isprintable() and len(said) < 1500


def test_what_is_printed_shows_control_signs(capsys):
    with control_signs_written_out():
        print("a\x1b[2J\tb\r\nc\x9b1m \u202e é 犬")
    assert capsys.readouterr().out == "a\\x1b[2J\tb\\r\nc\\x9b1m \\u202e é 犬\n"
    assert written_out("") == "" and written_out("\n") == "\n"
