"""Signals from ``train`` to ``sample``, and what of pictures does not apply to them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fogcatcher as package
from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.data.signals.spec import SignalSpec
from fogcatcher.drawing.finishing import Finish
from fogcatcher.model.choose_network import NETWORKS, Wanted, build_network
from fogcatcher.model.config import NetworkConfig
from fogcatcher.model.model import load
from tests.commands import fogcatcher, refused


@pytest.fixture(scope="module")
def waves(tmp_path_factory) -> Path:
    """Two channels of 20 values: sines, and squares of the same phase."""
    chance = np.random.default_rng(0)
    angle = 2 * np.pi * (np.arange(20) / 10 + chance.random((40, 1)))
    x = np.stack([np.sin(angle), np.sign(np.sin(angle))], 1).astype(np.float32)
    path = tmp_path_factory.mktemp("waves") / "waves.npz"
    np.savez(path, x=x, label=np.array(["early", "late"])[np.arange(40) % 2])
    return path


@pytest.fixture(scope="module")
def run(waves: Path) -> Path:
    options = DataOptions(kind="signals", hold_out=0.2)
    return package.train(waves, waves.parent / "run", options=options, steps=6, width=16)


def test_a_run_says_what_its_model_draws(run):
    config = json.loads((run / "config.json").read_text())
    assert config["format"] == 5 and config["kind"]["name"] == "signals"
    assert config["kind"]["length"] == 20 and config["kind"]["high"][1] == 1
    assert isinstance(load(run).config.kind, SignalSpec)
    assert "signals of 20 values (2 channels)" in (run / "README.md").read_text()
    assert {path.suffix for path in (run / "samples").iterdir()} == {".npy", ".png"}


def test_drawings_are_files_of_numbers_and_a_sheet_with_their_recipe(run, tmp_path, capsys):
    code, said, _ = fogcatcher("sample", str(run), "-n", "3", "--out", str(tmp_path / "out"), capsys=capsys)
    assert code == 0 and said.startswith("3 signals in ")
    drawn = load(run).sample(3)
    assert drawn.rows.shape == (3, 2, 20) and drawn.rows.dtype == torch.float32
    for seed in range(3):
        saved = np.load(tmp_path / "out" / f"{seed:05d}.npy", allow_pickle=False)
        assert (saved == drawn.rows[seed].numpy()).all()
    code, said, _ = fogcatcher(
        "reproduce", str(tmp_path / "out" / "sheet.png"), "--model", str(run), capsys=capsys
    )
    assert code == 0, said


def test_the_signal_of_a_seed_does_not_depend_on_the_others(run):
    model = load(run)
    alone, among = (
        model.sample(seeds=[5], condition={"label": "late"}),
        model.sample(seeds=[3, 5], condition={"label": "late"}),
    )
    assert torch.allclose(alone.rows[0], among.rows[1], atol=1e-5)


@pytest.mark.slow
def test_a_broken_run_goes_on_and_ends_the_same(waves, run, tmp_path):
    def stop(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    options = DataOptions(kind="signals", hold_out=0.2)
    with pytest.raises(KeyboardInterrupt):
        package.train(waves, tmp_path / "run", options=options, steps=6, width=16, progress=stop)
    from fogcatcher.runs.follow import follow
    from fogcatcher.runs.prepare import resume

    list(follow(resume(tmp_path / "run", str(waves))))
    both = [(folder / "model.safetensors").read_bytes() for folder in (run, tmp_path / "run")]
    assert both[0] == both[1]


@pytest.mark.slow
def test_inspecting_and_judging_speak_of_signals(waves, run, tmp_path, capsys):
    code, said, _ = fogcatcher("inspect", str(waves), "--kind", "signals", capsys=capsys)
    assert code == 0 and said.startswith("40 signals of 20 values, 2 channels\n")
    code, said, _ = fogcatcher("inspect", str(waves), "--kind", "signals", "--json", capsys=capsys)
    assert code == 0 and json.loads(said)["shape"] == [2, 20]
    judge = ["evaluate", str(run), "--quick", "--samples", "16", "--out", str(tmp_path / "judged")]
    code, said, _ = fogcatcher(*judge, capsys=capsys)
    assert (
        code == 0
        and "drawing 16 signals" in said
        and "KD(signal)" in said
        and "picture" not in (said.replace("one picture", "").replace("report with pictures", ""))
    )
    report = json.loads((tmp_path / "judged" / "evaluation.json").read_text())
    assert report[0]["kind"] == "signals"


@pytest.mark.slow
def test_what_is_for_pictures_says_so_in_one_sentence(run, waves, tmp_path, capsys):
    Image.new("RGBA", (20, 20)).save(tmp_path / "a.png")
    picture, model, out = str(tmp_path / "a.png"), str(run), ["--out", str(tmp_path / "out")]
    for command in (
        ["explain", model, *out],
        ["evaluate", model, "--nll", *out],
        ["train-classifier", model],
        ["vary", model, picture, *out],
        ["inpaint", model, picture, "--mask", picture, *out],
        ["recolor", model, picture, *out],
        ["sample", model, "-n", "2", "--palette", "pico8", *out],
        ["sample", model, "-n", "2", "--zoom", "2", *out],
        ["sample", model, "-n", "2", "--atlas", *out],
        ["export", model, "--to", "onnx", *out],
        ["export", model, "--to", "diffusers", *out],
        ["inspect", str(waves), "--kind", "signals", "--html", str(tmp_path / "a.html")],
        ["train", str(waves), "--kind", "signals", "--augment", "flip", *out],
        ["train", str(waves), "--kind", "signals", "--network", "ddpm", *out],
        ["train", str(waves), "--kind", "signals", "--size", "32", *out],
        ["inspect", str(waves), "--kind", "signals", "--alpha", "drop"],
    ):
        said = refused(*command, capsys=capsys)
        assert "signals" in said and "pictures" in said, (command, said)
        assert not (tmp_path / "out").exists()
    assert fogcatcher("export", model, "--to", "torch", *out, capsys=capsys)[0] == 0
    with pytest.raises(UserError, match=r"are for pictures; these are signals"):
        load(run).sample(1).finished(Finish(zoom=2))


def test_other_signals_are_no_data_for_a_model(run, tmp_path, capsys):
    np.save(tmp_path / "long.npy", np.zeros((4, 2, 21), np.float32) + np.arange(4)[:, None, None])
    said = refused("evaluate", str(run), "--against", str(tmp_path / "long.npy"), capsys=capsys)
    assert "these are signals of 21 values (2 channels), and the model draws signals of 20 values" in said


def test_networks_without_an_answer_for_signals_say_which_have_one():
    able = [name for name, row in NETWORKS.items() if row.of_signals]
    assert able == ["small", "transformer"]
    for name in NETWORKS:
        if name in able:
            for length in (1, 7, 20, 300):
                width = NETWORKS[name].multiple
                wanted = Wanted(NetworkConfig(name, width, patch=1), 2, (length,), {})
                network, x = build_network(wanted), torch.randn(3, 2, length)
                assert network(x, torch.zeros(3), {}).shape == x.shape
        else:
            with pytest.raises(UserError, match="for signals take small or transformer"):
                build_network(Wanted(NetworkConfig(name, 32), 2, (20,), {}))
