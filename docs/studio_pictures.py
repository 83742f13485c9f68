"""The pictures of docs/studio.md: a studio on an empty folder, a browser, and what it shows.

    python docs/studio_pictures.py              # the pictures
    python docs/studio_pictures.py --animation  # the film: the story of tests/studio/test_browser.py

It needs the page (make page), the extras of development, and chromium. All that can be seen was drawn by the
shipped model, by one trained from it for some minutes, or by the rules of the built-in sprites.
"""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from PIL import Image, ImageChops
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.studio import service
from tests.studio import test_browser as story

DOCS = Path(__file__).parent
SIZE = {"width": 1280, "height": 800}
PATIENCE = 300_000  # milliseconds
LOADED = "() => [...document.images].every(image => image.complete || image.loading === 'lazy')"


def main() -> None:
    if "--animation" in sys.argv[1:]:
        film()
    else:
        pictures()


def _browser() -> str:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    return browser or sys.exit("no browser: apt-get install chromium")


def pictures() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fogcatcher", "studio", f"{folder}/my-game", "--no-browser"]
        service = subprocess.Popen([*command, "--port", str(port)])
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/state")
            with sync_playwright() as driver:
                opened = driver.chromium.launch(executable_path=_browser())
                page = opened.new_page(viewport=SIZE, locale="en", reduced_motion="reduce")  # type: ignore[arg-type]
                page.set_default_timeout(PATIENCE)
                _tour(page, f"http://127.0.0.1:{port}/#")
                opened.close()
        finally:
            service.terminate()
            service.wait()


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urlopen(address).close()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit("the studio did not start")


def _tour(page: Page, base: str) -> None:
    page.goto(f"{base}/home")
    page.locator(".emerging canvas").wait_for()
    _keep(page, "studio-home")
    page.get_by_role("button", name="Draw the first pictures").click()
    drawn = page.locator(".stage button.bare")
    drawn.first.wait_for()
    page.locator(".gallery .tile").nth(7).wait_for()
    _keep(page, "studio-draw")
    drawn.first.click()
    page.get_by_role("button", name="Repair").click()
    canvas = page.locator(".painter canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
    page.mouse.up()
    _keep(page, "studio-edit")
    page.goto(f"{base}/data?name=builtin")
    page.locator(".report").wait_for()
    _keep(page, "studio-data")
    page.goto(f"{base}/explain")
    page.locator(".toy .walk").first.wait_for()
    page.locator("#lesson-toy").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#lesson-toy').scrollIntoView()")
    _keep(page, "studio-explain")


def _keep(page: Page, name: str) -> None:
    """A PNG of at most 256 colours: the page has few, and the file stays small."""
    page.wait_for_function(LOADED)
    page.wait_for_timeout(1500)
    path = DOCS / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


# --- the film -----------------------------------------------------------------------------------

FILM = "studio.webp"
FILM_SIZE = {"width": 1120, "height": 780}
HELD, MOVING = 1100, 130
"""Milliseconds that a page is looked at, and that a moment of something moving is seen."""
LENGTH = 20_000
MINUTES = 3.0


class Filming(story.Visitor):
    """The visitor of the tests, whose looks and moments are kept; the same one twice is kept once."""

    food = "food"

    def __init__(self, page: Page, client: Any, language: str) -> None:  # noqa: ANN401
        super().__init__(page, client, language)
        self.shots: list[list[tuple[Image.Image, int]]] = [[]]
        """Of every part of the story, each of which ends with a look."""

    def frame(self) -> None:
        self._keep(MOVING)

    def look(self, name: str) -> None:
        self.page.wait_for_function(LOADED)
        self.page.wait_for_timeout(300)
        self._keep(HELD)
        self.shots.append([])

    def _keep(self, milliseconds: int) -> None:
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        part = self.shots[-1]
        if part and ImageChops.difference(shot, part[-1][0]).getbbox() is None:
            part[-1] = shot, max(milliseconds, part[-1][1])
        else:
            part.append((shot, milliseconds))


def film() -> None:
    """The story from an empty folder to an atlas, as an animated picture of about twenty seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        service.serving(Path(folder, "my-game")) as client,
        sync_playwright() as driver,
    ):
        opened = driver.chromium.launch(executable_path=_browser())
        try:
            page = opened.new_page(viewport=FILM_SIZE, locale="en")  # type: ignore[arg-type]
            visitor = Filming(page, client, "en")
            story.draw_the_first(visitor)
            story.upload(visitor)
            model = story.train(visitor, MINUTES)
            picture = story.draw_by_class(visitor, model)
            story.repair(visitor, picture)
            story.take_home(visitor)
        finally:
            opened.close()
    shots = _cut(visitor.shots)
    first, *others = [shot for shot, _ in shots]
    path = DOCS / FILM
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=[milliseconds for _, milliseconds in shots],
        loop=0,
        lossless=True,
        quality=100,
        method=6,
    )
    seconds = sum(milliseconds for _, milliseconds in shots) / 1000
    print(f"{path.name}: {len(shots)} frames, {seconds:.0f} s, {path.stat().st_size / 1e6:.2f} MB")


def _cut(parts: list[list[tuple[Image.Image, int]]]) -> list[tuple[Image.Image, int]]:
    """Leave out moments, evenly, of every part that has more of them than its share of the film."""
    moving = sum(len(part) > 1 for part in parts)
    room = (LENGTH - HELD * sum(bool(part) for part in parts)) // (MOVING * max(1, moving))
    found = list[tuple[Image.Image, int]]()
    for part in filter(None, parts):
        *moments, last = part
        step = max(1.0, len(moments) / max(1, room))
        found += [moments[int(k * step)] for k in range(min(room, len(moments)))]
        found.append((last[0], HELD))
    return found


if __name__ == "__main__":
    main()
