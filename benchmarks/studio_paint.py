"""How soon the page of the studio is seen, and how much code it is:  python benchmarks/studio_paint.py

The program itself on loopback; a browser that has never seen the page opens it, again and again. Told are
what the browser itself measured: the first paint, the first with content, the largest one; medians, and the
slowest. The page must be built (make page), and chromium be there.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from studio_load import studio

from fogcatcher.studio.app import PAGE

LOADS = 9
SETTLED = 1500
"""Milliseconds until nothing larger is painted any more."""
ENTRIES = """() => new Promise(done => {
    const said = Object.fromEntries(performance.getEntriesByType("paint").map(e => [e.name, e.startTime]));
    const largest = "largest-contentful-paint";
    new PerformanceObserver(list => done({...said, [largest]: list.getEntries().at(-1).startTime}))
        .observe({type: largest, buffered: true});
})"""


def painted(browser: Browser, address: str) -> dict[str, float]:
    """Milliseconds from asking for the page to each paint, in a browser with an empty cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.locator("main h1").wait_for(state="attached")
    page.wait_for_timeout(SETTLED)
    said: dict[str, Any] = page.evaluate(ENTRIES)
    context.close()
    return said


def main() -> None:
    loads = int(sys.argv[1]) if len(sys.argv) > 1 else LOADS
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name, studio(Path(name)) as (port, _), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium)
        seen = [painted(browser, f"http://127.0.0.1:{port}/") for _ in range(loads + 1)][1:]
        browser.close()
    for what in seen[0]:
        times = [each[what] for each in seen]
        print(f"{what}: {statistics.median(times):.0f} ms (median of {loads}), {max(times):.0f} ms at most")
    sizes = {path.suffix: path.stat().st_size for path in sorted(PAGE.rglob("*")) if path.is_file()}
    parts = ", ".join(f"{suffix[1:]} {size / 1000:.1f}" for suffix, size in sizes.items())
    print(f"page code: {sum(sizes.values()) / 1000:.1f} kB ({parts})")


if __name__ == "__main__":
    main()
