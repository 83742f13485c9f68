"""Whether what was asked for is drawn, on rows whose truth is known."""

import pytest
import torch

from fogcatcher.data.conditions.conditions import Attribute, Category, ConditionSpec, Number, Tags, Text
from fogcatcher.judging.followed import Followed, all_followed, followed

G = torch.Generator().manual_seed(0)


def codes_of(attribute: Attribute, values: list) -> torch.Tensor:
    return ConditionSpec((attribute,)).encode_pictures({attribute.name: values})[attribute.name]


def judged(attribute: Attribute, known: list, rows: torch.Tensor, wrong: int) -> Followed:
    """300 rows to learn from, 100 held out, 100 drawn, ``wrong`` of them for another wish."""
    codes = codes_of(attribute, known)
    drawn = rows[400:].clone()
    drawn[:wrong] = drawn[:wrong].roll(1, 0)
    found = followed(
        attribute, (rows[:300], codes[:300]), (drawn, codes[400:]), (rows[300:400], codes[300:400]), G
    )
    assert found is not None
    return found


def test_classes_are_counted_one_by_one():
    kinds = ["hero", "food", "spell", "side"]
    known = [kinds[k % 4] for k in range(500)]
    rows = torch.eye(4, dtype=torch.float64)[torch.arange(500) % 4].repeat(1, 2)
    rows += 0.05 * torch.randn(rows.shape, generator=G)
    found = judged(Category("kind", tuple(kinds)), known, rows, wrong=30)
    assert found.drawn == pytest.approx(0.7, abs=0.02) and found.real == 1.0
    assert found.chance == pytest.approx(0.25, abs=0.12)
    assert {v.name: (v.asked, v.real) for v in found.values} == dict.fromkeys(kinds, (25, 1.0))
    assert "kind: what was asked for is seen in 70%, 100% in held-out ones" in found.in_words


def test_tags_count_what_was_asked_for_alone():
    """Three tags, two a row: where the wrong half was drawn, one of two is still right."""
    pairs = (("red", "big"), ("red", "old"), ("big", "old"))
    known = [", ".join(pairs[k % 3]) for k in range(500)]
    has = torch.tensor([[t in pairs[k % 3] for t in ("red", "big", "old")] for k in range(500)]).double()
    rows = torch.cat([has, -has], 1) + 0.05 * torch.randn(500, 6, generator=G)
    found = judged(Tags("marks", ("red", "big", "old")), known, rows, wrong=30)
    assert found.real == 1.0 and found.drawn == pytest.approx(0.85, abs=0.02)


def test_numbers_count_when_they_are_near():
    values = torch.rand(500, generator=G).tolist()
    rows = torch.tensor(values, dtype=torch.float64)[:, None].repeat(1, 4)
    found = judged(Number("size", 0.0, 1.0), values, rows, wrong=0)
    assert found.real is not None and min(found.real, found.drawn) > 0.9 > 0.4 > found.chance
    assert found.values == ()


def test_what_cannot_be_judged_is_left_out():
    words = Text("says", ("red", "blue"))
    kind = Category("kind", ("a", "b"))
    codes = {"says": codes_of(words, ["red"] * 40), "kind": codes_of(kind, ["a", None] * 20)}
    rows, few, numbers = torch.zeros(40, 2, dtype=torch.float64), torch.arange(10), torch.arange(40)
    side = (rows, numbers)
    assert [f.name for f in all_followed((words, kind), codes, side, side, side, G)] == ["kind"]
    assert all_followed((kind,), codes, (rows[few], few), side, side, G) == ()
