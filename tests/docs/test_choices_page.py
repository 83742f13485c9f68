"""The page of choices: the program takes every command, and every choice of the lectures is there."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tyro
from PIL import Image

import fogcatcher
from fogcatcher.cli.main import Command
from fogcatcher.cli.train import Train
from fogcatcher.data import sprites
from fogcatcher.runs.choose_method import check_names, method_of, plan_of
from lab_notebooks import DOCS
from tests.commands import fogcatcher as typed

PAGE = (DOCS / "choices.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"\| `fogcatcher ([^`]+)` \|", PAGE)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
DRAWING = ("noise", "sample", "interpolate", "grid")
"""Commands that are over in a second when they take few steps."""
EVERY_CHOICE = """
--t 50,100,299; --schedule linear; --schedule cosine_betas; --schedule quadratic; --schedule sigmoid;
loss L1, L2 or Huber; L_T, every L_t, L_0, bits per dimension; --nll; --preset iddpm; importance;
noise=0; --sampler ddim; --eta; --grid leading; interpolate; inversion; --classifier-guidance;
--guidance 3; NCSN; --sampler annealed_langevin; sub_vp; score_ve; predictor_corrector; rk45;
log_likelihood; --sampler churn; zero_snr=1 --prediction v; 2015's two models; --ema; interval=;
sinusoids; encoded; copied; grid sprites --x sampler; evaluate runs/small runs/large; --optimizer;
--learning-rate; --network thesis_vanilla; scale_shift=no; resample=yes; rescaled=yes; heads=4;
attention=16,8; blocks=4; progressive; consistency; --method matching; ddgan; sr3; --preset imagen;
--upscale-noise;
train-autoencoder; --latents; caption:text; cascade; upscale; --limit dynamic;
"""


def parsed(command: str) -> Any:
    return tyro.cli(Command, args=shlex.split(command), config=(tyro.conf.OmitSubcommandPrefixes,))  # type: ignore[arg-type]


@pytest.mark.parametrize("choice", [choice.strip() for choice in EVERY_CHOICE.strip(" ;\n").split(";")])
def test_every_choice_is_there(choice: str):
    assert choice in PAGE


def test_every_row_is_taught_somewhere():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "`fogcatcher" in line]
    assert len(rows) == len(COMMANDS) > 45
    for row in rows:
        links = re.findall(r"\]\(([\w/-]+\.md)\)", row.split(" | ")[-1])
        assert links and all((DOCS / link).exists() for link in links), row


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_the_program_takes(command: str):
    """A training is refused, if at all, before anything is read; so what is not refused here can begin."""
    found = parsed(command)
    if isinstance(found, Train):
        setup = found.setup()
        method_of(setup)
        plan_of(setup)
        check_names(setup)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, seed in (("hero", 3), ("bat", 5)):
        Image.fromarray(sprites.draw(seed, "hero").pixels).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith(DRAWING) and " runs/" not in c])
def test_what_draws_draws(command: str, here: Path, capsys):
    """With few steps and pictures, but all else as it stands."""
    short = re.sub(r"--(steps|y steps=)( ?)[\d,]+", r"--\1\g<2>2", command)
    if short.startswith("sample"):
        short = re.sub(r" -n \d+", "", short) + " -n 2"
    code, _, said = typed(*shlex.split(short), "--out", "drawn", capsys=capsys)
    assert code == 0, said
    assert list((here / "drawn").glob("*.png"))


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.splitlines()[0].split()[-1])
def test_the_lines_of_python_do_what_they_say(block: str, here: Path):
    assert len(ast.parse(block).body) == 3
    coins = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    picture = fogcatcher.load("sprites").config.kind.to_model(_row(here / "hero.png"))
    names: dict[str, Any] = {"fogcatcher": fogcatcher, "torch": torch, "coins": coins, "picture": picture}
    exec(block, names)
    if "nats" in names:
        assert names["nats"].shape == (1,) and bool(names["nats"].isfinite())
    if "drawn" in names:
        assert len(names["drawn"].images) == 2
    if "bits" in names:
        # Two sequences that are equally likely cost one bit; the bound costs more, on average.
        assert bool((names["bits"] < 0).all())
    if "said" in names:
        kinds = names["said"]["kind"]
        assert kinds[0].sum() == 1 and kinds[1].sum() == pytest.approx(1.6)
        # The first wave of the sinusoids is the step number itself: sin(t).
        assert torch.allclose(names["waves"][:, 0], torch.arange(500.0).sin(), atol=1e-4)


def _row(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        pixels = torch.from_numpy(np.array(image))
    return pixels.permute(2, 0, 1)[None]
