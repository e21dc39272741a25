"""The timeline over a long search, in a real browser.

Measured: how long until all moments are there, what a step costs in the
browser with everything that follows it (graphs, heat map, curves, edges over
time), and how many frames a second a drag draws. The run is made up; it is
stored and read like any other.

    python -m benchmarks.timeline [--moments 10000]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from app.settings import Settings
from app.wiring import open_studio
from tests.e2e.conftest import NAMES, answers, free_port, until
from tests.e2e.seeding import alive, seed_run

STEPS = """async (count) => {
  const range = [...document.querySelectorAll('*')].map((node) => node.shadowRoot).filter(Boolean)
    .map((root) => root.querySelector('.player input[type=range]')).find(Boolean)
  const now = () => performance.now()
  const nextFrame = () => new Promise((done) => requestAnimationFrame(() => done(now())))
  const last = Number(range.max)
  const costs = []
  for (let i = 0; i < count; i += 1) {
    range.value = String(Math.round((last * ((i * 37) % count)) / count))
    const first = nextFrame()
    const start = performance.now()
    range.dispatchEvent(new Event('input'))
    const said = performance.now() - start
    const end = nextFrame()
    costs.push([said, said + (await end) - (await first)])
  }
  return costs
}"""
"""Milliseconds of each step: the player at once, and together with what all other parts of the page
do in the next frame. Painting is not in it; the drag has it."""

DRAG = """async (milliseconds) => {
  const range = [...document.querySelectorAll('*')].map((node) => node.shadowRoot).filter(Boolean)
    .map((root) => root.querySelector('.player input[type=range]')).find(Boolean)
  const last = Number(range.max)
  const start = performance.now()
  let frames = 0
  while (performance.now() - start < milliseconds) {
    range.value = String(Math.round((last * (performance.now() - start)) / milliseconds))
    range.dispatchEvent(new Event('input'))
    await new Promise(requestAnimationFrame)
    frames += 1
  }
  return (1000 * frames) / (performance.now() - start)
}"""
"""Frames a second while the slider moves in every frame."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=10_000)
    given = parser.parse_args()
    with served() as (url, environment), browser_page() as page:
        studio = open_studio(Settings.from_environment(environment))
        alive(studio.store)
        begun = time.perf_counter()
        run = seed_run(studio.store, studio.artifacts, count=given.moments)
        print(f"{given.moments:,} snapshots stored in {time.perf_counter() - begun:.1f} s")
        page.goto(url)
        page.get_by_role("heading", name="Runs").wait_for()
        begun = time.perf_counter()
        page.goto(f"{url}/live?run={run.id}")
        page.locator(".player[data-n]:not([data-n='0'])").first.wait_for()
        first = time.perf_counter() - begun
        last = run.progress.step
        page.wait_for_function(
            "([root, step]) => root.dataset.range.endsWith(`-${step}`)",
            arg=[page.locator(".player[data-n]").first.element_handle(), last],
        )
        print(f"first moment after {first:.2f} s, all after {time.perf_counter() - begun:.2f} s")
        page.locator(".history[data-n]").wait_for()
        page.wait_for_timeout(2000)
        page.evaluate(STEPS, 50)
        player, together = zip(*page.evaluate(STEPS, 300), strict=True)
        print(f"a step of the player: {quantiles(player)}")
        print(f"a step of all that follows the timeline: {quantiles(together)}")
        print(f"a drag: {page.evaluate(DRAG, 3000):.1f} frames a second")


def quantiles(costs: Sequence[float]) -> str:
    """Median and 95th percentile in words."""
    p95 = sorted(costs)[int(0.95 * len(costs))]
    return f"median {statistics.median(costs):.2f} ms, p95 {p95:.2f} ms"


@contextmanager
def served() -> Iterator[tuple[str, dict[str, str]]]:
    """A front end with an empty home: its address and environment."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = {
            **os.environ,
            "EGS_HOME": str(Path(folder) / "home"),
            "EGS_PORT": str(port),
            "EGS_EXAMPLE": "0",
        }
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.serve"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            url = f"http://127.0.0.1:{port}"
            try:
                until(lambda: answers(f"{url}/api/health"), "the front end to answer")
                yield url, environment
            finally:
                process.terminate()
                process.wait(20)


@contextmanager
def browser_page() -> Iterator[Page]:
    """A tab of this machine's Chromium."""
    found = next(path for name in NAMES if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(120_000)
        yield page
        browser.close()


if __name__ == "__main__":
    main()
