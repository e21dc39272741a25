"""From the commit of a snapshot to the screen, with several tabs open.

A real database, the real front end, real Chromium. A writer commits synthetic
snapshots at a fixed pace and notes the moment after each commit; every tab
notes the moment in which its player shows that step or a later one. Prints
the median and the 95th percentile over all tabs and snapshots, and the share
of one core that the front end used.

    PYTHONPATH=. python benchmarks/commit_to_screen.py [--tabs 5] [--seconds 30] [--hertz 2]
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import psutil
from playwright.sync_api import sync_playwright

from app.settings import Settings
from app.wiring import open_artifacts, open_store
from engine.domain.run import RunState
from tests.e2e.seeding import Synthetic, alive, extend_run, seed_run

BEFORE = 100
SETTLE_MS = 8000
"""The tabs are open before the clock starts: their scripts have loaded and drawn."""

WATCH = """
() => {
  const found = (node) => {
    if (node.dataset && node.dataset.n !== undefined && node.dataset.step !== undefined) return node
    for (const child of [...(node.children || []), ...(node.shadowRoot?.children || [])]) {
      const hit = found(child)
      if (hit) return hit
    }
    return null
  }
  const player = found(document.body)
  if (!player) return false
  window.shown = []
  const note = () => window.shown.push([Number(player.dataset.step), Date.now() / 1000])
  new MutationObserver(note).observe(player, { attributes: true, attributeFilter: ["data-step"] })
  return true
}
"""


def main() -> None:
    """Open the tabs, write, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tabs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--hertz", type=float, default=2.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment({"EGS_HOME": home, "EGS_PORT": str(free_port())})
        store, artifacts = open_store(settings), open_artifacts(settings)
        alive(store)
        count = BEFORE + int(given.seconds * given.hertz)
        run = seed_run(store, artifacts, count=count, upto=BEFORE, state=RunState.RUNNING)
        search = Synthetic(run.config, store.space_of(run), count=count)
        server = start_front_end(settings)
        try:
            result = measure(given, store, run, search, settings, server)
        finally:
            server.terminate()
            server.wait()
    print(json.dumps(result, indent=2))


def measure(given, store, run, search, settings, server) -> dict:
    """Delays in seconds between commit and screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        tabs = [browser.new_page() for _ in range(given.tabs)]
        for tab in tabs:
            tab.goto(f"http://127.0.0.1:{settings.port}/live?run={run.id}")
            tab.wait_for_selector("[data-n]", state="attached", timeout=60_000)
            tab.wait_for_function(WATCH, timeout=60_000)
        tabs[0].wait_for_timeout(SETTLE_MS)
        used = cpu_seconds(server)
        started = time.time()
        committed = {}
        for number in range(BEFORE, search.count):
            extend_run(store, run, search, number, number + 1)
            committed[run.config.snapshot_interval * (number + 1)] = time.time()
            wake = started + (number + 1 - BEFORE) / given.hertz
            tabs[0].wait_for_timeout(max(0.0, wake - time.time()) * 1000)
        elapsed = time.time() - started
        tabs[0].wait_for_timeout(3000)
        delays = [delay for tab in tabs for delay in delays_of(tab, committed)]
        share = (cpu_seconds(server) - used) / elapsed
        browser.close()
    delays.sort()
    return {
        "tabs": given.tabs,
        "snapshots": len(committed),
        "delays": len(delays),
        "missed": len(committed) * given.tabs - len(delays),
        "median_seconds": delays[len(delays) // 2],
        "p95_seconds": delays[int(len(delays) * 0.95)],
        "front_end_share_of_a_core": share,
        "front_end_resident_mb": psutil.Process(server.pid).memory_info().rss / 1e6,
    }


def delays_of(tab, committed) -> list[float]:
    """For each committed step, seconds until the tab showed it or a later one."""
    shown = tab.evaluate("() => window.shown")
    return [
        min(at for step, at in shown if step >= wanted) - moment
        for wanted, moment in committed.items()
        if any(step >= wanted for step, _ in shown)
    ]


def cpu_seconds(server) -> float:
    """Processor time of the front end so far."""
    times = psutil.Process(server.pid).cpu_times()
    return times.user + times.system


def start_front_end(settings) -> subprocess.Popen:
    """The front end as a user has it, once it answers."""
    environment = os.environ | {"EGS_HOME": str(settings.home), "EGS_PORT": str(settings.port)}
    server = subprocess.Popen([sys.executable, "-m", "app.serve"], env=environment)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{settings.port}/api/health").read()
            return server
        except urllib.error.URLError:
            time.sleep(0.1)
    raise SystemExit("the front end did not answer within 30 s")


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
