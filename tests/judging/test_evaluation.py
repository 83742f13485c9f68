"""The judge as a whole, on models whose worth is known: perfect ones, copyists, and nonsense."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fogcatcher.cli.main import main
from fogcatcher.data.conditions.conditions import Category, ConditionSpec
from fogcatcher.data.labels import Value
from fogcatcher.data.pictures.sheets import to_image
from fogcatcher.data.pictures.spec import spec_of
from fogcatcher.judging import evaluation
from fogcatcher.judging.metrics import features
from fogcatcher.judging.metrics.neighbours import density_coverage, outliers, precision_recall
from fogcatcher.judging.metrics.scores import CHANCE, PARTINGS, Comparison, Score, Sets, compare
from fogcatcher.judging.metrics.two_sample import TwoSample
from fogcatcher.judging.verdict import place, verdict
from fogcatcher.runs.train import train
from tests.drawn_sprites import sprites


@dataclass
class Fixed:
    """An extractor of given rows: what a picture's first pixels are."""

    name: str = "fixed"
    hash: str = "0" * 12
    size: int = 8

    def __call__(self, pictures):
        return pictures.flatten(1)[:, :4].double() / 255


def by_name(comparison) -> dict:
    return {score.name: score for score in comparison.scores}


@pytest.mark.slow
def test_real_pictures_get_the_floor_and_nonsense_the_ceiling():
    """Fresh sprites by the same rules are as good as the other half; noise is as bad as noise."""
    real, generator = sprites(300), torch.Generator().manual_seed(0)
    fresh = sprites(150, first=300)
    noise = torch.randint(0, 256, fresh.shape, generator=generator, dtype=torch.uint8)
    good = compare(real, fresh, features.builtin(), generator, intervals=False)
    bad = compare(real, noise, features.builtin(), generator, intervals=False)
    assert good.real == good.fake == 150
    assert "640 are needed" in good.refused and "FD(builtin)" not in by_name(good)
    for name, score in by_name(good).items():
        worst = by_name(bad)[name]
        noisy = score.ceilings[CHANCE]
        if score.better == "lower" and noisy > 0.01:
            assert score.value < score.floor + 0.1 * (noisy - score.floor), name
            assert worst.value == pytest.approx(worst.ceilings[CHANCE], rel=0.2), name
    for name in ("precision", "recall", "coverage"):
        assert by_name(good)[name].value > 0.85 and by_name(bad)[name].value < 0.05


def test_frechet_of_few_pictures_is_given_when_forced():
    real, generator = sprites(100), torch.Generator().manual_seed(0)
    forced = compare(real, real[:40], features.builtin(), generator, force=True, intervals=False)
    assert "FD(builtin)" in by_name(forced)
    few = compare(real[:6], real[:6], features.builtin(), generator)
    assert few.scores == () and "too few to compare" in few.refused


@pytest.mark.slow
def test_intervals_hold_the_value_and_shrink():
    """One picture's first pixels, Gaussian-like: the interval lies around the value."""
    generator = torch.Generator().manual_seed(0)

    def drawn(n: int, shift: int) -> torch.Tensor:
        return torch.randint(shift, 200 + shift, (n, 1, 8, 8), generator=generator, dtype=torch.uint8)

    widths = []
    for n in (40, 320):
        score = by_name(compare(drawn(2 * n, 0), drawn(n, 30), Fixed(), generator))["KD(fixed)"]
        assert score.low is not None and score.high is not None and score.low < score.value < score.high
        widths.append(score.high - score.low)
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize(
    ("value", "better", "said"),
    [
        (0.5, "lower", "better than slight grain"),
        (2.0, "lower", "between slight grain and colour noise"),
        (9.0, "lower", "no better than chance"),
        (0.95, "higher", "better than chance"),
        (0.1, "higher", "no better than slight grain"),
    ],
)
def test_a_figure_is_placed_among_its_ceilings(value, better, said):
    ceilings = {"chance": 7.0, "slight grain": 1.0, "colour noise": 3.0}
    if better == "higher":
        ceilings = {"chance": 0.9, "slight grain": 0.2}
    assert place(Score("figure", value, None, None, 0.0, ceilings, better)) == said


@pytest.mark.parametrize(
    ("value", "apart", "word"),
    [
        (1.0, 0.6, "good"),
        (1.0, 0.8, "fair"),
        (3.0, 0.6, "rough"),
        (6.0, 0.6, "not usable"),
        (20.0, 1.0, "not usable"),
    ],
)
def test_a_verdict_is_what_the_place_among_the_ceilings_says(value, apart, word):
    """Slight grain at 2, colour noise at 10: from 6 on, halfway, nothing is of use."""
    score = Score("FD(builtin)", value, None, None, 0.5, {"slight grain": 2.0, "colour noise": 10.0}, "lower")
    none = torch.zeros(0)
    test = TwoSample(apart, apart, apart, none, none, torch.zeros(0, 1, 1))
    first, second = verdict([Comparison("", 9, 9, (score,))], test)
    assert first.startswith(f"{word}: FD(builtin) is ") and "cases" in second


def test_a_statistic_of_colours_is_not_called_good():
    assert "not of quality" in place(Score("palette", 1.0, None, None, 0.0, {"slight grain": 2.0}, "lower"))


def test_of_few_real_pictures_each_counts():
    """Twenty pictures in halves of ten: over four partings the figures are means, so all of them matter."""
    generator = torch.Generator().manual_seed(0)
    real, fake = sprites(20), sprites(40, first=20)
    kind = spec_of(real)
    parted = list(Sets.parted(real, fake, kind, generator))
    assert len(parted) == PARTINGS and all(len(sets.real) == len(sets.other) == 10 for sets in parted)
    for sets in parted:
        both = torch.cat([sets.real, sets.other]).flatten(1)
        assert torch.equal(both.unique(dim=0), real.flatten(1).unique(dim=0))
    one = list(Sets.parted(real, fake[:10], kind, generator))
    assert len(one) == 1 and torch.equal(one[0].fake, fake[:10])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    np.savez(folder / "pictures.npz", pictures=sprites(200).permute(0, 2, 3, 1).numpy())
    return train(folder / "pictures.npz", folder / "run", steps=3, start_from="none")


@pytest.mark.slow
def test_evaluate_writes_figures_and_a_page(run, capsys):
    """A model that has learnt next to nothing: near the ceiling, no copies, and said so."""
    main(["evaluate", str(run), "--samples", "64", "--steps", "4", "--quick"])
    said = capsys.readouterr().out
    [report] = json.loads((run / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    scores = {score["name"]: score for score in report["comparisons"][0]["scores"]}
    assert scores["coverage"]["value"] < 0.2 < scores["coverage"]["floor"]
    assert report["memorisation"]["copied"] == 0 and "no sign of copying" in said
    assert report["comparisons"][0]["features"].startswith("builtin ")
    page = (run / "evaluation" / "report.html").read_text(encoding="utf-8")
    forced = "(--force gives it all the same)"
    assert forced in said and forced in report["comparisons"][0]["refused"] and forced in page
    assert (
        "Nearest training pictures" in page and page.count("data:image/png") == 60 + 2 * 24 + 24 + 24 + 3 * 24
    )
    words = re.sub(r"data:image/png;base64,[\w+/=]+", "", page)
    assert "<script" not in words and "FID" not in words


@pytest.mark.slow
def test_pictures_of_any_program_are_judged_beside_a_run(run, tmp_path, capsys):
    """Fresh sprites by the same rules, saved as PNGs of another mode, and black squares."""
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    for k, picture in enumerate(sprites(48, first=500)):
        to_image(picture[None]).save(tmp_path / "good" / f"{k}.png")
        Image.new("L", (16, 16), k).save(tmp_path / "bad" / f"{k}.png")
    np.savez(tmp_path / "real.npz", pictures=sprites(200).permute(0, 2, 3, 1).numpy())
    folders = [part for name in ("good", "bad") for part in ("--pictures", str(tmp_path / name))]
    out = ["--quick", "--out", str(tmp_path / "judged")]
    main(["evaluate", *folders, "--against", str(tmp_path / "real.npz"), *out])
    said = capsys.readouterr().out
    good, bad = json.loads((tmp_path / "judged" / "evaluation.json").read_text(encoding="utf-8"))
    assert good["told_apart"]["low"] < 0.6 and bad["told_apart"]["accuracy"] > 0.9
    assert "side by side:" in said and "told apart" in said
    precision = [
        next(s for s in r["comparisons"][0]["scores"] if s["name"] == "precision") for r in (good, bad)
    ]
    assert precision[0]["value"] > 0.8 and precision[1]["value"] < 0.1
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--pictures", str(tmp_path / "good")])
    assert stopped.value.code == 2 and "--pictures and --against" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "shape"),
    [(1, (12, 12, 1)), (2, (9, 13, 3)), (20, (16, 10, 4)), (20, (33, 33, 1)), (3, (40, 24, 4))],
    ids=lambda value: str(value),
)
@pytest.mark.slow
def test_any_number_of_pictures_of_any_size_without_a_network(tmp_path, monkeypatch, count, shape):
    """Every figure is there or says why it is not, and nothing asks for a connection."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something asked for a network connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    numbers = np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", pictures=numbers)
    folder = train(tmp_path / "pictures.npz", tmp_path / "run", steps=1)
    main(["evaluate", str(folder), "--samples", "12", "--steps", "2"])
    [report] = json.loads((folder / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    [comparison] = report["comparisons"]
    assert "no Frechet distance" in comparison["refused"] or "too few to compare" in comparison["refused"]
    assert bool(comparison["scores"]) == (count >= 2 * 8)
    assert (folder / "evaluation" / "report.html").exists()


def test_quality_and_variety_name_the_pictures_that_lower_them():
    """Precision and coverage are the shares of rows that are not named."""
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    fake = 1.5 * torch.randn(150, 3, generator=generator, dtype=torch.float64) + 0.5
    found = outliers(real, fake)
    assert (found.strange <= 1).double().mean().item() == precision_recall(real, fake).precision
    assert (found.missed < 1).double().mean().item() == density_coverage(real, fake).coverage
    far = 50 + torch.randn(6, 3, generator=generator, dtype=torch.float64)
    assert outliers(real, torch.cat([fake, far])).strange.topk(6).indices.min() == len(fake)
    assert outliers(torch.cat([real, far]), fake).missed.topk(6).indices.min() == len(real)


def test_each_class_is_judged_alone(tmp_path):
    """Two classes, one drawn as it is and one all black: only the black one is bad."""
    real = sprites(400)
    columns: dict[str, list[Value]] = {"kind": ["food" if k % 2 else "hero" for k in range(400)]}
    main = Category("kind", ("food", "hero"))
    numbers = ConditionSpec((main,)).encode_pictures(columns)["kind"]
    rows = torch.arange(200)
    samples = real[200:].clone()
    samples[1::2] = 0
    look = features.builtin()
    food, hero = evaluation._by_class(main, numbers, rows, look(samples), rows, look(real[rows]))
    assert (food.name, food.real, food.fake, food.precision, food.recall) == ("food", 100, 100, 0, 0)
    assert hero.precision > 0.85 and hero.recall > 0.85 and abs(hero.kernel_distance) < 0.2
    assert food.kernel_distance > 10
