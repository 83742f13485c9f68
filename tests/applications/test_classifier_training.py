"""The classifier of a run: near the best that is possible at every noise level, and kept beside the model."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fogcatcher.applications.classifier_training import accuracy, fit, guess, prepare, steps_in
from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Number
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import spec_of
from fogcatcher.data.reading import Dataset, read_dataset
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import DataConfig, NetworkConfig, RunConfig
from fogcatcher.model.model import Model, load
from fogcatcher.model.presets import PRESETS
from fogcatcher.training.fit import Plan
from tests.commands import refused

STEP = 20
LABEL = ConditionSpec((Category("label", ("falling", "rising")),))


def save_pictures(folder: Path, n: int) -> Path:
    """Dark on the left and light on the right, or the other way round, 8x8; six pixels of each picture differ
    by one step, so that no two are equal."""
    chosen = np.random.default_rng(0)
    for i in range(n):
        name = ("falling", "rising")[i % 2]
        pixels = np.full((8, 8), 127 - STEP, np.uint8)
        half = slice(4) if name == "falling" else slice(4, 8)
        pixels[:, half] = 127 + STEP
        pixels.flat[chosen.choice(64, 6, replace=False)] += 1
        path = folder / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


def new_model(dataset: Dataset, data: Path, conditions: ConditionSpec = LABEL) -> Model:
    config = RunConfig(
        spec_of(dataset.rows),
        PRESETS["default"],
        NetworkConfig(width=16),
        Plan(steps=10),
        DataConfig(str(data), (), len(dataset), "0", DataOptions(hold_out=0.5)),
    )
    return Model(build_denoiser(config, conditions), config, conditions)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return save_pictures(tmp_path_factory.mktemp("halves"), 600)


def test_it_comes_near_the_bayes_rate_at_every_noise_level(pictures):
    """Two pictures at a distance 2 |mu| under noise sigma: nobody is right oftener than Phi(|mu| / sigma)."""
    dataset = read_dataset(pictures)
    run = prepare(new_model(dataset, pictures), dataset, width=8)
    assert 290 <= len(run.held_out) <= 300
    for _ in fit(run, 250):
        pass
    length = 8 * STEP / 127.5  # |mu| over 64 pixels
    levels = (0.1, 0.7, 1.5, 3.0, 30.0)
    for row in accuracy(run, levels):
        bayes = 0.5 + 0.5 * math.erf(length / row.level / math.sqrt(2))
        error = math.sqrt(bayes * (1 - bayes) / 300)
        assert bayes - 0.04 - 3 * error < row.shares["label"] <= bayes + 4 * error, row
    assert guess(run)["label"] == pytest.approx(0.5, abs=0.06)


def test_log_prob_weighs_the_classes_of_every_attribute(pictures):
    """One number per sample: sum of weight x log p; a number that is no class counts nothing."""
    dataset = read_dataset(pictures)
    columns = {**dataset.columns, "size": [float(i) for i in range(len(dataset))]}
    spec = ConditionSpec(
        (*LABEL.attributes, Number("size", 0.0, 1000.0), Category("second", ("u", "v", "w")))
    )
    columns["second"] = ["uvw"[i % 3] for i in range(len(dataset))]
    dataset.columns.update(columns)
    classifier = prepare(new_model(dataset, pictures, spec), dataset, width=8).classifier
    for i, parameter in enumerate(classifier.network.parameters()):
        noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
        parameter.data.add_(0.1 * noise)
    x, t = torch.randn(2, 1, 8, 8), torch.full((2,), 0.01, dtype=torch.float64)
    with torch.no_grad():
        log_p = classifier.log_probs(x, t)
        assert list(log_p) == ["label", "second"]
        torch.testing.assert_close(log_p["second"].exp().sum(1), torch.ones(2))
        cond = spec.encode([{"label": "rising", "size": 3.0}, {"label": {"falling": 0.3}, "second": "w"}])
        expected = torch.stack([log_p["label"][0, 1], 0.3 * log_p["label"][1, 0] + log_p["second"][1, 2]])
        torch.testing.assert_close(classifier.log_prob(x, t, cond), expected)


def test_the_same_seed_trains_the_same_and_a_trial_of_speed_changes_nothing(pictures):
    dataset = read_dataset(pictures)
    model = new_model(dataset, pictures)
    runs = [prepare(model, dataset, width=8, seed=seed) for seed in (0, 0, 1)]
    assert steps_in(runs[0], minutes=0.01, timed=1) >= 1
    losses = [[loss for _, loss in fit(run, 3)] for run in runs]
    assert losses[0] == losses[1] != losses[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    main(["train", str(pictures), "--out", str(folder), "--steps", "2", "--size-of-model", "tiny"])
    return folder


def test_the_command_trains_saves_and_says_how_good_it_is(capsys, run, tmp_path):
    main(["train-classifier", str(run), "--steps", "40", "--width", "16"])
    said = capsys.readouterr().out
    assert "classifier of label (2 classes): 40 steps, 30 pictures held out" in said
    assert "0.1     0.3       1       3      10" in said and "guessing" in said
    assert {path.name for path in (run / "classifier").iterdir()} == {
        "classifier.safetensors",
        "classifier.json",
    }
    model = load(run)
    assert model.classifier.attributes == {"label": ("falling", "rising")} and model.classifier.width == 16
    main(
        ["sample", str(run), "-n", "2", "--steps", "2", "--classifier-guidance", "1", "--out", str(tmp_path)]
    )
    assert (tmp_path / "00001.png").exists()


def test_what_is_kept_is_what_is_loaded(pictures, tmp_path):
    dataset = read_dataset(pictures)
    model = new_model(dataset, pictures)
    classifier_run = prepare(model, dataset, width=8)
    for _ in fit(classifier_run, 5):
        pass
    model.save(tmp_path)
    classifier_run.classifier.save(tmp_path)
    x, t = torch.randn(2, 1, 8, 8), torch.full((2,), 0.01, dtype=torch.float64)
    with torch.no_grad():
        kept = load(tmp_path).classifier.log_probs(x, t)["label"]
        assert kept.equal(classifier_run.classifier.log_probs(x, t)["label"])
        assert not kept.equal(torch.full((2, 2), math.log(0.5)))


def test_mistakes_are_one_sentence_and_exit_code_2(capsys, run, tmp_path, pictures):
    for name, side in (("other", 8), ("large", 16)):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.new("L", (side, side), 10 * i).save(tmp_path / name / f"{i}.png")
    plain = tmp_path / "plain"
    main(["train", str(tmp_path / "other"), "--out", str(plain), "--steps", "1", "--size-of-model", "tiny"])
    capsys.readouterr()
    cases = [
        (("nowhere",), "there is no run directory nowhere"),
        ((str(run), "--steps", "0"), "from 1 to 1,000,000,000, not 0"),
        ((str(run), "--minutes", "0"), "from 0.000001 to 1,000,000, not 0"),
        ((str(run), "--width", "12"), "a multiple of 8 up to 512, not 12"),
        ((str(run), "--data", str(tmp_path / "missing")), "there is no folder"),
        ((str(run), "--data", str(tmp_path / "other")), "unknown condition of the model in these pictures"),
        ((str(run), "--data", str(tmp_path / "large")), "give the pictures it was trained on"),
        ((str(plain),), "this model knows no classes"),
        (("sprites",), "sprites is not a run of yours: add --out DIR"),
        ((str(run), "--out", str(run)), "already holds a run"),
    ]
    for arguments, sentence in cases:
        assert sentence in refused("train-classifier", *arguments, capsys=capsys)


def test_a_damaged_classifier_is_said_to_be_damaged(pictures, tmp_path):
    dataset = read_dataset(pictures)
    model = new_model(dataset, pictures)
    model.save(tmp_path)
    folder = prepare(model, dataset, width=8).classifier.save(tmp_path)
    facts = json.loads((folder / "classifier.json").read_text())
    other = json.dumps({**facts, "attributes": {"label": ["a", "b"]}})
    for text in (
        "{",
        "[]",
        json.dumps({**facts, "width": 16}),
        json.dumps({**facts, "attributes": 3}),
        other,
    ):
        (folder / "classifier.json").write_text(text)
        with pytest.raises(UserError, match="is damaged: train it again"):
            _ = load(tmp_path).classifier
