"""Each task once on its built-in data, started in a real browser with New search's own buttons.

A new home, the real engine and front end, Chromium. For each task the seconds
from the press on the button to the completed run are printed, with what the
child has reached, as Live shows it.

    python -m benchmarks.tasks_in_the_browser [--together]

With ``--together`` two searches run at a time.
"""

import argparse
import subprocess
import sys
import time

from playwright.sync_api import Page

from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio
from benchmarks.timeline import browser_page, served
from tests.e2e.conftest import until

TASKS = ("Images", "Texts", "Scenes")
LONGEST_SECONDS = 1800


def main() -> None:
    """Start, wait, and print one line a task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--together", action="store_true", help="two at a time")
    given = parser.parse_args()
    with served() as (url, home), browser_page() as page:
        environment = {**home, "EGS_CPU_PLACES": "2" if given.together else "1"}
        studio = open_studio(Settings.from_environment(environment))
        engine = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "engine"], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: studio.catalog() is not None, "the engine to publish its catalogue")
            started = {}
            for task in TASKS:
                run = start(page, url, task)
                started[run] = (task, time.monotonic())
                if not given.together:
                    wait_and_tell(page, url, studio, run, *started[run])
            if given.together:
                for run, (task, begun) in started.items():
                    wait_and_tell(page, url, studio, run, task, begun)
        finally:
            engine.terminate()
            engine.wait(30)


def start(page: Page, url: str, task: str) -> int:
    """Choose a task on New search, press the button, and give the run's number."""
    page.goto(f"{url}/new")
    page.get_by_role("radio", name=task).or_(page.get_by_role("button", name=task)).first.click()
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Start the search").click()
    page.wait_for_url("**/live?run=*")
    return int(page.url.split("run=")[1].split("&")[0])


def wait_and_tell(page: Page, url: str, studio: Studio, run: int, task: str, begun: float) -> None:
    """Watch a run to its end on its page; print seconds and what it has reached."""
    page.goto(f"{url}/live?run={run}")
    until(lambda: studio.run(run).is_ended, "the search to end", seconds=LONGEST_SECONDS)
    ended = studio.run(run)
    page.locator(".player[data-run='completed']").first.wait_for()
    shown = page.locator(".board .tile").all_inner_texts()
    figures = ", ".join(" ".join(text.split("\n")) for text in shown[2:5])
    waited = f"{time.monotonic() - begun:.0f} s from the button"
    print(
        f"{task}: {ended.state.value}, {waited}, {ended.progress.seconds:.0f} s of it steps; "
        f"{figures}",
        flush=True,
    )


if __name__ == "__main__":
    main()
