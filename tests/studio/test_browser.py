"""The studio in a real browser: what a person does from an empty folder to a sprite sheet, and what they see.

With FOGCATCHER_SCREENSHOTS=DIR every page is kept as a picture there: look at them.
"""

import io
import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from fogcatcher.data import sprites

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
service = pytest.importorskip("tests.studio.service", reason="the extra studio is not installed")

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in BROWSERS if (path := shutil.which(name))), None)
PAGE = ROOT / "fogcatcher" / "studio" / "page" / "index.html"
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no browser: apt-get install chromium"),
    pytest.mark.skipif(not PAGE.exists(), reason="the page is not built: make page"),
]
SHOTS = os.environ.get("FOGCATCHER_SCREENSHOTS")
MARKUP = "<i>food</i>"
"""The name of a class that must show as text on every page."""
FRAME = 100
SECOND = 1000
PATIENCE = 600 * SECOND


def words(language: str) -> dict[str, str]:
    """The table of messages, key -> text; of plurals the form for many."""
    text = (ROOT / "studio" / "src" / "words" / f"{language}.ts").read_text("utf-8")
    entry = re.compile(r'^  "?([\w.]+)"?:\s*(?:\{ one: "[^"]*", other: )?"((?:[^"\\]|\\.)*)"', re.MULTILINE)
    return dict(entry.findall(text))


def zip_of_sprites(count: int, food: str) -> bytes:
    """Sprites with a table of their kinds; the kind ``food`` is called so."""
    packed = io.BytesIO()
    rows = ["file_name,kind"]
    with zipfile.ZipFile(packed, "w") as archive:
        for number, sprite in enumerate(sprites.draw_many(count, seed=5)):
            png = io.BytesIO()
            Image.fromarray(sprite.pixels).save(png, "PNG")
            archive.writestr(f"tavern/{number:03d}.png", png.getvalue())
            rows.append(f"{number:03d}.png,{food if sprite.kind == 'food' else sprite.kind}")
        archive.writestr("tavern/metadata.csv", "\n".join(rows))
    return packed.getvalue()


class Visitor:
    """A person before the page, in one language, on a screen of one width.

    docs/studio_pictures.py makes a film of what this one does.
    """

    food = MARKUP

    def __init__(self, page: Any, client: Any, language: str) -> None:
        self.page, self.client, self.language = page, client, language
        self.words = words(language)
        self.said: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: None if m.type in ("log", "info", "debug") else self.said.append(m.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))

    def go(self, where: str) -> None:
        self.page.goto(f"http://127.0.0.1:{self.client.port}/#/{where}")
        self.page.locator("main h1").wait_for(state="attached")

    def button(self, key: str, **filled: Any) -> Any:
        name = re.sub(r"\{(\w+)\}", lambda hole: str(filled[hole[1]]), self.words[key])
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, key: str) -> Any:
        return self.page.locator("main").get_by_role("link", name=self.words[key], exact=True)

    def frame(self) -> None:
        """Called while something moves."""

    def watch(self, script: str) -> None:
        """Wait until a function of the page says true, and see what happens in the meantime."""
        until = time.monotonic() + PATIENCE / SECOND
        while not self.page.evaluate(script):
            assert time.monotonic() < until, script
            self.frame()
            self.page.wait_for_timeout(FRAME)

    def finished(self) -> list[dict[str, Any]]:
        """Wait until the drawing on the stage is there as files; return what the service says of them."""
        self.watch("() => document.querySelector('.stage button.bare') !== null")
        self.page.locator(".stage button.bare").first.wait_for()
        jobs = [job for job in self.client.get("/api/jobs") if job["kind"] in ("draw", "edit")]
        assert jobs[-1]["state"] == "done", jobs[-1]
        return jobs[-1]["result"]["pictures"]

    def look(self, name: str) -> None:
        """Check what any page must hold, and keep a picture of it."""
        page = self.page
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], name
        assert page.locator("i").count() == 0, "a name became markup"
        found = axe.Axe().run(page).response["violations"]
        bad = [
            (one["id"], [node["target"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert not bad, (name, bad)
        assert not self.said, (name, self.said)
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            width = page.viewport_size["width"]
            page.screenshot(path=Path(SHOTS) / f"{name}-{self.language}-{width}.png", full_page=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@contextmanager
def visiting(
    browser: Any, client: Any, language: str = "en", width: int = 1440, **more: Any
) -> Iterator[Visitor]:
    height = 900 if width > 800 else 812
    context = browser.new_context(viewport={"width": width, "height": height}, locale=language, **more)
    visitor = Visitor(context.new_page(), client, language)
    try:
        yield visitor
    except Exception:
        if SHOTS:
            visitor.page.screenshot(path=Path(SHOTS) / f"failed-{language}-{width}.png", full_page=True)
        raise
    finally:
        context.close()


def draw_the_first(visitor: Visitor) -> None:
    visitor.go("home")
    visitor.look("1-empty")
    visitor.button("home.draw").click()
    visitor.page.locator('.stage img[src^="data:image/png"]').first.wait_for()  # the guess at some step
    pictures = visitor.finished()
    shown = visitor.page.locator(".stage button.bare img")
    assert shown.count() == len(pictures) == 8
    kinds = {picture["recipe"]["condition"]["kind"] for picture in pictures}
    assert kinds == {"creature", "food", "hero", "side", "spell"}  # each in turn
    visitor.look("2-draw")


def upload(visitor: Visitor) -> None:
    visitor.go("data")
    packed = {"name": "tavern.zip", "mimeType": "application/zip", "buffer": zip_of_sprites(60, visitor.food)}
    visitor.page.locator('input[type="file"]').last.set_input_files(packed)
    visitor.page.locator(".report").wait_for()
    assert "60" in visitor.page.locator(".panel .big").inner_text()
    assert visitor.page.locator(".report").get_by_role("button", name=visitor.food).is_visible()
    visitor.look("3-data")


def train(visitor: Visitor, minutes: float) -> str:
    """Train from the shipped weights; return the id of the model."""
    page = visitor.page
    visitor.link("data.train").click()
    page.locator(".way").first.wait_for()
    page.get_by_role("spinbutton", name=visitor.words["train.minutes"]).fill(str(minutes))
    page.keyboard.press("Tab")
    visitor.look("4-train")
    visitor.button("train.go").click()
    sheet = page.locator(".run-sheet .sheet img")
    sheet.wait_for()
    visitor.look("5-training")
    grown = "() => document.querySelector('.run-sheet .sheet img').naturalHeight >= 2 * 16 * 4"
    page.wait_for_function(grown)  # two rows at least
    visitor.frame()
    page.reload()  # a closed tab ends nothing, and what was seen is still there
    sheet.wait_for()
    page.wait_for_function(grown)
    visitor.watch("""() => document.querySelector('main a[href^="#/draw"]') !== null""")
    model = visitor.client.get("/api/jobs")[-1]["result"]["model"]
    visitor.go(f"train?model={quote(model)}")
    visitor.link("nav.draw").wait_for()
    visitor.look("6-trained")
    return model


def draw_by_class(visitor: Visitor, model: str) -> dict[str, Any]:
    page = visitor.page
    visitor.go(f"draw?model={quote(model)}")
    page.get_by_role("button", name=visitor.food, exact=True).click()
    before = len(visitor.client.get("/api/jobs"))
    visitor.button("draw.go").click()
    while len(visitor.client.get("/api/jobs")) == before:
        page.wait_for_timeout(FRAME)
    over = "() => fetch('/api/jobs').then(a => a.json()).then(jobs => jobs.at(-1).state === 'done')"
    visitor.watch(over)
    pictures = visitor.finished()
    assert all(picture["recipe"]["condition"] == {"kind": visitor.food} for picture in pictures)
    visitor.look("7-drawn")
    return pictures[0]


def repair(visitor: Visitor, picture: dict[str, Any]) -> None:
    """Paint over the middle, and see that all else stays to the byte."""
    page, client = visitor.page, visitor.client
    visitor.go(f"edit?action=inpaint&picture={quote(picture['id'], safe='')}")
    canvas = page.locator(".painter canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    for share in (0.4, 0.5, 0.6, 0.7):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"], steps=2)
        visitor.frame()
    page.mouse.up()
    visitor.look("8-painted")
    visitor.button("edit.go").click()
    repaired = visitor.finished()[0]
    visitor.look("9-repaired")
    old, new = (
        np.asarray(Image.open(client.root / one["id"]).convert("RGBA")).astype(int)
        for one in (picture, repaired)
    )
    rows = np.flatnonzero((old != new).any(axis=(1, 2)))
    assert len(rows) > 0 and rows.min() >= 6 and rows.max() <= 10


def judge(visitor: Visitor, model: str) -> None:
    visitor.go(f"judge?model={quote(model)}")
    visitor.page.get_by_role("spinbutton", name=visitor.words["judge.count"]).fill("50")
    visitor.page.keyboard.press("Tab")
    visitor.button("judge.go").click()
    report = visitor.page.frame_locator("iframe.report-page")
    report.locator("img").first.wait_for()
    assert len(report.locator("body").inner_text()) > 200
    visitor.look("10-judged")


def take_home(visitor: Visitor) -> None:
    """Pack an atlas, download it, and find every picture in it at the place that its JSON says."""
    page, client = visitor.page, visitor.client
    visitor.go("draw")
    visitor.button("gallery.all").click()
    chosen = page.locator(".tile-check:checked").count()
    page.locator(".gallery header button").last.click()
    visitor.button("pack.make").click()
    links = page.locator(".files a")
    links.first.wait_for()
    visitor.look("11-packed")
    got = {}
    for number in range(links.count()):
        with page.expect_download() as download:
            links.nth(number).click()
        got[links.nth(number).inner_text()] = Path(download.value.path()).read_bytes()
    sheet = next(body for name, body in got.items() if name.endswith(".png"))
    atlas = json.loads(next(body for name, body in got.items() if name.endswith(".json")))
    frames = atlas["frames"]
    assert len(frames) == chosen
    image = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGBA"))
    pictures = [np.asarray(Image.open(client.root / p["id"]).convert("RGBA")) for p in gallery(client)]
    for frame in frames.values():
        part = image[frame["y"] : frame["y"] + frame["h"], frame["x"] : frame["x"] + frame["w"]]
        assert any(np.array_equal(part, picture) for picture in pictures)


def gallery(client: Any) -> list[dict[str, Any]]:
    return client.get("/api/drawings?limit=200")["pictures"]


def the_rest(visitor: Visitor) -> None:
    for name in ("home", "explain", "export"):
        visitor.go(name)
        visitor.page.wait_for_timeout(600)
        visitor.look(f"12-{name}")


def whole_story(visitor: Visitor, minutes: float) -> None:
    draw_the_first(visitor)
    upload(visitor)
    model = train(visitor, minutes)
    picture = draw_by_class(visitor, model)
    repair(visitor, picture)
    judge(visitor, model)
    take_home(visitor)
    the_rest(visitor)


@pytest.mark.slow
def test_from_an_empty_folder_to_an_atlas(browser, tmp_path):
    with service.serving(tmp_path) as client, visiting(browser, client) as visitor:
        whole_story(visitor, minutes=0.7)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "width"), [("es", 375), ("pt", 1440), ("en", 375)])
def test_the_same_in_every_language_and_width(browser, tmp_path, language, width):
    more = {"has_touch": True, "color_scheme": "dark"} if width < 800 else {}
    with service.serving(tmp_path) as client, visiting(browser, client, language, width, **more) as visitor:
        whole_story(visitor, minutes=0.7)


@pytest.mark.slow
def test_what_is_shown_are_the_bytes_on_disk_and_no_colour_is_added(browser, studio):
    result = studio.done(studio.job("draw", model="shipped.sprites", seeds=[4], settings={"steps": 6}))
    picture = result["pictures"][0]
    file = studio.root / picture["id"]
    with visiting(browser, studio) as visitor:
        visitor.go("draw")
        image = visitor.page.locator(".stage button.bare img")
        image.wait_for()
        shown = visitor.page.request.get(f"http://127.0.0.1:{studio.port}{image.get_attribute('src')}")
        assert shown.body() == file.read_bytes()
        pixels = np.asarray(Image.open(file).convert("RGBA"))
        box = image.bounding_box()
        assert box["width"] % 16 == 0 and box["width"] >= 8 * 16
        screen = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB")).reshape(-1, 3)
    clear = pixels[..., 3] == 0
    assert clear.any() and (clear | (pixels[..., 3] == 255)).all()
    expected = {tuple(colour) for colour in pixels[~clear][:, :3].tolist()}
    checks = {(255, 255, 255), (230, 234, 234)}
    assert {tuple(colour) for colour in screen.tolist()} == expected | checks


def test_everything_can_be_done_by_keyboard(browser, studio):
    """Paint a mask with the keys alone: every control is reached by Tab, and the brush by its arrows."""
    picture = studio.done(studio.job("draw", model="shipped.sprites", seeds=[5], settings={"steps": 2}))[
        "pictures"
    ][0]
    with visiting(browser, studio) as visitor:
        page = visitor.page
        visitor.go(f"edit?picture={quote(picture['id'], safe='')}")
        page.locator(".painter canvas").wait_for()
        page.keyboard.press("Tab")
        for _ in range(400):
            if page.evaluate("document.activeElement.tagName") == "CANVAS":
                break
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "CANVAS"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        assert page.locator(".paint > p").inner_text().startswith("4 ")  # the brush is two pixels wide
        page.keyboard.press("Control+z")
        assert page.locator(".paint > p").inner_text() == visitor.words["paint.nothing"]


def test_a_training_begins_as_the_form_stands(browser, tmp_path):
    """Nothing is filled in: the usual minutes must be a value that the form itself takes."""
    with service.serving(tmp_path, workers=False) as client, visiting(browser, client) as visitor:
        visitor.go("train")
        visitor.button("train.go").click()
        visitor.watch("() => fetch('/api/jobs').then(a => a.json()).then(jobs => jobs.length === 1)")
        assert (
            client.get("/api/jobs")[0]["request"]["minutes"]
            == client.get("/api/options")["train"]["minutes"]["default"]
        )


@pytest.mark.parametrize("minutes", [0.5, 90.0])
def test_minutes_can_be_typed_beyond_the_slider(browser, tmp_path, minutes):
    with service.serving(tmp_path, workers=False) as client, visiting(browser, client) as visitor:
        visitor.go("train")
        field = visitor.page.get_by_role("spinbutton", name=visitor.words["train.minutes"])
        field.fill(str(minutes))
        visitor.page.keyboard.press("Tab")
        assert float(field.input_value()) == minutes
        visitor.button("train.go").click()
        visitor.watch("() => fetch('/api/jobs').then(a => a.json()).then(jobs => jobs.length === 1)")
        assert client.get("/api/jobs")[0]["request"]["minutes"] == minutes


def test_the_page_is_small_and_asks_nothing_of_others():
    sizes = [path.stat().st_size for path in PAGE.parent.rglob("*") if path.is_file()]
    assert sum(sizes) < 200_000
    for path in PAGE.parent.rglob("*.*"):
        text = path.read_text("utf-8")
        known = {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1998/Math/MathML",
            "http://www.w3.org/1999/xhtml",
        }
        assert set(re.findall(r"https?://[\w./-]+", text)) <= known, path
    html = PAGE.read_text("utf-8")
    assert "<style" not in html and " style=" not in html and not re.search(r"<script[^>]*>[^<]", html)


@pytest.mark.slow
def test_two_samplers_a_table_and_the_lines_behind_the_formulas(browser, studio):
    """The page Explain: noise on a picture, two samplers on one seed, a table of settings, the program."""
    studio.done(studio.job("draw", model="shipped.sprites", seeds=[6], settings={"steps": 2}))
    with visiting(browser, studio) as visitor:
        page, words = visitor.page, visitor.words
        visitor.go("explain?model=shipped.sprites")
        noisy = page.get_by_role("img", name=words["explain.noisy"])
        noisy.wait_for()
        seen = {noisy.get_attribute("src")}
        for _ in range(3):
            page.get_by_role("slider", name=words["explain.time"]).press("ArrowRight")
            seen.add(noisy.get_attribute("src"))
        assert len(seen) == 4
        page.get_by_text("Process.corrupt", exact=True).click()
        page.locator("pre", has_text="return alpha * x0 + sigma * noise").wait_for()

        page.get_by_role("spinbutton", name=words["draw.steps"]).first.fill("4")
        page.keyboard.press("Tab")
        visitor.button("explain.go").click()
        page.wait_for_function("() => document.querySelectorAll('.frames img').length === 2")
        drawn = [job for job in studio.get("/api/jobs") if job["kind"] == "draw"][-2:]
        results = [studio.wait(job["id"]) for job in drawn]
        asked = [job["request"] for job in results]
        assert asked[0]["seeds"] == asked[1]["seeds"]
        assert [one["settings"]["sampler"] for one in asked] == ["ddim", "dpmpp_2m"]
        a, b = (
            np.asarray(Image.open(studio.root / job["result"]["pictures"][0]["id"])).astype(int)
            for job in results
        )
        assert (a != b).any()

        page.get_by_label(words["grid.values"]).first.fill("2 3")
        visitor.button("grid.go").click()
        page.get_by_role("img", name=words["grid.picture"]).wait_for()
        job = [job for job in studio.get("/api/jobs") if job["kind"] == "grid"][-1]
        table = json.loads(studio.ask("GET", f"/files/{job['result']['folder']}/grid.json")[2])
        assert table["axes"] == {"sampler": ["ddim", "heun", "dpmpp_2m"], "steps": ["2", "3"]}
        assert len(table["cells"]) == 6
        visitor.look("13-explained")
