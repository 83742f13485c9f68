"""What a page says can be seen is said where it is so, and not where it is not."""

from dataclasses import replace

import pytest
import torch

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import BetaSchedule, CosineSchedule, linear_betas
from fogcatcher.drawing.settings import Settings
from fogcatcher.explain import seen
from fogcatcher.explain.explaining import Rates, Steps, Variant, even_times, forward
from fogcatcher.explain.parts import Parts, Without
from fogcatcher.explain.training_side import Answers, TrainingSide
from tests.exact_models import gaussian_model

SETTINGS = Settings("ddim", 5, 1.0, "karras", None, "clip")
BOARD = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).repeat(2, 2).expand(1, 3, 4, 4)
GREY = torch.full((1, 3, 4, 4), 128, dtype=torch.uint8)


def variant(pictures: torch.Tensor, **settings: object) -> Variant:
    drawn = gaussian_model().sample(seeds=range(len(pictures)), settings=SETTINGS)
    return Variant(replace(SETTINGS, **settings), replace(drawn, rows=pictures), 1.0)


def test_figures_of_known_pictures():
    assert seen.roughness(torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])) == 1
    assert seen.apart(BOARD, 255 - BOARD) == 1 and seen.apart(GREY, GREY) == 0
    assert seen.hard(BOARD) == 1 and seen.hard(GREY) == 0
    assert seen.pale(BOARD) == 0.5 and seen.pale(GREY) == pytest.approx(0.5 / 255)
    assert seen.spread(torch.cat([GREY, GREY])) == 0
    assert seen.spread(torch.cat([BOARD, 255 - BOARD])) == pytest.approx(0.5**0.5)
    clear = torch.cat([BOARD, torch.zeros(1, 1, 4, 4, dtype=torch.uint8)], 1)
    clear[:, :, 0, 0] = torch.tensor([128, 128, 128, 255], dtype=torch.uint8)
    assert seen.hard(clear) == 0  # of what is transparent nothing is seen


def test_how_much_is_left_at_the_end_is_read_off():
    def said(schedule) -> str:
        return seen.forward_seen(forward(Process(schedule), torch.zeros(1, 3, 4, 4), even_times(schedule)))[0]

    assert "nothing of the picture can be seen" in said(CosineSchedule())
    assert "SNR is 0.05: the picture is still there" in said(BetaSchedule(linear_betas(300)))


def steps_of(guesses: torch.Tensor, answer: torch.Tensor) -> Steps:
    t = torch.linspace(1, 0.5, len(guesses), dtype=torch.float64)
    return Steps(t, torch.ones_like(t), 80 * t, guesses, guesses, guesses, guesses, answer)


def test_a_first_guess_is_called_blurred_only_where_it_is():
    rough = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).expand(1, 3, 2, 2)
    sharper = torch.cat([0.1 * rough, 0.4 * rough, 0.7 * rough])
    said = " ".join(seen.steps_seen(steps_of(sharper, rough)))
    assert "neighbouring pixels differ by 0.20, in the finished picture by 2.00" in said
    assert "in 2 of 2 steps the guess gets sharper" in said and "In the last step" not in said
    assert seen.steps_seen(steps_of(sharper.flip(0), 0.5 * rough)) == []


def test_the_guess_is_first_only_where_it_is():
    path, guess = torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([1.0, 0.05, 0.0])
    assert (
        "From step 2 on the guess is within 0.1 of its end; the noisy value is so from step 4 on"
        in (seen.pixel_seen(path, guess)[0])
    )
    assert seen.pixel_seen(torch.tensor([3.0, 0.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 0.0])) == []


def test_one_path_is_said_only_where_pictures_agree():
    def drawn(ends: dict[str, torch.Tensor]) -> list[Variant]:
        return [variant(x, sampler=name, steps=n) for name, x in ends.items() for n in (5, 50)]

    same = drawn({"ddim": GREY, "heun": GREY, "dpmpp_2m": GREY, "ddpm": BOARD})
    assert "they follow one path" in seen.samplers_seen(same)[0]
    other = drawn({"ddim": GREY, "heun": BOARD, "dpmpp_2m": GREY, "ddpm": BOARD})
    assert not any("one path" in said for said in seen.samplers_seen(other))
    left = [variant(BOARD if v.settings.sampler == "heun" and v.settings.steps == 5 else v.drawing.pictures,
                    sampler=v.settings.sampler, steps=v.settings.steps) for v in same]  # fmt: skip
    assert "With 5 steps Heun has left its path furthest: by 0.5" in seen.samplers_seen(left)[-1]


def test_eta_1_is_called_ddpm_only_where_it_draws_the_same():
    plain, noisy = variant(GREY, eta=0.0), variant(BOARD, eta=1.0)
    assert "draws the pictures of DDPM" in seen.noise_seen([plain, noisy, variant(BOARD, sampler="ddpm")])[0]
    assert seen.noise_seen([plain, noisy, variant(GREY, sampler="ddpm")]) == []


def test_strong_guidance_is_called_hard_and_alike_only_where_it_is():
    two = torch.cat([BOARD, 255 - BOARD])
    said = seen.guidance_seen(
        [variant(two // 2 + 64, guidance=1.0), variant(BOARD.repeat(2, 1, 1, 1), guidance=8.0)]
    )
    assert "colours are harder: 100% of them" in said[0] and "more alike: their spread is 0.00" in said[1]
    assert seen.guidance_seen([variant(two, guidance=1.0), variant(two, guidance=8.0)]) == []


def test_paler_is_said_only_where_it_is():
    def said(dynamic: torch.Tensor) -> str:
        return seen.limits_seen([variant(BOARD, limit="clip"), variant(dynamic, limit="dynamic")])[0]

    assert "paler" in said(GREY) and "little difference" in said(BOARD)


def test_what_training_did_is_said_with_its_sign():
    t, x = torch.tensor([0.2, 0.8], dtype=torch.float64), torch.zeros(2, 3, 2, 2)

    def said(before: list[float], after: list[float]) -> str:
        answers = [
            Answers(name, x, x, torch.tensor(loss), t, t)
            for name, loss in (("step 0", before), ("step 9", after))
        ]
        return seen.training_seen(TrainingSide(t, t, x[:1], x[:1], x, answers))[0]

    assert "fell from 1.5 to 0.75; at 1 of 2 times it is lower" in said([1.0, 2.0], [1.0, 0.5])
    assert "did not lower" in said([1.0, 1.0], [1.0, 2.0])


def test_parts_are_said_by_their_figure():
    t, x = torch.tensor([0.2, 0.8], dtype=torch.float64), torch.zeros(2, 3, 2, 2)
    errors = {"all parts": [0.1, 0.2], "same": [0.1, 0.2], "worse": [0.2, 0.4]}
    answers = [Without(name, x, torch.tensor(error)) for name, error in errors.items()]
    assert seen.parts_seen(Parts(t, t, answers)) == [
        "same: the error stays what it was.",
        "worse: the error is 2.00 times as large.",
    ]


def test_schedules_fall_only_where_they_do():
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    falls = Rates("a", t, t, t, torch.tensor([3.0, 0.0, -3.0], dtype=torch.float64))
    rises = replace(falls, name="b", log_snr=falls.log_snr.flip(0))
    assert seen.schedules_seen([falls])[0].startswith("The log SNR falls")
    assert (
        seen.schedules_seen([falls, rises])[0]
        == "As much picture as noise there is in a at t = 0.5, b at t = 0.5."
    )
