"""A picture under noise has the numbers of the closed form, at steps and at shares."""

import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.spec import spec_of
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.explain.noising import noised, schedule_of, times_of
from tests.commands import fogcatcher, refused


def test_steps_and_shares():
    assert times_of("50,100,299", 300).tolist() == [50 / 300, 100 / 300, 299 / 300]
    assert times_of("0,0.5,1", 300).tolist() == [0, 0.5, 1]
    assert times_of("0, 1", 300).tolist() == [0, 1]
    for wrong in ("", "fog", "0.5,50", "-1", "301", "nan", "1e9", "inf"):
        with pytest.raises(UserError, match=r"steps of T, whole numbers from 0 to 300, like 15,60,300"):
            times_of(wrong, 300)


def test_the_numbers_are_those_of_the_closed_form():
    """DDPM, equation 4, with the betas multiplied out by hand."""
    picture = torch.randint(0, 256, (1, 3, 6, 5), dtype=torch.uint8)
    found = noised(picture, spec_of(picture), schedule_of("annotated"), "100,300", seed=3)
    betas = torch.linspace(1e-4, 0.02, 300, dtype=torch.float64)
    x0, noise = (
        picture.double() / 127.5 - 1,
        SampleGenerator([3]).randn_like(torch.empty(1, 3, 6, 5)).double(),
    )
    for i, step in enumerate((100, 300)):
        alpha_bar = (1 - betas[:step]).prod()
        x_t = alpha_bar.sqrt() * x0[0] + (1 - alpha_bar).sqrt() * noise[0]
        torch.testing.assert_close(found.at.x_t[i].double(), x_t, rtol=0, atol=1e-5)
        row = dict(zip(*(found.rows()[k] for k in (0, i + 1)), strict=True))
        assert row["step"] == str(step) and float(row["alpha_bar"]) == pytest.approx(
            alpha_bar.item(), rel=1e-3
        )
        assert float(row["SNR"]) == pytest.approx((alpha_bar / (1 - alpha_bar)).item(), rel=1e-3)
        assert float(row["mean of x_t"]) == pytest.approx(x_t.mean().item(), abs=1e-3)
    assert found.rows()[-1][4] == "0.04806"  # alpha_bar of 300 linear betas, as published


def test_the_command_needs_no_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").resize((8, 8)).convert("RGB").save("hero.png")
    code, said, _ = fogcatcher(
        "noise",
        "hero.png",
        "--schedule",
        "linear",
        "--method-option",
        "T=50",
        "--t",
        "0,25,50",
        capsys=capsys,
    )
    lines = said.splitlines()
    assert code == 0 and [line.split()[1] for line in lines[1:4]] == ["0", "25", "50"]
    assert lines[1].split()[:4] == ["0", "0", "1", "0"]
    with Image.open("noise-hero/strip.png") as strip, Image.open("noise-hero/noise.gif") as animation:
        assert strip.width == 3 * (64 + 8) + 8
        assert getattr(animation, "n_frames", 1) == 41


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--t", "2000"], "whole numbers from 0 to 1000"),
        (["--schedule", "fog"], "unknown schedule 'fog'"),
        (["--preset", "fog"], "unknown preset 'fog'"),
        (["--method-option", "gamma=3"], "gamma is a number of weighting min_snr"),
        (["--method-option", "T=x"], "--method-option 'T=x' needs numbers"),
        (["--seed", "-1"], "--seed must be a whole number from 0"),
    ],
)
def test_wrong_wishes_are_one_sentence(options, said, tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert said in refused(
        "noise", str(tmp_path / "a.png"), *options, "--out", str(tmp_path / "o"), capsys=capsys
    )
    assert not (tmp_path / "o").exists()
