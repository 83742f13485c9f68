"""Every kind of job, once, with the shipped model: what it leaves, and that it is what the library makes."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from fogcatcher.cli.main import main
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.drawing.recipe import read_file_recipe
from tests.edit_models import small_model

QUICK = {"steps": 3}


@pytest.fixture(scope="module")
def drawn(studio):
    number = studio.job("draw", model="shipped.sprites", seeds=[1, 9], settings=QUICK)
    return studio.done(number)["pictures"]


def in_base64(array) -> str:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def pixels(studio, picture):
    with Image.open(studio.root / picture["id"]) as image:
        return np.array(image.convert("RGBA"))


def test_a_painted_mask_keeps_what_is_black_to_the_byte(studio, drawn):
    mask = np.zeros((16, 16), np.uint8)
    mask[8:] = 255
    number = studio.job(
        "edit",
        model="shipped.sprites",
        action="inpaint",
        picture={"id": drawn[0]["id"]},
        mask=in_base64(mask),
        count=2,
        settings=QUICK,
        options={"method": "replace"},
    )
    result = studio.done(number)
    before = pixels(studio, drawn[0])
    for picture in result["pictures"]:
        after = pixels(studio, picture)
        assert (after[:8] == before[:8]).all() and (after[8:] != before[8:]).any()
        made = read_file_recipe(studio.root / picture["id"]).pictures[0]
        assert made.edit and made.edit["kind"] == "inpaint" and made.condition == {"kind": "creature"}


@pytest.mark.parametrize(
    ("request_", "size", "count"),
    [
        ({"action": "outpaint", "options": {"right": 8, "method": "replace"}}, (24, 16), 1),
        ({"action": "vary", "options": {"strength": 0.5}}, (16, 16), 1),
        ({"action": "recolor"}, (16, 16), 1),
        ({"action": "tile", "picture": None}, (16, 16), 1),
        (
            {"action": "interpolate", "picture": None, "seed_a": 1, "seed_b": 9, "options": {"frames": 3}},
            (16, 16),
            3,
        ),
    ],
)
def test_every_edit_leaves_its_pictures(studio, drawn, request_, size, count):
    picture = {"png": in_base64(pixels(studio, drawn[0]))}
    number = studio.job(
        "edit", **{"model": "shipped.sprites", "picture": picture, "seeds": [4], "settings": QUICK} | request_
    )
    result = studio.done(number)
    assert [tuple(picture["size"]) for picture in result["pictures"]] == [size] * count
    assert studio.ask("GET", result["sheet"])[0] == 200


def test_an_upscaler_makes_a_picture_larger_and_says_how_again(studio, drawn):
    small_model(size=(32, 32), upscale=2, conditions=ConditionSpec()).save(studio.root / "runs" / "twice")
    png = in_base64(pixels(studio, drawn[0]))
    asked = {"action": "enlarge", "picture": {"png": png}, "seeds": [4], "settings": QUICK}
    result = studio.done(studio.job("edit", model="twice", options={"noise": 0.25}, **asked))
    assert [tuple(picture["size"]) for picture in result["pictures"]] == [(32, 32)]
    made = read_file_recipe(studio.root / result["pictures"][0]["id"]).pictures[0].edit
    assert made and (made["kind"], made["factor"], made["noise"], made["exact"]) == (
        "enlarge",
        2,
        0.25,
        False,
    )
    models = {model["id"]: model["enlarges"] for model in studio.get("/api/models")}
    assert (models["twice"], models["shipped.sprites"]) == (2, 1)


def test_an_interpolation_is_that_of_the_command(studio, tmp_path, monkeypatch):
    asked = {"action": "interpolate", "seed_a": 3, "seed_b": 19, "options": {"frames": 3}, "settings": QUICK}
    folder = studio.done(studio.job("edit", model="shipped.sprites", **asked))["folder"]
    monkeypatch.chdir(tmp_path)
    main(["interpolate", "sprites", "3", "19", "--frames", "3", "--steps", "3", "--out", "by-command"])
    ours = {path.name: path.read_bytes() for path in (studio.root / folder).iterdir()}
    assert ours == {path.name: path.read_bytes() for path in (tmp_path / "by-command").iterdir()}


def test_a_table_of_settings(studio):
    number = studio.job(
        "grid",
        model="shipped.sprites",
        columns={"name": "steps", "values": [1, 2]},
        rows={"name": "kind", "values": ["hero", "food"]},
        seeds=[1],
    )
    result = studio.done(number)
    table = json.loads((studio.root / result["folder"] / "grid.json").read_text())
    assert table["axes"] == {"kind": ["hero", "food"], "steps": ["1", "2"]} and len(table["cells"]) == 4
    assert studio.ask("GET", result["picture"])[1]["content-type"] == "image/png"
    odd = {"model": "shipped.sprites", "columns": {"name": "guide_with", "values": ["0.2"]}}
    assert "guide_with" in studio.refused("POST", "/api/jobs", {"kind": "grid", "request": odd})[1]


def test_a_job_that_cannot_be_done_says_why(studio, drawn):
    mask = in_base64(np.full((8, 8), 255, np.uint8))
    request = {"action": "inpaint", "picture": {"id": drawn[0]["id"]}, "mask": mask}
    job = studio.wait(studio.job("edit", model="shipped.sprites", **request))
    assert job["state"] == "failed" and "8x8" in job["error"] and "16x16" in job["error"]
    assert not any("mask" in path.name for path in (studio.root / ".studio/work").rglob("*"))


def test_a_picture_tells_how_it_is_made_again(studio, drawn):
    body = (studio.root / drawn[0]["id"]).read_bytes()
    sent = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        + body
        + b"\r\n--edge--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    status, _, answer = studio.ask("POST", "/api/recipe", sent, kind)
    found = json.loads(answer)
    assert status == 200 and found["model"] == "shipped.sprites" and found["kind"] == "draw"
    again = studio.done(studio.post("/api/jobs", {"kind": "draw", "request": found["request"]})["id"])
    assert (pixels(studio, again["pictures"][0]) == pixels(studio, drawn[0])).all()
    plain = io.BytesIO()
    Image.new("RGB", (4, 4)).save(plain, "PNG")
    sent = sent.replace(body, plain.getvalue())
    assert "no recipe" in studio.refused("POST", "/api/recipe", sent, headers=kind)[1]


def test_pictures_are_packed(studio, drawn):
    ids = [picture["id"] for picture in drawn]
    packed = {
        form: studio.post("/api/pack", {"pictures": ids, "form": form, "zoom": zoom, "columns": 2})["files"]
        for form, zoom in (("atlas", 2), ("zip", 1), ("gif", 4), ("sheet", 1))
    }
    document, sheet = sorted(packed["atlas"], key=lambda file: file["name"])
    frames = json.loads(studio.ask("GET", document["url"])[2])["frames"]
    with Image.open(io.BytesIO(studio.ask("GET", sheet["url"])[2])) as image:
        atlas = np.array(image)
    for picture in drawn:
        frame = frames[picture["id"].rpartition("/")[2]]["frame"]
        part = atlas[frame["y"] : frame["y"] + frame["h"], frame["x"] : frame["x"] + frame["w"]]
        assert (part[::2, ::2] == pixels(studio, picture)).all() and part.shape == (32, 32, 4)
    body = studio.ask("GET", packed["zip"][0]["url"])[2]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for id in ids:
            assert archive.read(id.rpartition("/")[2]) == (studio.root / id).read_bytes()
    assert packed["gif"][0]["name"].endswith(".gif") and packed["sheet"][0]["bytes"] > 0


def test_a_picture_on_its_way_into_noise(studio, drawn):
    asked = {"model": "shipped.sprites", "picture": {"id": drawn[0]["id"]}, "times": [0.0, 0.5, 1.0]}
    found = studio.post("/api/noise", asked)["pictures"]
    assert [(p["alpha"], p["sigma"]) for p in found] == [(1.0, 0.0), (1.0, 40.0), (1.0, 80.0)]
    clean = base64.b64decode(found[0]["url"].partition(",")[2])
    with Image.open(io.BytesIO(clean)) as image:
        assert (np.array(image.convert("RGBA")) == pixels(studio, drawn[0])).all()


def test_favourites_presets_and_the_bin(studio, drawn):
    id = drawn[1]["id"]
    studio.post("/api/favourites", {"id": id, "favourite": True})
    liked = studio.get("/api/drawings?favourite=1")["pictures"]
    assert [picture["id"] for picture in liked] == [id]
    studio.post("/api/favourites", {"id": id, "favourite": False})
    undo = studio.post(f"/api/drawings/{id}", method="DELETE")["undo"]
    assert id not in [picture["id"] for picture in studio.get("/api/drawings?limit=500")["pictures"]]
    studio.post(f"/api/bin/{undo}/restore")
    assert id in [picture["id"] for picture in studio.get("/api/drawings?limit=500")["pictures"]]
    studio.post("/api/presets", {"name": "a <b> name", "request": {"model": "x"}})
    assert studio.get("/api/presets") == [{"name": "a <b> name", "request": {"model": "x"}}]
    studio.post("/api/presets?name=a%20%3Cb%3E%20name", method="DELETE")
    assert studio.get("/api/presets") == []


@pytest.mark.slow
def test_explaining_judging_and_exporting(studio):
    train = {"data": "builtin", "limit": 60, "steps": 4, "name": "judged", "size_of_model": "tiny"}
    studio.done(studio.job("train", start_from="none", **train), 300)
    jobs = [
        studio.job("explain", model="judged", seed=2, settings={"steps": 2}),
        studio.job("evaluate", models=["judged"], pictures=32, quick=True),
        studio.job("export", model="judged", format="onnx"),
        studio.job("export", model="judged", format="diffusers"),
    ]
    explained, judged, onnx, diffusers = (studio.done(number, 600) for number in jobs)
    for page in (explained["page"], judged["page"]):
        status, headers, body = studio.ask("GET", page)
        assert status == 200 and b"<html" in body and headers["content-security-policy"].startswith("sandbox")
    assert judged["figures"]["runs/judged"]["run"] == "runs/judged"
    assert [file["name"] for file in onnx["files"]] == ["judged.onnx"]
    assert [file["name"] for file in diffusers["files"]] == ["judged-diffusers.zip"]
