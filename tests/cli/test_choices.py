"""Every choice about a training arrives by every road: in Python, on the command line, in the run."""

import inspect
import json
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.cli.drift import ignored
from fogcatcher.cli.train import Train
from fogcatcher.data.conditions.encoded import EncodedText
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.augmentation import Augmentation
from fogcatcher.model.autoencoder_files import load_autoencoder
from fogcatcher.model.choices import COLUMNS
from fogcatcher.model.presets import PRESETS
from fogcatcher.runs.follow import follow
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Choices, Setup
from fogcatcher.runs.train import train
from fogcatcher.training.checkpoints import KEPT
from tests.commands import fogcatcher
from tests.latent_models import small_stage
from tests.small_trainings import save_pictures

OPTIONS = DataOptions(
    kind="pictures",
    size=(24, 32),
    alpha="composite:#20c0ff",
    fit="crop",
    resample="nearest",
    trim=True,
    cut_out=True,
    cut_out_tolerance=40,
    all_frames=True,
    labels="metadata",
    encoding="cp932",
    unmatched="use",
    max_bad=0.5,
    where='label != "x"',
    classes=("warm", "cold"),
    limit=19,
    balance="label",
    hold_out=0.25,
    group="name",
)
SETUP = Setup(
    data="pictures",
    out=Path("somewhere"),
    minutes=3.0,
    steps=7,
    options=OPTIONS,
    conditions=("label", "tags:tags"),
    text_encoder="sentences",
    latents="autoencoder",
    augment="flip",
    seed=11,
    preset="flow",
    schedule="ve",
    prediction="v",
    times="importance",
    loss="huber",
    weighting="min_snr",
    method_options={"sigma_max": 40.0, "delta": 0.5},
    learning_rate=0.002,
    optimizer="adam",
    start_from="none",
    network="ddpm",
    size_of_model="tiny",
    width=32,
    network_options={"blocks": 1, "attention": (16, 8), "middle_attention": False, "dropout": 0.25},
    batch_size=6,
    precision="bfloat16",
    upscale=2,
    upscale_noise=0.25,
)
METHOD = replace(
    PRESETS["flow"], schedule="ve", prediction="v", times="importance", loss="huber", weighting="min_snr"
)
WORDS = [
    "pictures", "--kind", "pictures", "--size", "32x24", "--condition", "label",
    "--condition", "tags:tags", "--labels", "metadata", "--encoding", "cp932",
    "--unmatched", "use", "--where", 'label != "x"', "--classes", "warm, cold", "--limit", "19",
    "--balance", "label", "--hold-out", "0.25", "--group", "name", "--alpha", "composite:#20c0ff",
    "--fit", "crop", "--resample", "nearest", "--trim", "--cut-out",
    "--cut-out-tolerance", "40", "--all-frames", "--max-bad", "0.5",
    "--out", "somewhere", "--minutes", "3", "--steps", "7", "--text-encoder", "sentences",
    "--latents", "autoencoder",
    "--augment", "flip", "--seed", "11", "--preset", "flow", "--schedule", "ve", "--prediction", "v",
    "--times", "importance", "--loss", "huber", "--weighting", "min_snr", "--method-option", "sigma_max=40",
    "--method-option", "delta=0.5", "--learning-rate", "0.002", "--optimizer", "adam",
    "--start-from", "none", "--network", "ddpm", "--network-option", "blocks=1",
    "--network-option", "attention=16,8", "--network-option", "middle_attention=no",
    "--network-option", "dropout=0.25",
    "--size-of-model", "tiny", "--precision", "bfloat16", "--batch-size", "6",
    "--upscale", "2", "--upscale-noise", "0.25",
]  # fmt: skip


def named(record: Setup | DataOptions) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def defaults(record: type) -> dict[str, Any]:
    return {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(record)
    }


@pytest.fixture
def arrived(monkeypatch) -> list[Setup]:
    """The setups that come to ``prepare``, where every road ends; nothing is read."""
    setups: list[Setup] = []

    def stop(setup: Setup, *arguments, **keywords):
        setups.append(setup)
        raise UserError("arrived.")

    monkeypatch.setattr("fogcatcher.runs.prepare.prepare", stop)
    monkeypatch.setattr("fogcatcher.runs.train.prepare", stop)
    return setups


@pytest.mark.parametrize("record", [SETUP, OPTIONS], ids=["Setup", "DataOptions"])
def test_these_tests_choose_something_of_everything(record: Setup | DataOptions):
    usual = defaults(type(record))
    assert not [name for name, value in named(record).items() if value == usual[name]]


def test_every_choice_is_a_keyword_of_train(arrived: list[Setup]):
    everything = named(SETUP)
    with pytest.raises(UserError, match="arrived"):
        train(**everything)
    with pytest.raises(UserError, match="arrived"):
        train("pictures", "somewhere", size=20, conditions="label", options=OPTIONS)
    short = Setup(
        "pictures", Path("somewhere"), options=replace(OPTIONS, size=(20, 20)), conditions=("label",)
    )
    assert arrived == [SETUP, short]


def test_editors_know_every_keyword_of_train_and_its_type():
    other = inspect.signature(train).parameters.keys()
    expected = {name: hint for name, hint in get_type_hints(Setup).items() if name not in other}
    assert get_type_hints(Choices) == expected


def test_every_choice_is_an_option_of_the_command(arrived: list[Setup], capsys, tmp_path, monkeypatch):
    """But the width of the network, for which the command has its size."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    code, _, said = fogcatcher("train", *WORDS, capsys=capsys)
    assert (code, said) == (2, "fogcatcher: arrived.\n")
    fogcatcher("train", "pictures", capsys=capsys)
    assert arrived == [replace(SETUP, width=None), Setup("pictures")]


def test_the_command_saves_as_often_as_the_library():
    said, usual = Train("pictures"), inspect.signature(follow).parameters
    assert said.checkpoint_seconds == usual["checkpoint_seconds"].default
    assert said.keep == usual["keep"].default == KEPT


def kept(run: Run) -> dict[str, Any]:
    """What a run says about the choices it was made from, by their names."""
    config, plan = run.config, run.config.training
    return {
        "data": config.data.path,
        "out": run.folder,
        "steps": plan.steps,
        "options": config.data.options,
        "conditions": config.data.conditions,
        "latents": getattr(run.config.kind, "autoencoder", "none"),
        "text_encoder": [a.encoder for a in run.conditions.attributes if isinstance(a, EncodedText)],
        "augment": config.augmentation,
        "seed": plan.seed,
        "preset": replace(config.method, options={}),
        **{column: getattr(config.method, column) for column in COLUMNS},
        "method_options": config.method.options,
        "learning_rate": plan.learning_rate,
        "optimizer": plan.optimizer,
        "start_from": config.start.name if config.start else "none",
        "network": config.network.name,
        "width": config.network.width,
        "network_options": config.network.options,
        "batch_size": plan.batch_size,
        "precision": plan.precision,
        "upscale": config.upscaling and config.upscaling.factor,
        "upscale_noise": config.upscaling and config.upscaling.noise,
    }


@pytest.fixture
def runs(monkeypatch) -> list[Run]:
    """The runs that ``train`` prepares; none is trained, a step takes a second, sentences are zeros."""
    prepared: list[Run] = []
    sentences = "fogcatcher.data.conditions.sentences"
    monkeypatch.setattr("fogcatcher.runs.train.follow", lambda run, stop_early: prepared.append(run) or [])
    monkeypatch.setattr("fogcatcher.runs.prepare.time_step", lambda *arguments: 1.0)
    monkeypatch.setattr(f"{sentences}.width", lambda folder: 3)
    monkeypatch.setattr(f"{sentences}.fingerprint", lambda folder: "0")
    monkeypatch.setattr(f"{sentences}.tokens", lambda folder, text: [0, 1])
    monkeypatch.setattr(f"{sentences}.each_token", lambda folder, text, most, padded: torch.zeros(2, 3))
    return prepared


def write_metadata(folder: Path) -> None:
    """Label, name and caption of every picture below the folder."""
    pictures = sorted(folder.glob("*/*.png"))
    names = {str(p.relative_to(folder)): {"label": p.parent.name, "name": p.stem} for p in pictures}
    rows = [{"file_name": file, "text": "a picture", **row} for file, row in names.items()]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_every_choice_is_in_the_config_of_the_run(runs: list[Run], tmp_path):
    save_pictures(tmp_path / "data", 20)
    write_metadata(tmp_path / "data")
    asked = {**named(SETUP), "data": str(tmp_path / "data"), "conditions": ("label", "text:text")}
    del asked["minutes"], asked["size_of_model"]
    asked["latents"] = "none"  # which takes no augmentation: a run of its own
    train(**asked)
    train(asked["data"], minutes=3, size_of_model="tiny")
    in_full = {"text_encoder": ["sentences"], "augment": Augmentation(flip=True), "preset": METHOD}
    in_full["network_options"] = {**SETUP.network_options, "cross_attention": True}  # as there is a text
    assert kept(runs[0]) == asked | in_full
    # 3 minutes are 180 steps of a second, less 5% for checkpoints and the time of reading; tiny is width 16.
    assert 140 < runs[1].config.training.steps <= 171 and runs[1].config.network.width == 16
    stage = small_stage(tmp_path / "autoencoder")
    train(asked["data"], steps=1, latents=str(stage))
    assert kept(runs[2])["latents"] == load_autoencoder(stage).hash
    again = Train(asked["data"], latents=str(stage))
    assert ignored(again, runs[2]) == []
    assert ignored(again, runs[0])[-1].startswith(f"ignored: --latents {stage} (the run has none)")


def test_a_resumed_run_answers_for_every_choice(runs: list[Run], tmp_path):
    """Whatever is asked of a run that has the defaults, it says what it has instead."""
    save_pictures(tmp_path / "data", 6)
    train(tmp_path / "data", steps=3)
    asked = tyro.cli(Train, args=WORDS, config=(tyro.conf.FlagCreatePairsOff,))
    flags = [sentence.split()[1] for sentence in ignored(asked, runs[0])]
    assert sorted(flags) == sorted({word for word in WORDS if word.startswith("--")} - {"--out"})
    assert ignored(Train("elsewhere", out=Path("elsewhere"), shard=True, keep=7), runs[0]) == []
