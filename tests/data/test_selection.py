"""Which pictures are used: expressions, classes, numbers; and which are held out."""

import ast
import contextlib
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Tags
from fogcatcher.data.expressions import parse
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import Dataset
from fogcatcher.data.selection import select
from fogcatcher.data.splitting import balanced, hold_out, split, tiny_classes
from fogcatcher.data.values import Value

ROW = {
    "view": "front",
    "shiny": False,
    "hp": 45,
    "price": "12.5",
    "tags": ["wet", "dark"],
    "my note": "a b",
    "gone": None,
}


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ('view == "front" and not shiny', True),
        ("view == 'back' or hp >= 45", True),
        ("hp > 45", False),
        ("1 <= hp < 46", True),
        ("price > 12 and price < 13", True),  # text that is a number
        ('"wet" in tags and "dry" not in tags', True),
        ('view in ["front", "left"]', True),
        ('"ron" in view', True),
        ("gone == none", True),
        ("gone is None", True),
        ("gone", False),
        ("gone > 3", False),
        ("not (shiny or gone)", True),
        ("shiny == false", True),
        ('`my note` == "a b"', True),
        ("hp != -45", True),
        ("TRUE", True),
    ],
)
def test_expressions(text: str, true: bool):
    assert bool(parse(text, list(ROW))(ROW)) == true


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "view.upper()", "view()", "hp + 1", "[x for x in tags]",
        "lambda: 1", "tags[0]", "f'{view}'", "view ==", "hp = 3", "x := 3", "hp ** 9 ** 9 ** 9",
        "b'front' == view",
        "(((((" * 300, "not " * 240 + "hp", "hp if shiny else 3", "await hp", "*tags", "...", "1j", "",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(text: str):
    try:
        test = parse(text, list(ROW))
    except UserError as error:
        assert "where" in str(error)
    else:  # many nots are long, and right
        assert text.startswith("not ") and test(ROW) is True


@given(st.text(max_size=60))
@pytest.mark.slow
def test_no_text_does_more_than_fail(text: str):
    with contextlib.suppress(UserError):
        parse(text, list(ROW))(ROW)


def test_unknown_columns_are_named():
    with pytest.raises(UserError, match=r"unknown column 'vie'. Valid: view, .*Did you mean view"):
        parse("vie == 3", list(ROW))


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9))
@pytest.mark.slow
def test_comparisons_agree_with_python(a: int, b: int, c: int):
    text = f"{a} < x <= {b} or x != {c} and not x > {a}"
    expected = eval(compile(ast.parse(text, mode="eval"), "", "eval"), {"x": 3})
    assert bool(parse(text, ["x"])({"x": 3})) == expected


def test_a_limit_takes_the_same_pictures_whatever_else_is_there():
    names = [f"{i}.png" for i in range(100)]
    chosen = {names[i] for i in select({}, names, None, (), 10)}
    fewer = [name for name in names if name in chosen or name.endswith("7.png")]
    assert {fewer[i] for i in select({}, fewer, None, (), 10)} == chosen


# --- held out -----------------------------------------------------------------------------------


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=200), st.floats(0, 0.9))
def test_groups_stay_whole_and_the_share_is_not_exceeded(groups: list[str], share: float):
    held = hold_out(groups, share)
    assert len(held) <= share * len(groups)
    outside = {group for i, group in enumerate(groups) if i not in held}
    assert not {groups[i] for i in held} & outside
    # As full as whole groups allow: not even the smallest of the others would still fit.
    smallest = min((count for group, count in Counter(groups).items() if group in outside), default=0)
    assert not outside or len(held) + smallest > int(share * len(groups))


def test_five_percent_of_single_pictures():
    names = [str(i) for i in range(1000)]
    held = hold_out(names, 0.05)
    assert len(held) == 50
    more = hold_out([*names, *(f"x{i}" for i in range(100))], 0.05)
    assert len(set(held) - set(more)) <= 10  # new files hardly move the old ones
    assert hold_out(names[:19], 0.05) == []


def test_balanced_classes_stand_equally_often():
    column = ["a"] * 7 + ["b"] * 2 + [None] + ["c"]
    rows = balanced([0, 1, 2, 3, 4, 7, 8, 9, 10], column).tolist()
    assert Counter(column[i] for i in rows) == {"a": 5, "b": 5, "c": 5}
    assert set(rows) == {0, 1, 2, 3, 4, 7, 8, 10}


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyz"), st.booleans()), max_size=60),
    st.floats(0, 0.9),
)
def test_of_every_class_something_is_left_to_train_on(rows: list[tuple[str, str, bool]], share: float):
    groups = [f"{group}{i * single}" for i, (group, _, single) in enumerate(rows)]
    marks = [[f"kind={kind}", *(["shiny"] * single)] for _, kind, single in rows]
    held = set(hold_out(groups, share, marks))
    assert len(held) <= share * len(groups)
    assert {mark for i, mine in enumerate(marks) if i not in held for mark in mine} == {
        m for mine in marks for m in mine
    }
    assert not {groups[i] for i in held} & {group for i, group in enumerate(groups) if i not in held}


def test_tiny_classes_are_trained_on_and_named():
    kinds: list[Value] = [*["orc"] * 60, "imp", *["elf"] * 40, "ent", "ent"]
    tags: list[Value] = [["wet"] if i % 2 else ["wet", "dry"] if i == 0 else [] for i in range(len(kinds))]
    names = [f"{i}.png" for i in range(len(kinds))]
    dataset = Dataset(torch.zeros(len(kinds), 1, 8, 8), {"kind": kinds, "tags": tags}, names, prints=names)
    spec = ConditionSpec((Category("kind", ("elf", "ent", "imp", "orc")), Tags("tags", ("dry", "wet"))))
    for share in (0.05, 0.5, 0.9):
        parts = split(dataset, DataOptions(hold_out=share), spec)
        trained = parts.train.tolist()
        assert {str(kinds[i]) for i in trained} == {"orc", "imp", "elf", "ent"} and 0 in trained
    said = tiny_classes(dataset, spec, split(dataset, DataOptions(), spec))
    assert len(said) == 1 and "kind=imp (1), tags=dry (1), kind=ent (" in said[0] and "orc" not in said[0]
