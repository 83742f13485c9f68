"""What a run is said to have done, on logs whose course is known."""

import json
import math
import random
import sys
from statistics import median

import numpy as np
import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.cli.plot import Curves, around, figure
from fogcatcher.judging.checks import Check
from fogcatcher.runs.log import RowLog, read_rows
from fogcatcher.runs.summary import FEWEST_CHECKS, summary, trend, verdict


def checks(held_out, training=None, distance=None, chance=1.0, copied=0.0):
    """Ten rows of checks.jsonl, or as many as there are losses."""
    training = training or held_out
    distance = distance or [0.3] * len(held_out)
    return [
        {
            "step": 100 * (k + 1),
            "kernel_distance": distance[k],
            "copied": copied,
            "chance": chance,
            "training_loss": training[k],
            "held_out_loss": held_out[k],
        }
        for k in range(len(held_out))
    ]


FALLING = [0.2 + 0.8 / k for k in range(1, 11)]
FLAT = [1.0, 0.5, 0.3, 0.25, 0.21, 0.2005, 0.1995, 0.2004, 0.1997, 0.2]
RISING = [1.0, 0.5, 0.3, 0.25, 0.22, 0.21, 0.22, 0.23, 0.24, 0.25]


def test_a_falling_held_out_loss_is_improving():
    found = verdict(checks(FALLING))
    assert found.word == "improving" and "longer run" in found.advice
    # The line through 1/7 ... 1/10 falls by 0.034; what it was is the last value and that.
    assert "held-out loss fell by 10.9% to 0.28" in found.why


def test_a_loss_that_only_jumps_stands_still():
    assert verdict(checks(FLAT)).word == "standing still"
    # A steady fall of a thousandth is sure, but nobody would see it.
    assert verdict(checks([0.2 - 0.00005 * k for k in range(10)])).word == "standing still"
    # The same fall of 3 % in the last third counts where the loss is smooth, and not where it jumps.
    smooth = [0.5 - 0.005 * k for k in range(10)]
    rough = [loss + 0.02 * (-1) ** k for k, loss in enumerate(smooth)]
    assert verdict(checks(smooth)).word == "improving"
    assert verdict(checks(rough)).word == "standing still"


def test_a_held_out_loss_that_rises_while_training_falls_is_memorising():
    found = verdict(checks(RISING, FALLING))
    assert found.word == "memorising" and "rose" in found.why and "training loss fell" in found.why
    assert "step 600" in found.advice and "sample best=True" in found.advice


def test_a_held_out_loss_that_stands_while_the_gap_opens_is_memorising():
    training = [loss if k < 4 else loss * 0.9 ** (k - 3) for k, loss in enumerate(FLAT)]
    assert verdict(checks(FLAT, training)).word == "memorising"
    # The same gap from the start is only that held-out pictures are harder; training falls a little.
    harder = [0.1 * (1 - 0.005 * k) for k in range(10)]
    assert verdict(checks([0.2] * 10, harder)).word == "standing still"
    assert verdict(checks([0.2] * 10, [0.1 * (1 - 0.02 * k) for k in range(10)])).word == "memorising"


def test_both_losses_rising_is_getting_worse():
    assert verdict(checks(RISING)).word == "getting worse"


def test_copies_decide_even_when_there_are_few_checks():
    found = verdict(checks(FALLING[:2], chance=1e-9, copied=0.25))
    assert found.word == "memorising" and "25.0%" in found.why
    assert verdict(checks(FALLING, chance=0.5, copied=0.25)).word == "improving"


def test_pictures_that_come_nearer_are_improving_at_a_loss_that_stands():
    nearer = [0.5 - 0.03 * k for k in range(10)]
    found = verdict(checks(FLAT, distance=nearer))
    assert found.word == "improving" and "kernel distance" in found.why


def test_nothing_held_out_is_said():
    rows = checks(FALLING)
    for row in rows:
        row |= {"held_out_loss": None, "chance": None, "copied": None}
    found = verdict(rows)
    assert found.word == "improving" and "no pictures are held out" in found.why


@pytest.mark.parametrize("count", range(FEWEST_CHECKS))
def test_few_checks_are_too_few(count):
    assert verdict(checks(FALLING[:count])).word == "too short to tell"
    assert verdict(checks([1 - 0.1 * k for k in range(FEWEST_CHECKS)])).word == "improving"


def test_noise_alone_counts_seldom():
    """Of a thousand runs of nothing but noise, about one in twenty seems to change."""
    chance = random.Random(0)
    rows = [[{"step": k, "loss": chance.gauss(1, 0.1)} for k in range(30)] for _ in range(1000)]
    found = [trend(run, "loss", 0.0) for run in rows]
    assert 0.02 < sum(one is not None and one.counts for one in found) / 1000 < 0.1


UNMEASURED = {
    **dict.fromkeys(("kernel_distance", "copied", "chance", "held_out_loss")),
    **{"step": 0, "training_loss": 9e9},
}


def write(folder, metrics, rows):
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))
    (folder / "checks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def metrics(count=100):
    """A tenth of a second a step, and a row in ten that took thrice as long."""
    return [
        {"step": 10 * (k + 1), "loss": 1 / (k + 1), "seconds_per_step": 0.3 if k % 10 == 9 else 0.1}
        for k in range(count)
    ]


def test_time_speed_and_baselines_are_said(tmp_path):
    """900 steps of 0.1 s and 100 of 0.3 s are 120 s; 32,000 pictures in them are 267 a second."""
    rows = checks(FALLING)
    level = {"training": 0.1, "zero": 1.0, "gaussian": 0.2}
    rows[-1]["levels"] = [
        {"sigma": 0.2, "held_out": 0.1, **level},
        {"sigma": 0.8, "held_out": 0.08, **level},
        {"sigma": 12.8, "held_out": 0.21, **level},
    ]
    write(tmp_path, metrics(), rows)
    assert "1,000 steps in 2.0 minutes" in summary(tmp_path)
    (tmp_path / "config.json").write_text('{"training": {"batch_size": 32}}')
    said = "\n".join(summary(tmp_path))
    assert said.startswith("improving: ")
    assert "1,000 steps in 2.0 minutes, 267 images/s with checks and previews, 320 images/s without" in said
    assert "at 2 of 3 noise levels; at noise 0.8 its loss is 40% of the baseline's" in said
    for row in rows[-1]["levels"]:
        row["gaussian"] = 0.05
    write(tmp_path, metrics(), rows)
    assert "nothing is learnt yet beyond mean and covariance" in "\n".join(summary(tmp_path))


def test_torn_and_odd_logs_are_read_as_far_as_they_go(tmp_path):
    rows = checks(FALLING)
    rows[3]["held_out_loss"] = math.nan
    del rows[4]["training_loss"], rows[5]["kernel_distance"]
    logged = metrics()
    logged[7] |= {"loss": math.nan, "seconds_per_step": None}
    write(tmp_path, logged, rows)
    for name, kept in (("checks.jsonl", 9), ("metrics.jsonl", 99)):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text[:-15])  # the last row is cut short
        assert text.count("\n") == kept + 1
    (tmp_path / "config.json").write_text('{"training": ')
    said = summary(tmp_path)
    assert said[0].startswith("improving") and "990 steps in" in said[-1]
    (tmp_path / "checks.jsonl").unlink()
    assert summary(tmp_path)[0] == "too short to tell: nothing was checked"
    # Of 98 losses the last nine: the mean of 1/91 ... 1/99.
    assert "training loss: 1 at first, 0.01053 over the last tenth" in summary(tmp_path)


def test_a_damaged_line_takes_no_other_with_it(tmp_path):
    """Neither for those who read the log, nor for a run that goes on with it."""
    rows = checks(FALLING)
    write(tmp_path, metrics(), rows)
    damaged = [
        b"\x00\xff\xfe",
        b'{"step": "x", "loss": 1}',
        b'{"loss": 1}',
        b'{"step": 45, "loss": "much"}',
        b'{"step": 45, "levels": [{"sigma": 1}]}',
        b'{"step": 1' + b"0" * 400 + b"}",
        b"[" * 10_000,
        b"7",
    ]
    for name in ("checks.jsonl", "metrics.jsonl"):
        lines = (tmp_path / name).read_bytes().splitlines()
        (tmp_path / name).write_bytes(b"\n".join([*lines[:3], *damaged, *lines[3:], b""]))
    assert read_rows(tmp_path / "metrics.jsonl") == metrics() and read_rows(tmp_path / "checks.jsonl") == rows
    said = summary(tmp_path)
    assert said[0].startswith("improving") and "1,000 steps in" in said[-1]
    RowLog(tmp_path / "metrics.jsonl", 500).add({"step": 510, "loss": 0.5})
    assert len(read_rows(tmp_path / "metrics.jsonl")) == 51
    assert [
        check.step
        for check in Check.of_rows([{"step": 1}, {**UNMEASURED, "step": 2}, {**UNMEASURED, "extra": 1}])
    ] == [2]
    (tmp_path / "checks.jsonl").unlink()
    (tmp_path / "checks.jsonl").mkdir()
    with pytest.raises(UserError, match="is no log that can be read"):
        summary(tmp_path)


def test_a_folder_without_logs_is_refused(tmp_path):
    with pytest.raises(UserError, match="no log of a training run"):
        summary(tmp_path)


def test_plot_draws_what_was_logged(tmp_path):
    """Two runs, one of them without checks: each panel holds the figures of the files."""
    (one := tmp_path / "one").mkdir()
    (two := tmp_path / "two").mkdir()
    rows = checks(RISING, FALLING, copied=0.02)
    rows[-1]["levels"] = [
        {"sigma": s, "training": s / 3, "held_out": s / 2, "zero": 3.0, "gaussian": s} for s in (0.1, 1.0)
    ]
    write(one, metrics(), rows)
    write(two, metrics(50), [])
    (one / "config.json").write_text('{"training": {"batch_size": 32}}')
    drawn = figure([Curves.of(one), Curves.of(two)])
    panels = {axes.get_title(loc="left"): axes for axes in drawn.axes}
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["one", "two"]

    def lines(title):
        found = [[np.asarray(xy).tolist() for xy in line.get_data()] for line in panels[title].lines]
        return [line for line in found if line[0]]

    steps = [100.0 * k for k in range(1, 11)]
    assert lines("loss at the checks") == [[steps, RISING], [steps, FALLING]]
    assert lines("loss by noise level, last check") == [
        [[0.1, 1.0], values] for values in ([0.05, 0.5], [0.1 / 3, 1 / 3], [0.1, 1.0], [3.0, 3.0])
    ]
    assert lines("copies") == [[steps, [0.02] * 10]]
    faint, course, slower, _ = lines("speed")
    assert faint[1][8:10] == [320.0, pytest.approx(32 / 0.3)] and set(course[1]) == {320.0}
    assert slower[1][0] == 10.0  # steps a second, where the batch is not known
    assert not lines("learning rate") and panels["learning rate"].texts[0].get_text() == "not measured"


def test_smoothing_takes_the_middle_of_near_points():
    points = [(float(k), float(k == 50)) for k in range(100)]
    mean = dict(around(points, lambda some: sum(some) / len(some)))
    assert mean[48.0] == mean[52.0] == pytest.approx(1 / 5) and mean[47.0] == mean[53.0] == 0
    assert {y for _, y in around(points, median)} == {0.0}
    assert around(points[:3], max) == points[:3]


@pytest.mark.slow
def test_plot_writes_a_picture_and_says_how_it_went(tmp_path, capsys, monkeypatch):
    write(tmp_path, metrics(), checks(FALLING))
    main(["plot", str(tmp_path)])
    said = capsys.readouterr().out
    assert "improving: over the last third" in said and "plot.png" in said
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    for arguments, complaint in (
        ([str(tmp_path / "none")], "no log of a training run"),
        ([str(tmp_path), "--out", str(tmp_path / "plot.xyz")], "plot.png"),
        ([], "name at least one run"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["plot", *arguments])
        assert left.value.code == 2 and complaint in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SystemExit):
        main(["plot", str(tmp_path)])
    assert "pip install 'fogcatcher[plots]'" in capsys.readouterr().err
