"""The page as a browser shows it: nothing sticks out, and dots stand where the formula puts them."""

import re
import shutil
from dataclasses import replace

import pytest

from fogcatcher.drawing.settings import STEP_BY_STEP
from fogcatcher.explain.explanation import explain
from fogcatcher.explain.page import page
from tests.exact_models import gaussian_model

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no browser: apt-get install chromium"),
]
BOXES = "[...document.querySelectorAll('%s')].map(found => found.getBoundingClientRect().%s)"
PLACES = """(() => {
  const figure = document.querySelector('.moving.preserving'), seen = getComputedStyle(figure);
  const dot = figure.querySelector('.dot'), told = dot.getAttribute('style');
  return [seen.getPropertyValue('--alpha'), seen.getPropertyValue('--sigma'), told,
          new DOMMatrix(getComputedStyle(dot).transform).e, new DOMMatrix(getComputedStyle(dot).transform).f];
})()"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    model, folder = gaussian_model(lean=0.3, channels=4), tmp_path_factory.mktemp("page")
    found = explain(model, settings=replace(STEP_BY_STEP, steps=3))
    text = page(found, model.config.pictures, model.config.method, "exact", own_picture=False)
    (folder / "explain.html").write_text(text, encoding="utf-8")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        visited = browser.new_page()
        said: list[str] = []
        visited.on("console", lambda message: said.append(message.text))
        visited.goto((folder / "explain.html").as_uri())
        yield visited, said
        browser.close()


@pytest.mark.parametrize("width", [375, 1440])
def test_nothing_sticks_out(opened, width: int):
    visited, said = opened
    visited.set_viewport_size({"width": width, "height": 900})
    assert visited.evaluate("document.documentElement.scrollWidth") <= width
    heights = visited.evaluate(
        "[...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().height)"
    )
    assert len(heights) > 30 and min(heights) > 10
    assert said == []  # nothing was refused by the policy of the page


def test_the_page_uses_its_right_half(opened):
    visited, _ = opened
    visited.set_viewport_size({"width": 1440, "height": 900})
    lefts = visited.evaluate(
        "[...document.querySelectorAll('.beside > div')].map(d => d.getBoundingClientRect().left)"
    )
    assert min(lefts) < 100 and max(lefts) > 700


def test_dots_stand_at_alpha_x0_plus_sigma_eps(opened):
    visited, _ = opened
    for at in (-1, -3, -5):
        delay = f"animation-delay: {at}s !important"
        style = f".moving {{ animation-play-state: paused !important; {delay} }}"
        visited.add_style_tag(content=style)
        alpha, sigma, told, across, down = visited.evaluate(PLACES)
        x, y, e, f = map(float, re.findall(r"--[xyef]: ?(-?[\d.]+)", told))
        unit = 220 / 2 / 4
        a, s = float(alpha), float(sigma)
        assert a**2 + s**2 == pytest.approx(1, abs=0.01)
        assert (across, down) == pytest.approx((unit * (a * x + s * e), -unit * (a * y + s * f)), abs=0.05)
