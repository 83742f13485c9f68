"""Steering from Python and the command line: off to the bit, in the recipe, and one sentence if wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import fogcatcher
from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.conditions.conditions import Category, ConditionSpec
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.drawing.settings import Settings, Steering
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import DataConfig, NetworkConfig, RunConfig
from fogcatcher.model.model import Model, load
from fogcatcher.model.presets import PRESETS
from fogcatcher.model.trained_classifier import new_classifier
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from fogcatcher.training.fit import Plan
from tests.commands import refused

KINDS = ConditionSpec((Category("kind", ("hero", "food", "spell")),))
CONFIG = RunConfig(
    PictureSpec(8, 8, 4, hard_alpha=True, sigma_data=0.7),
    PRESETS["default"],
    NetworkConfig(width=16),
    Plan(steps=10),
    DataConfig("nowhere", (), 1, "0"),
)
HERO = {"kind": "hero"}


def random_model(folder: Path | None = None, preset: str = "default") -> Model:
    """A model whose every weight is random; saved with a random classifier, if there is a folder."""
    config, generator = replace(CONFIG, method=PRESETS[preset]), torch.Generator().manual_seed(1)
    denoiser = build_denoiser(config, KINDS)
    classifier = new_classifier(KINDS, config.pictures, denoiser.process, width=8)
    with torch.no_grad():
        for parameter in (*denoiser.parameters(), *classifier.network.parameters()):
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    model = Model(denoiser, config, KINDS)
    if folder is None:
        return model
    model.save(folder)
    classifier.save(folder)
    return load(folder)


@pytest.fixture(scope="module")
def steerable(tmp_path_factory) -> Model:
    return random_model(tmp_path_factory.mktemp("steerable"))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A tiny run of 24 steps; half.safetensors is its average after 12, kept when it was stopped there."""
    folder = tmp_path_factory.mktemp("trained")
    for i in range(8):
        path = folder / "data" / ("a" if i % 2 else "b") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (10 * i, 0, 200)).save(path)
    setup = Setup(str(folder / "data"), folder / "run", steps=24, size_of_model="tiny")
    steps = follow(prepare(setup))
    while next(steps).step < 12:
        pass
    steps.close()
    (folder / "run" / "model.safetensors").rename(folder / "half.safetensors")
    for _ in follow(resume(folder / "run", str(folder / "data"))):
        pass
    return folder / "run"


def test_scale_1_draws_the_plain_conditional_picture_whatever_else_is_chosen():
    model = random_model()
    plain = model.sample(2, HERO, guidance=1.0, steps=4).raw
    for steering in (
        Steering(negative={"kind": "food"}),
        Steering(interval=(0.5, 5.0)),
        Steering(rescale=0.7),
        Steering({"kind": "food"}, (0.5, 5.0), 1.0),
    ):
        assert model.sample(2, HERO, guidance=1.0, steering=steering, steps=4).raw.equal(plain)
    assert not model.sample(2, HERO, guidance=2.0, steps=4).raw.equal(plain)


def test_scale_0_draws_the_plain_unconditional_picture():
    model = random_model()
    plain = model.sample(2, {}, guidance=1.0, steps=4).raw
    for steering in (Steering(), Steering(interval=(0.0, 1000.0))):
        assert model.sample(2, HERO, guidance=0.0, steering=steering, steps=4).raw.equal(plain)
    assert not model.sample(2, HERO, guidance=1.0, steps=4).raw.equal(plain)


def test_what_each_choice_does_to_an_answer(steerable):
    """The guided denoiser of a model against the formulas, from plain answers of its network."""
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    t = torch.full((2,), 1.0 / 80, dtype=torch.float64)  # sigma / alpha = 1

    def answer(kind: str | None) -> torch.Tensor:
        return steerable.denoiser(x, t, steerable.conditions.encode([{"kind": kind}] * 2))

    def steered(steering: Steering) -> torch.Tensor:
        settings = Settings("ddim", 4, 3.0, "karras", None, "none", steering)
        return steerable.steered([HERO] * 2, settings)(x, t)

    with torch.no_grad():
        hero, food, nothing = answer("hero"), answer("food"), answer(None)
        guided = nothing + 3 * (hero - nothing)
        torch.testing.assert_close(steered(Steering()), guided)
        torch.testing.assert_close(steered(Steering({"kind": "food"})), food + 3 * (hero - food))
        assert steered(Steering(interval=(1.5, 9.0))).equal(hero)
        factor = (hero.flatten(1).std(1) / guided.flatten(1).std(1))[:, None, None, None]
        torch.testing.assert_close(steered(Steering(rescale=1.0)), factor * guided)
    variable = x.clone().requires_grad_()
    steerable.classifier.log_probs(variable, t)["kind"][:, 0].sum().backward()
    assert variable.grad is not None and variable.grad.abs().max() > 1e-7
    # sigma^2 / alpha = 1
    torch.testing.assert_close(steered(Steering(classifier=2e5)), guided + 2e5 * variable.grad)


@pytest.mark.parametrize("preset", ["default", "ddpm", "iddpm", "v_cosine", "flow"])
@pytest.mark.slow
def test_all_of_it_draws_with_every_schedule_and_a_mix(tmp_path, preset):
    """A mix as a mapping and as it is typed; nothing turns infinite where the signal ends."""
    model = random_model(tmp_path, preset)
    steering = Steering({"kind": "spell"}, (0.1, 500.0), 0.7, classifier=1.0)
    sampler = "ddpm_learned" if preset == "iddpm" else "dpmpp_2m"
    drawn = [
        model.sample(2, {"kind": mix}, guidance=3.0, steering=steering, steps=4, sampler=sampler).raw
        for mix in ({"hero": 1, "food": 0.6}, "hero:1,food:0.6", "hero")
    ]
    assert drawn[0].equal(drawn[1]) and drawn[0].isfinite().all() and not drawn[0].equal(drawn[2])


def test_a_recipe_in_a_file_determines_the_picture(tmp_path, steerable):
    steering = Steering({"kind": "food"}, (0.3, 3.0), 0.7, classifier=1.5)
    drawing = steerable.sample(seeds=[5], condition=HERO, guidance=3.0, steering=steering, steps=5)
    drawing.save(tmp_path)
    recipe = json.loads(json.dumps(read_recipe(tmp_path / "00005.png")))
    assert recipe["classifier"] == steerable.classifier.hash
    again = steerable.sample(
        seeds=[recipe["seed"]],
        condition=recipe["condition"],
        guidance=recipe["guidance"],
        steering=Steering(**recipe["steering"]),
        steps=recipe["steps"],
    )
    assert again.raw.equal(drawing.raw)
    plain = steerable.sample(seeds=[5], condition=HERO, guidance=3.0, steps=5)
    assert not plain.raw.equal(drawing.raw)
    # A recipe of before there was steering says nothing of it, and means none.
    old = {key: plain.recipes[0][key] for key in ("sampler", "steps", "guidance", "grid", "eta", "limit")}
    assert Settings(**old).steering == Steering()  # type: ignore[arg-type]


def test_an_earlier_step_of_the_run_guides(run):
    """The snapshot of step 12 is the model of the run stopped there, to half precision."""
    model = load(run)
    weaker = model.weaker("12")
    saved = load_file(run.parent / "half.safetensors")
    for name, value in weaker.denoiser.state_dict().items():
        torch.testing.assert_close(value, saved[name], atol=1e-3, rtol=1e-3)
    x, t = torch.randn(2, *CONFIG.pictures.shape)[:, :3], torch.full((2,), 0.02, dtype=torch.float64)
    settings = Settings("ddim", 4, 2.5, "karras", None, "none", Steering(guide_with="12"))
    cond = model.conditions.encode([{"label": "a"}] * 2)
    with torch.no_grad():
        strong, weak = model.denoiser(x, t, cond), weaker.denoiser(x, t, cond)
        guided = model.steered([{"label": "a"}] * 2, settings)(x, t)
    assert not strong.equal(weak)
    torch.testing.assert_close(guided, weak + 2.5 * (strong - weak))


def test_another_average_or_another_run_guides(run):
    model = load(run)
    for name, expected in {"0.2": load(run, ema=0.2), str(run): model}.items():
        assert model.weaker(name).hash == expected.hash
        drawing = model.sample(2, guidance=2.0, steering=Steering(guide_with=name), steps=3)
        assert drawing.recipes[0]["weaker"] == expected.hash
    by_itself = model.sample(2, guidance=2.0, steering=Steering(guide_with=str(run)), steps=3).raw
    plain = model.sample(2, guidance=1.0, steps=3).raw  # by itself it is led nowhere
    torch.testing.assert_close(by_itself, plain, atol=1e-5, rtol=1e-5)


def test_what_cannot_be_asked_from_python():
    model = random_model()
    with pytest.raises(UserError, match="not loaded from a run"):
        model.sample(1, guidance=2.0, steering=Steering(guide_with="0.2"))
    with pytest.raises(UserError, match="this model has no classifier: train one"):
        model.sample(1, steering=Steering(classifier=1.0))
    with pytest.raises(UserError, match=r"must be a number from -1,000,000 to 1,000,000, not nan"):
        Steering(classifier=float("nan"))
    with pytest.raises(UserError, match=r"interval\[1\] must be a number from"):
        Steering(interval=(0, float("inf")))
    assert fogcatcher.load("sprites").folder is not None


SENTENCES = [
    (("--negative", "label=c"), "unknown label 'c'. Valid: a, b."),
    (("--negative", "mood=a"), "unknown condition 'mood'. Valid: label."),
    (("--negative", "label"), "--negative 'label' needs the form NAME=VALUE"),
    (("--guidance-interval", "2"), "--guidance-interval '2' is not LOW,HIGH"),
    (("--guidance-interval", "a,b"), "is not LOW,HIGH"),
    (("--guidance-interval", "1,2,3"), "is not LOW,HIGH"),
    (("--guidance-interval", "3,1"), "0 or more and rising, such as 0.2,2, not 3,1"),
    (("--guidance-interval=-1,1",), "0 or more and rising"),
    (("--rescale", "1.5"), "--rescale must be a number from 0 to 1, not 1.5"),
    (("--rescale=-0.1",), "--rescale must be a number from 0 to 1"),
    (("--rescale", "nan"), "--rescale must be a number from 0 to 1"),
    (("--classifier-guidance", "1"), "has no classifier: train one with fogcatcher train-classifier."),
    (("--classifier-guidance", "inf"), "must be a number from -1,000,000 to 1,000,000, not inf"),
    (("--guide-with", "0.9"), "an average of relative length 0.9 cannot be made"),
    (("--guide-with", "13"), "there is no snapshot of step 13"),
    (("--guide-with", "nowhere"), "there is no run directory nowhere"),
    (
        ("--guide-with", "sprites"),
        "sprites cannot guide this model: the sizes of the pictures of the two differ.",
    ),
    (("--guide-with", "12", "--negative", "label=a"), "give one of them"),
    (("--guide-with", "12", "--guidance", "label=2"), "takes one scale"),
    (("--sampler", "magic"), "unknown sampler 'magic'. Valid: dpmpp_2m,"),
    (("--guidance", "mood=2"), "unknown condition to guide by 'mood'. Valid: label."),
]


@pytest.mark.parametrize(
    ("arguments", "sentence"), SENTENCES, ids=lambda x: " ".join(x) if len(x) < 9 else ""
)
def test_mistakes_are_one_sentence_and_exit_code_2(capsys, run, tmp_path, arguments, sentence):
    command = ("sample", str(run), "-n", "1", "--out", str(tmp_path / "o"))
    assert sentence in refused(*command, *arguments, capsys=capsys)
    assert not (tmp_path / "o").exists()


def test_every_flag_reaches_the_recipe(capsys, tmp_path, steerable):
    flags = "-n 1 --condition kind=hero --negative kind=food --guidance 3 --guidance-interval 0.2,2"
    out = tmp_path / "o"
    more = ["--rescale", "0.7", "--classifier-guidance", "1.5", "--steps", "3", "--out", str(out)]
    main(["sample", str(steerable.folder), *flags.split(), *more])
    recipe = read_recipe(out / "00000.png")
    assert recipe is not None and recipe["steering"] == {
        "negative": {"kind": "food"},
        "interval": [0.2, 2.0],
        "rescale": 0.7,
        "guide_with": None,
        "classifier": 1.5,
    }
