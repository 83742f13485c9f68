"""What the explanations show holds as numbers: on a model whose answers are known exactly."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import multivariate_normal

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.for_model import read_for_model
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.guidance import Conditioned
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, sample
from fogcatcher.diffusion.schedules import CosineSchedule, EDMSchedule, FlowSchedule
from fogcatcher.drawing.html import chart
from fogcatcher.drawing.letters import lettered
from fogcatcher.drawing.settings import STEP_BY_STEP, Settings
from fogcatcher.explain.explaining import Steps, even_times, forward, rates, steps, variant, variants
from fogcatcher.explain.explanation import explain
from fogcatcher.explain.page import page
from fogcatcher.explain.source_lines import PROJECT, source_lines
from fogcatcher.explain.two_pixels import BLUR, EXPLODING, PICTURES, PRESERVING, lecture, swiss_roll
from tests.commands import refused
from tests.exact_models import STD, gaussian_model

LEFT = {"kind": "left"}
FREE = Settings("ddim", 8, 1.0, "karras", None, "none")


def noise_of(seed: int) -> torch.Tensor:
    return SampleGenerator([seed]).randn_like(torch.empty(1, 3, 4, 4))


# --- forward ------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [EDMSchedule(), CosineSchedule(), FlowSchedule()])
def test_the_strip_runs_from_the_picture_to_the_prior(schedule):
    process, x0 = Process(schedule), torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)
    strip = forward(process, x0, even_times(schedule), seed=5)
    one = torch.ones((), dtype=torch.float64)
    assert torch.equal(strip.x_t[0], x0[0]) and torch.equal(strip.seen[0], x0[0])
    left = schedule.alpha(one).float() * x0
    assert torch.equal(strip.x_t[-1:], left + process.prior(one, noise_of(5)))
    assert (schedule.alpha(one) == 0) == bool((left == 0).all())  # where no signal is left, the prior alone
    assert strip.snr[0] == float("inf")
    torch.testing.assert_close(strip.snr[1:-1].log(), schedule.log_snr(strip.t[1:-1]))


def test_the_middle_of_the_strip_has_as_much_picture_as_noise():
    for schedule in (EDMSchedule(), CosineSchedule(), FlowSchedule()):
        t = even_times(schedule, 9)
        assert (t.diff() > 0).all() and t[0] == 0 and t[-1] == 1
        assert schedule.log_snr(t[4]).abs() < 1e-9


def test_times_outside_are_refused():
    with pytest.raises(UserError, match="between 0"):
        forward(Process(FlowSchedule()), torch.zeros(1, 3, 4, 4), torch.tensor([1.5], dtype=torch.float64))


# --- backward -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "heun", "dpmpp_2m"])
def test_every_step_is_a_picture_and_noise(sampler: str):
    model = gaussian_model(lean=0.3)
    settings = replace(FREE, sampler=sampler, guidance=3.0, limit="clip")
    shown = steps(model, 7, LEFT, settings)
    for i in range(8):
        rebuilt = shown.alpha[i] * shown.x0_hat[i] + shown.sigma[i] * shown.eps_hat[i]
        assert (rebuilt - shown.x_t[i]).abs().max() <= 1e-5 * max(1, shown.x_t[i].abs().max().item())
    # The first is the prior of the seed, the last is what Model.sample draws.
    torch.testing.assert_close(shown.x_t[:1], 80 * noise_of(7))
    drawn = model.sample(condition=LEFT, seeds=[7], sampler=sampler, steps=8, guidance=3.0)
    assert torch.equal(shown.answer, drawn.raw)


def test_ddim_puts_guess_and_noise_together_again():
    model = gaussian_model(lean=0.3)
    shown = steps(model, 7, LEFT, FREE)
    assert torch.equal(shown.t, model.times(FREE)[:-1])
    for i in range(7):
        x_s = shown.alpha[i + 1] * shown.x0_hat[i] + shown.sigma[i + 1] * shown.eps_hat[i]
        torch.testing.assert_close(shown.x_t[i + 1], x_s.float(), rtol=1e-4, atol=1e-4)


def test_the_guess_is_the_exact_one():
    shown = steps(gaussian_model(), 1, LEFT, FREE)
    exact = STD**2 / (STD**2 + shown.sigma**2)
    torch.testing.assert_close(shown.x0_hat, exact.float()[:, None, None, None] * shown.x_t)


def test_the_path_of_a_pixel_ends_where_the_picture_does():
    shown = steps(gaussian_model(), 1, LEFT, FREE)
    channel, y, x = shown.longest_way()
    path, guessed = shown.of_pixel(channel, y, x)
    assert len(path) == 9 and len(guessed) == 8
    assert path[-1] == shown.answer[0, channel, y, x] and guessed[3] == shown.x0_hat[3, channel, y, x]
    way = (shown.answer - shown.seen[:1]).abs()
    assert way[0, channel, y, x] == way.max()


def test_the_pixel_that_is_followed_can_be_seen():
    """Of two pixels the one that moves further is transparent at the end."""
    start = torch.zeros(1, 4, 1, 2)
    answer = torch.tensor([[1.0, 0.5], [0.0, 0.0], [0.0, 0.0], [-1.0, 1.0]])[None, :, None]
    t = torch.ones(1, dtype=torch.float64)
    assert Steps(t, t, t, start, start, start, start, answer).longest_way() == (0, 0, 1)
    hidden = answer.clone()
    hidden[:, 3] = -1
    assert Steps(t, t, t, start, start, start, start, hidden).longest_way() == (0, 0, 0)


# --- the same seeds in other ways ---------------------------------------------------------------


def test_deterministic_samplers_agree_at_many_steps():
    """All reach the end of the probability-flow ODE: x_0 = x_1 std / sqrt(std^2 + 80^2)."""
    choices = [
        replace(FREE, sampler=name, steps=n) for n in (10, 60) for name in ("ddim", "heun", "dpmpp_2m")
    ]
    drawn = [v.drawing.raw for v in variants(gaussian_model(), [3], LEFT, choices)]
    exact = 80 * noise_of(3) * STD / (STD**2 + 80**2) ** 0.5
    errors = [(raw - exact).abs().max().item() for raw in drawn]
    assert all(many < few / 4 for few, many in zip(errors[:3], errors[3:], strict=True))
    assert errors[3] < 0.07 and max(errors[4:]) < 8e-3


def test_eta_0_is_ddim_and_eta_1_is_ddpm():
    model = gaussian_model(lean=0.3)

    def drawn(sampler: str, eta: float | None) -> torch.Tensor:
        return variant(model, [0, 1], LEFT, replace(FREE, sampler=sampler, eta=eta)).drawing.raw

    assert torch.equal(drawn("ddim", 0.0), drawn("ddim", None))
    torch.testing.assert_close(drawn("ddim", 1.0), drawn("ddpm", None), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(drawn("ddim", 0.5), drawn("ddim", None), atol=0.1)


def test_guidance_1_is_the_plain_model():
    model = gaussian_model(lean=0.3)
    cond = model.conditions.encode([LEFT])
    times = model.times(FREE)
    generator = SampleGenerator([4])
    x = model.denoiser.process.prior(times[0], generator.randn_like(torch.empty(1, 3, 4, 4)))
    *_, last = sample(Conditioned(model.denoiser, cond), x, times, DDIM(), generator)
    assert torch.equal(variant(model, [4], LEFT, FREE).drawing.raw, last.x)


@pytest.mark.parametrize(
    "sampler, calls", [("ddpm", 6), ("ddim", 6), ("dpmpp_2m", 6), ("heun", 11), ("churn", 11)]
)
def test_calls_are_those_of_the_network(sampler: str, calls: int):
    """Heun asks 2 n - 1 times; guidance doubles; the number of pictures does not matter."""
    model = gaussian_model(lean=0.3)
    for guidance, times in ((1.0, 1), (0.0, 1), (2.0, 2)):
        settings = Settings(sampler, 6, guidance, "karras", None, "clip")
        assert variant(model, [0, 1, 2], LEFT, settings).calls == calls * times
    assert not model.denoiser.network._forward_pre_hooks  # and nothing stays behind


def test_rates_are_those_of_the_schedules():
    t = torch.tensor([0.25, 0.5], dtype=torch.float64)
    shown = {r.name: r for r in rates(gaussian_model(), t)}
    assert list(shown) == ["this model (edm)", "ddpm", "cosine", "flow"]
    assert shown["this model (edm)"].sigma.tolist() == [20, 40]
    assert shown["flow"].alpha.tolist() == [0.75, 0.5]


# --- pictures of two pixels ---------------------------------------------------------------------


@pytest.mark.parametrize("process", [EXPLODING, PRESERVING])
@pytest.mark.parametrize("t", [0.2, 0.5, 0.9])
def test_the_score_is_the_gradient_of_the_log_density(process: Process, t: float):
    """Against scipy: the density as a mixture, its gradient by finite differences."""
    toy, at = lecture(process), torch.tensor(t, dtype=torch.float64)
    alpha, sigma = process.schedule.alpha(at).item(), process.schedule.sigma(at).item()
    kinds = [
        multivariate_normal(alpha * np.array(mean), (alpha * BLUR) ** 2 + sigma**2)  # type: ignore[arg-type]
        for mean in PICTURES
    ]

    def log_density(x: np.ndarray) -> np.ndarray:
        return np.log(sum(kind.pdf(x) for kind in kinds) / len(kinds))

    x = torch.linspace(-1.5, 1.5, 14, dtype=torch.float64).reshape(7, 2)
    np.testing.assert_allclose(toy.log_density(x, t).numpy(), log_density(x.numpy()), rtol=1e-9)
    h = 1e-5 * np.eye(2)
    slopes = [(log_density(x.numpy() + d) - log_density(x.numpy() - d)) / 2e-5 for d in h]
    np.testing.assert_allclose(toy.score(x, t).numpy(), np.stack(slopes, 1), rtol=1e-5, atol=1e-5)


def test_added_noise_explodes_and_mixed_noise_does_not():
    generator = torch.Generator().manual_seed(0)
    for process, size in ((EXPLODING, 2.0), (PRESERVING, 0.0)):
        toy = lecture(process)
        x0 = toy.pictures(20_000, generator)
        expected = (size > 0) * x0.var(0) + (size or 1) ** 2
        torch.testing.assert_close(toy.noisy(x0, 1.0, generator).var(0), expected, rtol=0.05, atol=0)


def test_the_curved_set_is_a_curve():
    """A spiral: the pictures lie in a row, each nearer to the next than to those of the turn before."""
    means = swiss_roll(PRESERVING).means
    assert (means.norm(dim=1).diff() > 0).all()
    apart = torch.cdist(means, means) + 9 * torch.eye(len(means))
    assert ((apart.argmin(1) - torch.arange(len(means))).abs() == 1).all()


def test_kinds_are_told_apart_as_often_as_can_be():
    """Without noise always; of noise alone one in four; between, as the mixture's own posterior says."""
    generator = torch.Generator().manual_seed(0)
    toy = lecture(PRESERVING)
    assert toy.told_apart(0.0, generator) == 1
    assert toy.told_apart(1.0, generator) == pytest.approx(1 / 4, abs=0.02)
    at = torch.tensor(0.5, dtype=torch.float64)
    x_t = toy.noisy(toy.pictures(20_000, generator), 0.5, generator)
    square = torch.cdist(x_t, toy.process.schedule.alpha(at) * toy.means) ** 2
    c = (toy.process.schedule.alpha(at) * toy.std) ** 2 + toy.process.schedule.sigma(at) ** 2
    best = torch.softmax(-square / (2 * c), 1).amax(1).mean().item()
    assert toy.told_apart(0.5, generator) == pytest.approx(best, abs=0.015)


def test_paths_lead_from_the_noise_of_a_seed_to_a_picture():
    toy, times = lecture(PRESERVING), torch.linspace(1, 0, 41, dtype=torch.float64)
    for step in (DDIM(), DDPM()):
        walked = toy.paths(step, times, [0, 1, 2])
        alone = toy.paths(step, times, [1])
        assert walked.shape == (41, 3, 2) and torch.equal(walked[:, 1], alone[:, 0])
        ends = (walked[-1][:, None] - toy.means).norm(dim=-1).amin(1)
        assert (ends < 6 * BLUR).all() and (walked[0] - walked[-1]).norm(dim=-1).min() > 6 * BLUR


# --- the page -----------------------------------------------------------------------------------


class Parts(HTMLParser):
    """What a page refers to, and whether its tags close."""

    VOID = ("meta", "link", "img", "br", "line", "circle", "rect", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "srcset", "data")]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written() -> str:
    model = gaussian_model(lean=0.3, channels=4)
    found = explain(model, settings=replace(STEP_BY_STEP, steps=3))
    return page(found, model.config.pictures, model.config.method, "exact", own_picture=False)


def test_the_page_holds_everything_itself(written):
    parts = Parts()
    parts.feed(written)
    assert parts.open == [] and not {"script", "iframe", "object", "a"} & parts.names
    assert parts.sources and all(source.startswith("data:image/png;base64,") for source in parts.sources)
    assert parts.links == ["data:,"]  # the icon: the page can be sent to anybody
    assert "//" not in re.sub(r"<pre>.*?</pre>|base64,[^\"]*", "", written, flags=re.DOTALL)
    assert "url(" not in written and "@import" not in written
    assert re.findall(r"<h2>(\d+)\. ", written) == [str(number) for number in range(1, 15)]


def test_formulas_are_typeset_and_close(written):
    found = re.findall(r"<math .*?</math>", written)
    assert len(found) > 30
    for math in found:
        ElementTree.fromstring(math.replace("&nbsp;", " "))


def test_no_number_is_minus_zero(written):
    said = re.sub(
        r"<pre>.*?</pre>|<style>.*?</style>|<svg.*?</svg>|base64,[^\"]*", "", written, flags=re.DOTALL
    )
    assert not re.search(r"[-\u2212]0(\.0+)?(?![\d.])", said)


def test_the_page_names_the_lines_of_the_code(written):
    found = re.findall(r'<span class="path">(fogcatcher/[\w/]+\.py):(\d+)<', written)
    assert len(found) > 25 and written.count("<details open>") == len(found)
    for path, line in found:
        assert re.match(r"\s*(@|def |class )", (PROJECT / path).read_text().splitlines()[int(line) - 1])


def test_code_is_shown_without_its_docstring():
    at = source_lines(Process.bridge)
    assert '"""' in at.code and '"""' not in at.computing
    assert at.computing.splitlines()[0] == at.code.splitlines()[0]
    assert at.computing.splitlines()[-1] == at.code.splitlines()[-1]


def test_source_lines_are_those_of_the_file():
    at = source_lines(Process.corrupt)
    lines = (PROJECT / at.path).read_text().splitlines()
    assert at.path == "fogcatcher/diffusion/process.py" and lines[at.line - 1].strip().startswith(
        "def corrupt"
    )
    assert at.code.splitlines()[-1] == "    return alpha * x0 + sigma * noise"


def test_the_page_says_how_often_the_network_was_asked(written):
    """Guidance 2: DDIM with 5 steps asks 10 times, Heun 2 (2 x 5 - 1) = 18 times."""
    row = re.search(r"Heun</th>(.*?)</tr>", written, re.DOTALL)
    assert row and re.findall(r"(\d+) calls", row[1]) == ["18", "38", "78", "198"]
    row = re.search(r"DDIM</th>(.*?)</tr>", written, re.DOTALL)
    assert row and re.findall(r"(\d+) calls", row[1]) == ["10", "20", "40", "100"]


def test_letters():
    assert lettered("x_s = alpha_s x0_hat + sqrt(c^2 - 1) & betas") == (
        "x<sub>s</sub> = \u03b1<sub>s</sub> x\u0302<sub>0</sub> + \u221a(c\u00b2 \u2212 1) &amp; betas"
    )


def test_letters_of_the_lectures():
    assert lettered("alpha_bar_t = alpha^2, L_T, beta_tilde") == (
        "\u03b1\u0305<sub>t</sub> = \u03b1\u00b2, L<sub>T</sub>, \u03b2\u0303"
    )


def test_charts_without_dots():
    series = {"a": [(0.0, 0.0), (1.0, 2.0)]}
    assert chart(series, "x", "y").count("<circle") == 2 and "<circle" not in chart(
        series, "x", "y", dots=False
    )


# --- a picture of one's own, and the command ----------------------------------------------------


def test_a_picture_of_ones_own_gets_the_form_of_the_models(tmp_path):
    art = np.zeros((8, 8, 4), np.uint8)
    art[2:6, 2:6] = (200, 100, 50, 255)
    art[3, 3] = (10, 20, 30, 255)
    Image.fromarray(art).resize((32, 32), Image.Resampling.NEAREST).save(tmp_path / "a.png")

    def read(spec):
        return read_for_model(tmp_path / "a.png", spec, DataOptions()).rows[:]

    clear = read(PictureSpec(8, 8, 4, True, 0.5))
    assert (clear[0].permute(1, 2, 0).numpy() == art).all()
    black = read(PictureSpec(8, 8, 3, False, 0.5))
    assert (black[0].permute(1, 2, 0).numpy() == art[..., :3]).all()
    grey = read(PictureSpec(8, 8, 1, False, 0.5))
    assert grey.shape == (1, 1, 8, 8) and grey[0, 0, 2, 2] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_mistakes_are_one_sentence_before_anything_is_drawn(tmp_path, capsys):
    (tmp_path / "text.png").write_text("no picture")
    cases = [
        (("--picture", str(tmp_path / "text.png")), "is not a picture"),
        (("--picture", str(tmp_path / "missing.png")), "check the spelling"),
        (("--condition", "kind=orc"), "unknown kind 'orc'. Valid: creature, food"),
        (("--condition", "mood=1"), "unknown condition 'mood'"),
        (("--steps", "0"), "--steps must be a whole number from 1 to 10,000"),
        (("--seed", "-1"), "--seed must be a whole number from 0"),
        (("--times", "0,2000"), "steps of T"),
        (("--times", "a"), "steps of T"),
    ]
    for arguments, sentence in cases:
        command = ("explain", "sprites", "--out", str(tmp_path / "out"))
        assert sentence in refused(*command, *arguments, capsys=capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_writes_page_strips_and_animation(tmp_path, capsys):
    out = tmp_path / "out"
    main(["explain", "sprites", "--steps", "3", "--times", "0,0.01,1", "--out", str(out)])
    names = {"forward", "steps", "samplers", "noise", "guidance", "limits"}
    assert {p.name for p in out.iterdir()} == {f"{n}.png" for n in names} | {"explain.html", "denoising.gif"}
    with Image.open(out / "denoising.gif") as gif:
        assert 2 <= getattr(gif, "n_frames", 1) <= 4
