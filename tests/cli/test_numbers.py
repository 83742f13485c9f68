"""What is no number, or one of another world, is refused wherever a number may enter: in one sentence."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import fogcatcher
from fogcatcher import Between, DataOptions, Inpaint, Settings, Steering, Vary
from fogcatcher.base.errors import Option, UserError, from_json, to_json
from fogcatcher.base.numbers import check_value, number, seeds_of
from fogcatcher.base.typed_json import USUAL, Range
from fogcatcher.cli.flags import as_flag
from fogcatcher.cli.main import Command
from fogcatcher.cli.ranges import check_numbers
from fogcatcher.data.conditions.conditions import Category, Colour, Number
from fogcatcher.drawing.finishing import Finish
from fogcatcher.exchange.torchless.wishes import encode
from fogcatcher.runs.setup import Setup, check
from tests.commands import refused

NAN, INF = float("nan"), float("inf")
NONE = (NAN, INF, -INF, 1e308)
DIGITS = "9" * 5000


def commands(hint: Any) -> Iterator[type]:
    """All commands, those inside others too."""
    kinds = [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and is_dataclass(kind)]
    for kind in kinds or [part for part in get_args(hint) if get_args(part)]:
        if kind is not hint and not isinstance(kind, type):
            yield from commands(kind)
            continue
        inside = [h for f, h in get_type_hints(kind).items() if any(map(is_dataclass, get_args(h)))]
        yield from [each for hint in inside for each in commands(hint)] or [kind]
    for part in get_args(hint) if kinds else ():
        if get_args(part):
            yield from commands(part)


def numbers_of(command: type) -> dict[str, tuple[type, Range]]:
    """Option -> the type of its number, and the range beside it."""
    found = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        parts = [hint, *get_args(hint), *(inner for part in get_args(hint) for inner in get_args(part))]
        parts += [inner for part in parts for inner in get_args(part)]
        ranges = [part for part in parts if isinstance(part, Range)]
        kinds = [kind for kind in (int, float) if kind in parts]
        if kinds:
            found[name] = (kinds[0], ranges[0] if ranges else USUAL[kinds[0]])
    return found


COMMANDS = list(dict.fromkeys(commands(Command)))
OPTIONS = [(command, name) for command in COMMANDS for name in numbers_of(command)]


def test_all_commands_are_found():
    assert len(COMMANDS) >= 24 and len(OPTIONS) > 60


def blank(command: type, name: str, value: object) -> object:
    """The command with one number, and nothing else that counts."""
    made = object.__new__(command)
    for field in fields(command):
        setattr(made, field.name, value if field.name == name else None)
    return made


@pytest.mark.parametrize(("command", "name"), OPTIONS, ids=lambda x: getattr(x, "__name__", x))
def test_every_number_of_every_command_has_a_range_and_keeps_to_it(command, name):
    kind, limit = numbers_of(command)[name]
    wrong = [limit.least - 1, limit.most + 1] if kind is int else [*NONE, limit.least - 1, 2 * limit.most]
    for value in wrong:
        with pytest.raises(UserError) as caught:
            check_numbers(blank(command, name, value))
        assert caught.value.options == (name,) and str(caught.value).startswith(f"{name} must be ")
    check_numbers(blank(command, name, kind(limit.least)))
    check_numbers(blank(command, name, kind(min(limit.most, 10**15))))
    # Nobody means a number of nineteen digits, unless it is a seed.
    assert limit.most <= 10**9 or name == "seed"


DRAWN = [
    ("--guidance", "nan"), ("--guidance", "inf"), ("--guidance", "kind=nan"), ("--guidance", "1e7"),
    ("--guidance", DIGITS), ("--eta", "nan"), ("--rescale", "nan"), ("--classifier-guidance", "inf"),
    ("--guidance-interval", "nan,2"), ("--guidance-interval", "0,inf"), ("--steps", "1000000000000"),
    ("--sampler-option", "churn=nan"), ("--condition", "kind=hero:nan"), ("--condition", "kind=hero:inf"),
    ("--condition", f"kind=hero:{DIGITS}"), ("--negative", "kind=hero:nan"), ("--ema", "nan"),
]  # fmt: skip


@pytest.fixture
def picture(tmp_path) -> str:
    fogcatcher.load("sprites").sample(1, steps=1).images[0].save(tmp_path / "p.png")
    return str(tmp_path / "p.png")


@pytest.mark.parametrize("typed", DRAWN, ids=lambda typed: "=".join(typed)[:40])
def test_a_drawing_command_refuses_what_is_no_number(typed, picture, tmp_path, capsys, monkeypatch):
    """All that draw take the same options, so one of them in turn takes each."""
    monkeypatch.chdir(tmp_path)
    every = [
        ("sample", "sprites", "-n", "1"), ("vary", "sprites", picture), ("recolor", "sprites", picture),
        ("tile", "sprites"), ("interpolate", "sprites", "1", "2"),
        ("outpaint", "sprites", picture, "--left", "1"),
        ("grid", "sprites", "--x", "steps=1"),
    ]  # fmt: skip
    flag, text = typed
    chosen = every if typed == DRAWN[0] else [every[DRAWN.index(typed) % len(every)]]
    for command in chosen:
        if command[0] == "grid" and flag == "--ema":
            continue
        said = refused(*command, flag, text, capsys=capsys)
        assert len(said) < 700 and not list(tmp_path.glob("*-*"))


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "sprites", "-n", "1000000000000"),
        ("sample", "sprites", "--seeds", "99999999999999999999"),
        ("sample", "sprites", "--sheet", "9999x9999"), ("sample", "sprites", "--zoom", "101"),
        ("interpolate", "sprites", "1", "2", "--frames", "1000000000000"),
        ("interpolate", "sprites", "1", DIGITS),
        ("explain", "sprites", "--times", "0,nan"), ("explain", "sprites", "--seed", "18446744073709551616"),
        ("grid", "sprites", "--x", "guidance=1,nan"), ("grid", "sprites", "--x", "eta=nan"),
        ("grid", "sprites", "--x", "ema=nan"), ("grid", "sprites", "--x", "steps=1,1000000000000"),
        ("grid", "sprites", "--x", "kind=hero:nan"), ("grid", "sprites", "--x", "seed=0-999999"),
        ("tile", "sprites", "-n", "1000000000000"), ("demo", "--minutes", "nan"),
        ("train", "sprites", "--minutes", "nan"), ("train", "sprites", "--checkpoint-seconds", "nan"),
        ("train", "sprites", "--seed", "-1"), ("train", "sprites", "--seed", "18446744073709551616"),
        ("train", "sprites", "--steps", "1000000000000"), ("train", "sprites", "--hold-out", "nan"),
        ("train", "sprites", "--batch-size", "1000000000000"), ("inspect", "sprites", "--max-bad", "inf"),
        ("train", "sprites", "--size-of-model", "nan"), ("train", "sprites", "--size-of-model", DIGITS),
        ("evaluate", "sprites", "-n", "1000000000000"), ("evaluate", "sprites", "--seed", "-1"),
    ],
    ids=lambda words: " ".join(words)[:50],
)  # fmt: skip
def test_numbers_of_another_world_are_one_sentence(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refused(*words, capsys=capsys)
    assert len(said) < 700 and not list(tmp_path.iterdir())


# --- Python ---------------------------------------------------------------------------------------


REFUSED: Mapping[str, Any] = {
    "guidance": lambda x: Settings(guidance=x),
    "guidance of one": lambda x: Settings(guidance={"kind": x}),
    "steps": lambda x: Settings(steps=x),
    "eta": lambda x: Settings(eta=x),
    "options": lambda x: Settings(sampler_options={"churn": x}),
    "rescale": lambda x: Steering(rescale=x),
    "classifier": lambda x: Steering(classifier=x),
    "interval": lambda x: Steering(interval=(0.0, x)),
    "negative": lambda x: Steering(negative={"kind": {"hero": x}}),
    "zoom": lambda x: Finish(zoom=x),
    "hold out": lambda x: DataOptions(hold_out=x),
    "limit": lambda x: DataOptions(limit=x),
    "minutes": lambda x: check(Setup("data", minutes=x)),
    "run's steps": lambda x: check(Setup("data", steps=x)),
    "run's seed": lambda x: check(Setup("data", seed=x)),
    "width": lambda x: check(Setup("data", width=x)),
    "n": lambda x: seeds_of(x, None),
    "seeds": lambda x: seeds_of(None, [0, x]),
    "a mix": lambda x: Category("kind", ("hero",)).encode({"hero": x}),
    "a number": lambda x: Number("size", 0.0, 1.0).encode(x),
    "a colour": lambda x: Colour("tint").encode([x, 0, 0]),
    "a mix without torch": lambda x: encode({"name": "k", "type": "category", "classes": ["a"]}, {"a": x}, 1),
    "a colour without torch": lambda x: encode({"name": "c", "type": "colour"}, [x, 0, 0], 16),
}


WRONG = (
    *NONE,
    "2 apples",
    [1],
    None,
    10**400,
    -(10**400),
    object(),
    torch.tensor(NAN),
    np.float32(INF),
)


def accepted() -> list[str]:
    """Return all that is not refused by a sentence; where nothing checks the types of arguments."""
    found = []
    for what, use in REFUSED.items():
        for value in WRONG:
            try:
                use(value)
                said = None
            except UserError as error:
                said = str(error)
            if value is not None and (said is None or "\n" in said or len(said) > 700):
                found.append(f"{what}: {str(value)[:20]} {said and said[:900]}")
    return found


def test_python_is_refused_too():
    """In a process of its own: here the types of all arguments are checked before."""
    code = "from tests.cli.test_numbers import accepted; print(*accepted(), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_edits_are_refused_too():
    picture, mask = torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    for value in NONE:
        with pytest.raises(ValueError, match="strength"):
            Vary(picture, value)
        with pytest.raises(ValueError, match="weight"):
            Inpaint(picture, mask, weight=value)
        with pytest.raises(ValueError, match="weight"):
            Between(0, 1, (0.0, value), {}, {})
    with pytest.raises(ValueError, match="jump"):
        Inpaint(picture, mask, jump=0)
    with pytest.raises(ValueError, match="jump"):
        Inpaint(picture, mask, resamples=10**12)
    with pytest.raises(ValueError, match="rounds"):
        Between(0, 1, (0.5,), {}, {}, rounds=10**12)


NUMPY = """
import json, numpy as np, fogcatcher
from fogcatcher import Settings
from fogcatcher.base.numbers import seeds_of
settings = Settings(guidance=np.float32(1.5), steps=np.int64(3), eta=np.float64(0.5))
assert settings == Settings(guidance=1.5, steps=3, eta=0.5)
given = (settings.guidance, settings.steps, *seeds_of(None, np.arange(1)))
assert [type(x) for x in given] == [float, int, int]
drawn = fogcatcher.load("sprites").sample(np.int64(2), steps=1, seeds=np.array([4, 5]))
assert json.loads(json.dumps(drawn.recipes))[1]["seed"] == 5
"""


@pytest.mark.slow
def test_numbers_of_numpy_are_numbers():
    done = subprocess.run([sys.executable, "-c", NUMPY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_leads_out_of_all_numbers_is_not_a_blank_picture(monkeypatch):
    model = fogcatcher.load("sprites")
    monkeypatch.setattr(type(model), "at_usual_contrast", lambda self, state: state.x * INF)
    with pytest.raises(UserError, match="holds numbers that are none"):
        model.sample(1, steps=1)


def test_a_text_becomes_a_number_or_is_none():
    assert number("1.5") == 1.5 and number(-1e6) == -1e6
    for wrong in ("nan", "inf", "-Infinity", "1e7", "", "x", None, [], DIGITS, 10**400):
        with pytest.raises(ValueError, match=r"number|convert"):
            number(wrong)


def test_an_option_is_named_as_its_reader_knows_it():
    with pytest.raises(UserError) as caught:
        check_value("max_bad", 2.0, Range)
    said: Any = caught.value.said
    assert said.told(as_flag).startswith("--max-bad must be") and from_json(to_json(said)).told(as_flag) == (
        said.told(as_flag)
    )
    assert isinstance(said.values["option"], Option)


# --- files ----------------------------------------------------------------------------------------


def test_weights_that_are_no_numbers_do_not_draw(tmp_path, capsys):
    fogcatcher.load("sprites").save(tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[5]
    weights[name].view(-1)[0] = NAN
    save_file(weights, path)
    said = refused("sample", str(tmp_path / "run"), "-n", "1", "--out", str(tmp_path / "out"), capsys=capsys)
    assert name in said and "what is no number" in said and not (tmp_path / "out").exists()
