"""A setting arrives in what is drawn, on whichever route it is told; where one is forgotten, this fails."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
import tyro
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.cli.evaluate import Evaluate
from fogcatcher.cli.flags import field_of
from fogcatcher.cli.grid import parse_axis
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.data.reading import Dataset
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.recipe import read_file_recipe
from fogcatcher.drawing.settings import NAMES, USUAL, Choices, Settings, Steering, choices_of, settings_of
from fogcatcher.explain import explanation
from fogcatcher.explain.comparing import Request, compare
from fogcatcher.judging import evaluation
from fogcatcher.model.model import Model, load
from fogcatcher.model.reproduction import reproduce
from fogcatcher.model.trained_classifier import new_classifier
from tests.commands import refused
from tests.random_models import CONDITIONS, config, random_model

HERO = {"kind": "hero"}
WAYS: list[tuple[str, str, Any]] = [
    # name, as it is typed, what is meant: two drawings, for not all of it goes together
    ("sampler", "ddim", "ddim"),
    ("steps", "2", 2),
    ("guidance", "3", 3.0),
    ("grid", "uniform", "uniform"),
    ("eta", "0.5", 0.5),
    ("limit", "none", "none"),
    ("negative", "kind=food", {"kind": "food"}),
    ("interval", "0.2,2", (0.2, 2.0)),
    ("rescale", "0.7", 0.7),
    ("classifier", "1.5", 1.5),
]
OTHER_WAYS: list[tuple[str, str, Any]] = [
    ("sampler", "churn", "churn"),
    ("steps", "3", 3),
    ("sampler_options", "churn=20", {"churn": 20.0}),
    ("guide_with", "RUN", "RUN"),
]
Chosen = dict[str, tuple[str, Any]]
"""Name -> (as it is typed, what is meant)."""
Told = Mapping[str, Any]
"""What a recipe says, or a cell of a table."""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A random model with a random classifier."""
    folder = tmp_path_factory.mktemp("models") / "RUN"
    model = random_model()
    model.save(folder)
    classifier = new_classifier(CONDITIONS, config().pictures, model.denoiser.process, width=8)
    classifier.save(folder)
    return folder


@pytest.fixture(params=[WAYS, OTHER_WAYS], ids=["some", "others"])
def chosen(request, run, monkeypatch) -> Chosen:
    monkeypatch.chdir(run.parent)
    return {name: (typed, meant) for name, typed, meant in request.param}


def meant(chosen: Chosen) -> Settings:
    """The settings by hand, not by a route of the program."""
    values = {name: value for name, (_, value) in chosen.items()}
    steering = {f.name: values.pop(f.name) for f in fields(Steering) if f.name in values}
    return Settings(**values, steering=Steering(**steering))


def flags(chosen: Chosen) -> list[str]:
    pairs = ((field_of(name).replace("_", "-"), typed) for name, (typed, _) in chosen.items())
    return [text for flag, typed in pairs for text in (f"--{flag}", typed)]


def by_keyword(chosen: Chosen) -> Told:
    given = {f.name: getattr(meant(chosen), f.name) for f in fields(Settings)}
    return load("RUN").sample(1, HERO, **given).recipes[0]


def by_settings(chosen: Chosen) -> Told:
    return load("RUN").sample(1, HERO, settings=meant(chosen)).recipes[0]


def by_command(chosen: Chosen) -> Told:
    main(["sample", "RUN", "-n", "1", "--out", "out", *flags(chosen)])
    return read_recipe(Path("out/00000.png")) or {}


def by_editing_command(chosen: Chosen) -> Told:
    main(["interpolate", "RUN", "0", "1", "--frames", "2", "--out", "way", *flags(chosen)])
    return read_recipe(Path("way/frame-000.png")) or {}


def by_grid_command(chosen: Chosen) -> Told:
    main(["grid", "RUN", "--x", "seed=0", "--out", "grid", *flags(chosen)])
    return json.loads(Path("grid/grid.json").read_text())["cells"][0]


def by_axes(chosen: Chosen) -> Told:
    axes = [parse_axis("--x", f"{name}={typed}") for name, (typed, _) in chosen.items()]
    return compare(Request("RUN"), axes)[0].drawing.recipes[0]


def by_explaining(chosen: Chosen) -> Told:
    given = meant(chosen)
    with pytest.MonkeyPatch.context() as patch:  # of what the page compares, only what was asked for
        for name, values in {"GUIDANCES": (given.guidance,), "SOLVERS": (), "ETAS": (), "SEEDS": 1}.items():
            patch.setattr(explanation, name, values)
        found = explanation.explain(load("RUN"), condition=HERO, settings=given)
    assert len(found.steps.t) == given.steps
    return found.guidance[0].drawing.recipes[0]


def by_judging(chosen: Chosen) -> Told:
    return judged(meant(chosen))


def by_judging_command(chosen: Chosen) -> Told:
    return judged(tyro.cli(Evaluate, args=["RUN", *flags(chosen)])._settings().drawing)


def judged(drawing: Settings) -> Told:
    data = Dataset(torch.zeros(1, 4, 12, 10, dtype=torch.uint8), {"kind": ["hero"]}, ["a"], Counter())
    draw, drawn = Model.sample, list[Drawing]()

    def heard(*given: Any, **named: Any) -> Drawing:
        drawn.append(draw(*given, **named))
        return drawn[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "sample", heard)
        evaluation.draw(load("RUN"), data, torch.tensor([0]), evaluation.Settings(1, drawing))
    return drawn[0].recipes[0]


ROUTES = [
    by_keyword, by_settings, by_command, by_editing_command, by_grid_command, by_axes, by_explaining,
    by_judging, by_judging_command,
]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
@pytest.mark.slow
def test_every_setting_arrives_on_every_route(route: Callable[[Chosen], Told], chosen):
    recipe = json.loads(json.dumps(route(chosen)))
    told = recipe | recipe.get("steering", {})
    expected = {name: list(value) if name == "interval" else value for name, (_, value) in chosen.items()}
    assert {name: told.get(name) for name in chosen} == expected


def test_the_routes_are_told_every_setting_and_none_as_it_usually_is():
    usual = choices_of(USUAL)
    assert {name for name, _, _ in (*WAYS, *OTHER_WAYS)} == set(NAMES) == set(usual)
    assert all(usual[name] != value for name, _, value in (*WAYS, *OTHER_WAYS))


def test_arguments_of_a_function_are_the_fields():
    assert get_type_hints(Choices) == get_type_hints(Settings)


def test_settings_and_their_names_and_values_are_the_same():
    for ways in (WAYS, OTHER_WAYS):
        chosen = {name: ("", value) for name, _, value in ways}
        assert settings_of({name: value for name, _, value in ways}) == meant(chosen)
        assert settings_of(choices_of(meant(chosen)), USUAL) == meant(chosen)
    with pytest.raises(UserError, match=r"unknown limit 'hard'\. Valid: clip, dynamic, none"):
        settings_of({"limit": "hard"})


def test_the_recipe_of_options_draws_the_same_again(run, monkeypatch):
    model, options = load(run), {"churn": 90.0, "noise": 1.1}
    drawing = model.sample(2, HERO, sampler="churn", steps=4, sampler_options=options)
    path = drawing.save(run.parent / "options")[1]
    assert read_file_recipe(path).pictures[0].settings.sampler_options == options
    assert reproduce(path, str(run)).drawing.raw.equal(drawing.raw[1:])
    assert not model.sample(2, HERO, sampler="churn", steps=4).raw.equal(drawing.raw)
    with Image.open(path) as image:
        assert 'Sampler options: "churn=90, noise=1.1"' in image.info["parameters"]


def test_a_recipe_without_options_is_as_it_always_was(run):
    recipe = load(run).sample(1, HERO, steps=1).recipes[0]
    said = ["sampler", "steps", "guidance", "grid", "eta", "limit", "steering"]
    assert [name for name in recipe if name in (*said, "sampler_options")] == said


SENTENCES = [
    ("--sampler ddim --sampler-option eta=1.5", "ddim: eta must be from 0 to 1, not 1.5."),
    ("--sampler ddim --eta nan", "--eta must be a number from -1,000,000 to 1,000,000, not nan."),
    ("--sampler ddim --eta 1 --sampler-option eta=1", "eta is given twice"),
    ("--sampler heun --eta 0.5", "dpm2_ancestral and dpmpp_2s_ancestral samplers; heun has none."),
    (
        "--sampler lms --sampler-option churn=1",
        "churn is a setting of the churn and euler_churn samplers; lms has none.",
    ),
    (
        "--sampler churn --sampler-option chrn=1",
        "'chrn'. Valid: churn, low, high, noise. Did you mean churn?",
    ),
    ("--sampler heun --sampler-option foo=1", "unknown option of heun 'foo'. Valid: none."),
    ("--sampler churn --sampler-option churn=a", "'churn=a' needs numbers, for example churn=20."),
    ("--sampler churn --sampler-option churn", "'churn' needs the form NAME=VALUE, for example churn=20."),
    ("--sampler lms --sampler-option order=2.5", "lms: order must be a whole number from 1 to 4, not 2.5."),
]


@pytest.mark.parametrize(("arguments", "sentence"), SENTENCES, ids=[arguments for arguments, _ in SENTENCES])
def test_options_that_cannot_be_are_one_sentence(arguments, sentence, run, tmp_path, capsys):
    command = ("sample", str(run), "-n", "1", "--out", str(tmp_path / "out"))
    assert sentence in refused(*command, *arguments.split(), capsys=capsys)
    assert not (tmp_path / "out").exists()
