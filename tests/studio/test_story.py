"""What a person does in the studio, by way of the service, with the shipped model and a tiny training."""

import json
import struct
import zlib

import pytest
from PIL import Image

from fogcatcher.cli.main import main
from fogcatcher.model.config import read_config
from fogcatcher.studio.workspace import SERVED


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_drawing_is_to_the_byte_what_the_command_line_draws(studio, tmp_path, monkeypatch):
    request = {"conditions": {"kind": "food"}, "seeds": [7, 3], "settings": {"steps": 4, "guidance": 3.0}}
    number = studio.job("draw", model="shipped.sprites", **request)
    result = studio.done(number)
    monkeypatch.chdir(tmp_path)
    asked = ["--condition", "kind=food", "--seeds", "7,3", "--steps", "4", "--guidance", "3"]
    main(["sample", "sprites", *asked, "--out", "by-command"])
    assert contents(studio.root / result["folder"]) == contents(tmp_path / "by-command")
    assert [picture["id"] for picture in result["pictures"]] == [
        f"{result['folder']}/00003.png",
        f"{result['folder']}/00007.png",
    ]
    status, headers, body = studio.ask("GET", result["pictures"][0]["url"])
    assert status == 200 and headers["content-type"] == "image/png"
    assert body == (studio.root / result["folder"] / "00003.png").read_bytes()


def test_every_step_is_seen_and_the_job_told_of(studio):
    events = studio.events()
    number = studio.job("draw", model="shipped.sprites", seeds=[1, 2, 3], settings={"steps": 6})
    heard = events.until("job", lambda job: job["id"] == number and job["state"] == "done")
    events.close()
    states = [data["state"] for _, kind, data in heard if kind == "job" and data["id"] == number]
    assert states[0] == "queued" and "running" in states
    previews = [data for _, kind, data in heard if kind == "preview" and data["job"] == number]
    assert [(p["step"], p["of"], len(p["pictures"])) for p in previews] == [(k, 6, 3) for k in range(1, 7)]
    numbers = [number for number, *_ in heard]
    assert numbers == sorted(numbers)


def test_a_page_that_was_away_hears_what_it_missed(studio):
    first = studio.job("draw", model="shipped.sprites", seeds=[1], settings={"steps": 1})
    studio.done(first)
    events = studio.events()
    (last, _, hello), *_ = events.until("hello")
    events.close()
    assert hello == {"last": last, "missed": False}
    second = studio.job("draw", model="shipped.sprites", seeds=[2], settings={"steps": 1})
    studio.done(second)
    again = studio.events(**{"Last-Event-ID": str(last)})
    heard = again.until("job", lambda job: job["id"] == second and job["state"] == "done")
    again.close()
    assert not any(kind == "job" and data["id"] == first for _, kind, data in heard)
    assert all(number > last for number, kind, _ in heard if kind != "hello")
    lost = studio.events(after=10**9)
    assert lost.until("hello")[0][2]["missed"] is True
    lost.close()


@pytest.mark.slow
def test_a_training_appears_grows_and_goes_on_by_command(studio, monkeypatch, capsys):
    number = studio.job(
        "train", data="builtin", limit=60, steps=6, name="tiny", size_of_model="tiny", start_from="none"
    )
    assert studio.done(number) == {"model": "tiny"}
    row = next(row for row in studio.get("/api/models") if row["id"] == "tiny")
    assert (row["step"], row["steps"], row["state"], row["source"]) == (6, 6, "ready", "run")
    with Image.open(studio.root / "runs/tiny/samples/preview.png") as image:
        assert image.width > 100
    details = studio.get("/api/models/tiny")
    assert details["config"]["data"]["path"] == "sprites" and details["card"].startswith("---")
    monkeypatch.chdir(studio.root)
    main(["train", "sprites", "--out", "runs/tiny", "--resume", "--steps", "3"])
    assert "resumed at step 6" in capsys.readouterr().out
    assert studio.get("/api/models/tiny")["step"] == 9
    assert read_config(studio.root / "runs/tiny")[0].training.steps == 9
    again = studio.job("train", resume="tiny", steps=2)
    studio.done(again)
    assert studio.get("/api/models/tiny")["step"] == 11


def test_only_files_of_the_workspace_are_served(studio):
    (studio.root / "data" / "kept").mkdir(exist_ok=True)
    (studio.root / "data" / "kept" / "a.png").write_bytes(b"x")
    (studio.root / "data" / "kept" / ".hidden.png").write_bytes(b"x")
    (studio.root / "data" / "kept" / "a.py").write_bytes(b"x")
    (studio.root / "outside.png").write_bytes(b"x")
    (studio.root / "data" / "kept" / "link.png").symlink_to(studio.root / "outside.png")
    assert studio.ask("GET", "/files/data/kept/a.png")[0] == 200
    kept = "/files/data/kept"
    for path in (
        "/files/outside.png",
        "/files/data/../outside.png",
        "/files/data/%2e%2e/outside.png",
        f"{kept}/.hidden.png",
        f"{kept}/a.py",
        f"{kept}/link.png",
        kept,
        "/files/.studio/studio.sqlite",
        "/files//etc/passwd",
        "/files/data%5ckept%5ca.png",
        f"{kept}/a.png%00",
        "/files/data/" + "a/" * 40 + "a.png",
        "/files/data/" + "a" * 300 + ".png",
    ):
        assert studio.refused("GET", path)[0] == 404, path
    assert ".py" not in SERVED


def test_a_report_is_served_where_it_can_do_no_harm(studio):
    (studio.root / "drawings" / "page").mkdir(exist_ok=True)
    (studio.root / "drawings" / "page" / "report.html").write_text("<script>1</script>")
    _, headers, _ = studio.ask("GET", "/files/drawings/page/report.html")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")


def test_a_shipped_model_and_the_built_in_sprites_are_shown(studio):
    for path in ("/api/models/shipped.sprites/thumb.png", "/shipped/builtin/3.png"):
        status, headers, body = studio.ask("GET", path)
        assert status == 200 and headers["content-type"] == "image/png"
        width, height = struct.unpack(">II", body[16:24])
        assert width >= 16 and zlib.crc32(body[12:29]) == struct.unpack(">I", body[29:33])[0]
        assert height >= 16


def test_options_hold_what_the_records_say(studio):
    options = studio.get("/api/options")
    churn = next(sampler for sampler in options["samplers"] if sampler["name"] == "churn")
    assert churn["noisy"] and {"name", "low", "high", "help", "default"} <= set(churn["options"][0])
    assert options["draw"]["steps"]["default"] == 20 and "shipped.sprites" in options["train"]["start_from"]
    assert json.dumps(options)
