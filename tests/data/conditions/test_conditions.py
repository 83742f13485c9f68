"""Typed attributes: what each can be asked, how columns are typed, and what is stored."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.column_types import asked_for, choose_controls
from fogcatcher.data.conditions.conditions import (
    Attribute,
    Category,
    Colour,
    ConditionSpec,
    Number,
    Tags,
    Text,
)
from fogcatcher.runs.setup import Setup, check

KIND = Category("kind", ("food", "hero", "spell"))
TAGS = Tags("tags", ("dark", "fast", "wet"))
SIZE = Number("size", 2.0, 10.0)
TEXT = Text("text", ("a", "red", "dragon", "hat"))
EVERY = (KIND, TAGS, SIZE, Colour("colour"), TEXT)


@pytest.mark.parametrize("attribute", EVERY, ids=lambda a: a.kind)
def test_nothing_said_is_all_zeros(attribute: Attribute):
    assert not attribute.encode(None).any() and len(attribute.encode(None)) == attribute.features


def test_what_is_said_is_encoded():
    assert KIND.encode("hero").tolist() == [0, 1, 0]
    assert KIND.encode({"hero": 1, "food": 0.6}).tolist() == [pytest.approx(0.6), 1, 0]
    assert TAGS.encode("wet, -dark").tolist() == [-1, 0, 1]
    assert TAGS.encode(["fast"]).tolist() == [0, 1, 0]
    assert TAGS.encode_picture(["fast"]).tolist() == [
        -1,
        1,
        -1,
    ]  # a picture says all: it is not dark, not wet
    assert TAGS.encode_picture([]).tolist() == [-1, -1, -1] and not TAGS.encode_picture(None).any()
    assert TEXT.encode("Red dragon, flying!").tolist()[:4] == [3, 4, 1, 0]  # flying is no known word


def test_numbers_are_waves_over_their_range():
    """At the ends and the middle of the range, cos(pi k u) is 1, (-1)^k, and 0 or +-1."""
    low, middle, high = (SIZE.encode(value) for value in (2, "6", 10.0))
    torch.testing.assert_close(low, torch.tensor([1, -1.0] + [1.0] * 8))
    torch.testing.assert_close(high, torch.tensor([1, 1.0] + [-1.0, 1.0] * 4))
    torch.testing.assert_close(middle, torch.tensor([1, 0.0, 0, -1, 0, 1, 0, -1, 0, 1]), atol=1e-6, rtol=0)


@given(st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFFFF))
def test_two_colours_are_encoded_apart(a: int, b: int):
    x, y = (Colour("c").encode(f"#{value:06x}") for value in (a, b))
    assert (a == b) == x.equal(y)


def test_colours_by_name_and_by_number():
    assert Colour("c").encode("red").equal(Colour("c").encode([255, 0, 0]))
    assert Colour("c").encode("#ff0000").equal(Colour("c").encode("red"))


@pytest.mark.parametrize(
    ("attribute", "wish", "said"),
    [
        (KIND, "foot", r"unknown kind 'foot'. Valid: food, hero, spell. Did you mean food"),
        (KIND, "hero:x", "a mix has the form hero:1,food:0.6"),
        (KIND, "hero:1,goat:2", "unknown kind 'goat'"),
        (TAGS, "-soft", "unknown tags 'soft'"),
        (SIZE, "large", "size is a number; 'large' is none"),
        (SIZE, 11, "from 2 to 10, not 11"),
        (SIZE, float("nan"), "from 2 to 10, not nan"),
        (Colour("colour"), "reddish", "colour is a colour such as"),
        (TEXT, "blue boat", "unknown word of text 'blue'"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(attribute: Attribute, wish: object, said: str):
    with pytest.raises(UserError, match=said):
        ConditionSpec((attribute,)).clean({attribute.name: wish})  # type: ignore[dict-item]


def test_wishes_are_kept_in_one_form():
    spec = ConditionSpec(EVERY)
    assert spec.clean({"kind": "hero:1, food:0.6", "size": "3"}) == {
        "kind": {"hero": 1.0, "food": 0.6},
        "size": 3.0,
    }
    odd = ConditionSpec((Category("ratio", ("1:2", "3:4")),))
    assert odd.clean({"ratio": "1:2"}) == {"ratio": "1:2"}
    with pytest.raises(UserError, match=r"unknown condition 'sort'. Valid: kind, tags, size, colour, text"):
        spec.clean({"sort": "hero"})
    with pytest.raises(UserError, match="knows no conditions"):
        ConditionSpec().clean({"kind": "hero"})


def test_a_spec_survives_its_file():
    spec = ConditionSpec(EVERY)
    assert ConditionSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    for bad in ({"name": "a", "type": ["smell"]}, {"name": "a", "type": "number", "low": 1, "high": 1}):
        with pytest.raises(UserError, match=r"cannot read: .*(type must be|must have a range)"):
            ConditionSpec.from_json([bad])
    with pytest.raises(UserError, match="must be a list of 0 to 1,000, not a list of 100,000"):
        ConditionSpec.from_json([{"name": "a", "type": "colour"}] * 100_000)
    for bad in ({"name": "a", "type": "smell"}, {"name": "a", "type": "number"}, {"type": "colour"}):
        with pytest.raises(UserError, match="cannot read"):
            ConditionSpec.from_json([bad])


# --- columns ------------------------------------------------------------------------------------

COLUMNS = {
    "kind": ["hero", "food"] * 20,
    "shiny": [True, False, None, True] * 10,
    "dots": [1, 2, 3, 3] * 10,
    "weight": ["0.5", "1.25", "7", "0.5"] * 10,
    "main": ["#ff0000", "#00FF00"] * 20,
    "marks": [["wet"], ["wet", "dark"], [], ["fast"]] * 10,
    "traits": ["a;b", "b;c", "a", "c;a"] * 10,
    "caption": [f"a small {noun} with {i} hats" for i, noun in enumerate(["orc", "elf"] * 20)],
    "id": list(range(40)),
    "file": [f"f{i}.aseprite" for i in range(40)],
    "source": [f"pack/art/tiles/mon{i}.png" for i in range(40)],
    "license": ["CC0"] * 40,
    "empty": [None] * 40,
}


def test_columns_are_typed_by_content():
    spec = choose_controls(COLUMNS, ["all"]).spec
    assert {a.name: a.kind for a in spec.attributes} == {
        "kind": "category", "shiny": "category", "dots": "number", "weight": "number", "main": "colour",
        "marks": "tags", "traits": "tags", "caption": "text",
    }  # fmt: skip
    by_name = {a.name: a for a in spec.attributes}
    assert by_name["shiny"] == Category("shiny", ("false", "true"))
    assert by_name["weight"] == Number("weight", 0.5, 7.0)
    assert by_name["marks"] == Tags("marks", ("dark", "fast", "wet"))
    assert by_name["traits"] == Tags("traits", ("a", "b", "c"))


def test_the_usual_label_with_captions_tags_and_colours_is_the_default():
    controls = choose_controls(COLUMNS)
    assert [a.name for a in controls.spec.attributes] == ["kind", "main", "marks", "traits", "caption"]
    said = " | ".join(controls.notes)
    assert (
        "could be conditions too (conditions='NAME', or all): shiny (2 classes), dots (number, 1 to 3)"
        in said
    )
    assert "id (has a number of its own for every picture, like an id)" in said
    assert "file (has 40 different values for 40 pictures: too many for classes)" in said
    assert "source (has 40 different values" in said  # a path is no caption
    assert "license (has one value for all pictures)" in said
    assert choose_controls(COLUMNS, ["none"]).spec == ConditionSpec()
    without = {name: COLUMNS[name] for name in ("shiny", "dots", "id")}
    assert [a.name for a in choose_controls(without).spec.attributes] == ["shiny", "dots"]


def test_types_and_dropout_can_be_said():
    controls = choose_controls(COLUMNS, ["dots:category", "caption:text:0.5", "kind"])
    assert controls.spec.attributes[0] == Category("dots", ("1", "2", "3"))
    assert controls.dropout == {"dots": 0.25, "caption": 0.5, "kind": 0.25}
    assert choose_controls(COLUMNS, ["kind"]).dropout == {"kind": 0.0}
    for asked, said in (
        ("sort", r"unknown condition column 'sort'"),
        ("kind:animal", r"unknown type of kind 'animal'"),
        ("caption:number", "caption cannot be a condition: it holds more than numbers"),
        ("license", "license cannot be a condition: it has one value"),
        ("kind:category:2", "from 0 to 0.5, not 2"),
    ):
        with pytest.raises(UserError, match=said):
            choose_controls(COLUMNS, [asked])


def test_missing_values_are_silent():
    spec = choose_controls(COLUMNS, ["shiny", "kind"]).spec
    encoded = spec.encode_pictures(COLUMNS)
    assert encoded["shiny"][:4].tolist() == [[0, 1], [1, 0], [0, 0], [0, 1]]


# --- tags that a table parts by commas ----------------------------------------------------------

TYPES = ["fire", "water", "grass", "poison", "rock", "ice"]
PAIRS = [f"{a},{b}" for a in TYPES for b in TYPES if a < b]


@pytest.mark.parametrize("name", ["types", "type", "Kind", "label", "element"])
@pytest.mark.parametrize("parted", [1, 3, 15])
def test_parted_words_are_tags_in_every_column(name: str, parted: int):
    values = [*TYPES * 20, *PAIRS[:parted] * 2]
    spec = choose_controls({name: values, "hp": [float(i % 7) for i in range(len(values))]}, [name]).spec
    assert spec.attributes == (Tags(name, tuple(sorted(TYPES))),)


def test_names_with_commas_stay_classes():
    for values in (
        ["Smith, John", "Smith, Anna", "Doe, Ann"],
        ["orc", "elf", "orc, old"],
        ["small", "large", "red, blue"],
    ):
        assert isinstance(choose_controls({"label": values * 9}).spec.attributes[0], Category)


def test_without_a_usual_label_not_everything_is_a_condition():
    many = {name: COLUMNS[name] for name in ("dots", "shiny", "weight", "traits", "id")}
    controls = choose_controls({**many, "rarity": ["common", "rare"] * 20})
    assert [a.name for a in controls.spec.attributes] == ["shiny", "traits"]
    assert "dots (number, 1 to 3), weight (number, 0.5 to 7), rarity (2 classes)" in " ".join(controls.notes)


def test_weighted_tags():
    types = Tags("types", ("a:b", "fire", "water"))
    assert types.encode(types.clean("fire:1,water:0.5")).tolist() == [0, 1, 0.5]
    assert types.encode(types.clean("fire, -water:0.25")).tolist() == [0, 1, -0.25]
    assert types.encode(types.clean("a:b, -fire")).tolist() == [1, -1, 0]
    assert types.encode({"fire": 0.5, "-water": 1}).tolist() == [0, 0.5, -1]
    for wish in (
        "fire:nan",
        "fire:inf",
        "fire:x",
        "fire:1,fire:2",
        "fire:1,goat:1",
        "fire,-fire",
        "fire:1,-fire:1",
    ):
        with pytest.raises(UserError, match=r"types"):
            types.clean(wish)
    with pytest.raises(UserError, match="kind"):
        KIND.clean("hero:1,hero:2")


def test_types_are_checked_before_anything_is_read():
    for asked, said in (
        ("types:tag", "unknown type of types 'tag'.*Did you mean tags"),
        ("types:tags:2", "from 0 to 0.5, not 2"),
        ("types:tags:nan", "from 0 to 0.5, not nan"),
    ):
        with pytest.raises(UserError, match=said):
            check(Setup(data="nowhere", conditions=(asked,)))
    assert asked_for("a:b:tags:0.5") == ("a:b", "tags", 0.5) and asked_for("a:b:tags") == (
        "a:b",
        "tags",
        None,
    )
