"""What a drawing will take is said before it is drawn: calls as they are then counted."""

from dataclasses import replace

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.cli import costs
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.diffusion.edits.inpainting import Inpaint
from fogcatcher.diffusion.edits.interpolation import Between
from fogcatcher.diffusion.edits.inversion import Invert
from fogcatcher.diffusion.sampling.table import SAMPLERS
from fogcatcher.drawing.settings import Settings, Steering
from fogcatcher.model import cost, reproduction
from fogcatcher.model.cost import Cost, OneCall, asks_of, cost_of, is_costly, together
from fogcatcher.model.model import load
from fogcatcher.networks.network_calls import counted
from tests.commands import fogcatcher, refused
from tests.exact_models import gaussian_model
from tests.model.test_reproduction import rewrite
from tests.random_models import random_model, save

STEPS = 9
OPTIONS = {"annealed_langevin": {"inner": 7.0}, "predictor_corrector": {"corrections": 3.0}}
LAST_ASKS_LESS = {"heun", "heun_in_time", "dpm2", "dpm2_ancestral", "churn", "dpmpp_2s", "dpmpp_2s_ancestral"}  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name not in ("ddpm_learned", "ddgan")])
@pytest.mark.slow
def test_every_sampler_asks_as_often_as_it_says(sampler):
    model = gaussian_model()
    settings = Settings(sampler, STEPS, 1.0, sampler_options=OPTIONS.get(sampler, {}))
    with counted(model.denoiser.network) as calls:
        model.sample(1, {}, settings=settings)
    said = asks_of(model, settings)
    if sampler == "rk45":  # by its tolerances, of which only the order is known
        assert calls.pictures / 4 < said < 4 * calls.pictures
    elif sampler == "pndm":  # its last step cannot be a pseudo one
        assert said == calls.pictures == STEPS + 9
    else:
        # The last step, to data, has no slope at its end.
        spared = 2 if sampler == "dpmpp_3s" else sampler in LAST_ASKS_LESS
        assert said - calls.pictures == spared
    if sampler == "annealed_langevin":
        assert said == STEPS * 8 and is_costly(model, settings, 1)
    if sampler == "predictor_corrector":
        assert said == STEPS * 4


@pytest.mark.slow
def test_edits_and_guidance_are_counted():
    model = gaussian_model(channels=4)
    picture, mask = model.sample(1, steps=1).rows, torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    mask[..., 2:] = 255
    edits: list[tuple[Edit, int]] = [
        (Inpaint(picture, mask, "repaint", 3, 4), 0),
        (Inpaint(picture, mask, "gradient"), 0),
        (Invert(picture, {"kind": "left"}, 5), 5 * 8),
        (Between(picture, 3, (0.5,), {}, {}, 2), 2 * 8),
        (Between(picture, picture, (0.5,), {}, {}, 2), 4 * 8),
    ]
    for edit, before in edits:
        for guidance, twice in ((1.0, 1), (3.0, 2)):
            settings = Settings("ddim", 8, guidance)
            with counted(model.denoiser.network) as calls:
                model.sample(1, {"kind": "left"}, settings=settings, edit=edit)
            asks = asks_of(model, settings, edit)
            assert calls.pictures == twice * (asks - before) + before, (edit, guidance)
            assert cost_of(model, settings, 3, edit).calls == 3 * twice * asks
            somewhere = replace(settings, steering=Steering(interval=(0.2, 2.0)))  # counted as everywhere
            assert cost_of(model, somewhere, 3, edit).calls == 3 * twice * asks


def test_words_and_sums():
    cost = Cost("annealed_langevin", 64, 26_880, 7250.0)
    assert cost.in_words == (
        "annealed_langevin takes about 420 network calls for each of 64 pictures, 26,880 in all: about 2 h"
    )
    assert together([cost, Cost("ddim", 2, 40, 1.0)]) == Cost("annealed_langevin", 66, 26_920, 7251.0)
    assert cost_of(gaussian_model(), Settings("ddim", 20, 1.0), 64, call=OneCall(2, 0.5)) == Cost(
        "ddim", 64, 2560, 640.0
    )
    assert not is_costly(gaussian_model(), Settings("heun", 20), 64)
    assert is_costly(gaussian_model(), Settings("ddim", 10_000), 64)


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "RUN", "-n", "3", "--out", "o"),
        ("grid", "RUN", "--x", "guidance=1,2", "--seeds", "0-2", "--out", "o"),
        ("vary", "RUN", "p.png", "-n", "3", "--strength", "1", "--out", "o"),
    ],
)
@pytest.mark.slow
def test_commands_say_what_annealed_langevin_takes(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = random_model()
    save(model, tmp_path / "RUN")
    model.sample(1, steps=1).save(tmp_path / "drawn")[0].rename(tmp_path / "p.png")
    way = ("--sampler", "annealed_langevin", "--steps", "2", "--sampler-option", "inner=4", "--limit", "none")
    guided = () if words[0] == "grid" else ("--guidance", "2")
    code, out, _ = fogcatcher(*words, *way, *guided, capsys=capsys)
    calls = {"grid": 30 + 60, "sample": 60, "vary": 60}[words[0]]
    assert code == 0 and f"{calls:,} in all: about" in out.splitlines()[0], out
    plain = (*words, "--steps", "2", "--out", "p")
    assert "in all" not in fogcatcher(*plain, capsys=capsys)[1]


@pytest.mark.slow
def test_a_costly_recipe_asks_before_it_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = load(save(random_model(), tmp_path / "runs" / "first"))
    path = model.sample(1, steps=1).save(tmp_path / "o")[0]
    wild = {**(read_recipe(path) or {}), "steps": 10_000, "sampler": "annealed_langevin"}
    rewrite(path, wild | {"sampler_options": {"inner": 1000}})
    drawn = []
    monkeypatch.setattr(reproduction, "_draw", lambda *given: drawn.append(given) or 1 / 0)
    said = refused("reproduce", str(path), capsys=capsys)
    assert "10,010,000 network calls" in said or "20,020,000 network calls" in said
    assert "add --yes if you want that" in said
    # On a terminal a person is asked; all else than yes is no, the end of the input too.
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(costs.sys.stdout.__class__, "isatty", lambda self: True, raising=False)
    for answer in ("n", "", "maybe"):
        monkeypatch.setattr("builtins.input", lambda asked, answer=answer: answer)
        assert "nothing was drawn" in fogcatcher("reproduce", str(path), capsys=capsys)[2]
    monkeypatch.setattr("builtins.input", lambda asked: "y")
    with pytest.raises(ZeroDivisionError):
        fogcatcher("reproduce", str(path), capsys=capsys)
    monkeypatch.setattr("builtins.input", lambda asked: pytest.fail("it asked"))
    with pytest.raises(ZeroDivisionError):
        fogcatcher("reproduce", str(path), "--yes", capsys=capsys)
    assert len(drawn) == 2


def test_short_recipes_are_not_asked_about(monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda asked: pytest.fail("it asked"))
    costs.agree(Cost("ddim", 1, 20, 59.0), yes=False)
    assert capsys.readouterr().out == ""
    costs.agree(Cost("ddim", 1, 20, 299.0), yes=False)
    assert "20 in all: about 5 min" in capsys.readouterr().out
    with pytest.raises(UserError):
        costs.agree(Cost("ddim", 1, 20, 301.0), yes=False)


def test_a_sheet_loads_each_model_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = load(save(random_model(), tmp_path / "runs" / "first"))
    paths = model.sample(70, steps=1).save(tmp_path / "o")
    loaded, measured = [], []
    monkeypatch.setattr(reproduction, "load", lambda *given: loaded.append(given) or load(*given))
    by_itself = cost._measured
    monkeypatch.setattr(cost, "_measured", lambda *given: measured.append(given) or by_itself(*given))
    assert reproduction.reproduce(paths[-1]).different == 0
    assert len(loaded) == 1 and len(measured) == 1
