"""A real front end, a real engine and Debian's Chromium."""

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio
from engine.runtime.identity import ProcessIdentity
from tests.ports import reserved_port
from tests.processes.gate import PROGRAM, Gate
from tests.waiting import PATIENCE_SECONDS, until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = (
    "There is no Chromium, so the browser tests cannot run; "
    "on Debian and Ubuntu, get one with: sudo apt install chromium"
)
VIEWPORT = {"width": 1440, "height": 1000}
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class House:
    """One home with its front end, and the gate at which its runs and jobs wait."""

    studio: Studio
    gate: Gate
    url: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium from this machine; its event loop ends before other tests want one."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def stopped_clock(page: Page) -> Iterator[None]:
    """Within, no time passes for the scripts of a page, unless ``page.clock`` lets it."""
    page.clock.install()
    page.clock.pause_at(datetime.now() + timedelta(hours=1))
    yield
    page.clock.resume()


def is_fault(said: ConsoleMessage) -> bool:
    """Whether a message of the console is an error; a connection that a test has cut is none."""
    return said.type == "error" and "net::ERR_" not in said.text


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab; an error of a script or in the console fails the test."""
    context = browser.new_context(viewport=VIEWPORT, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if is_fault(said) else None)
    yield page
    context.close()
    assert errors == []


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the front end listens."""
    with reserved_port() as number:
        yield number


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[House]:
    """A home, empty at first, with a running front end."""
    tmp_path = tmp_path_factory.mktemp("house")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("EGS_")},
        "EGS_HOME": str(tmp_path / "home"),
        "EGS_PORT": str(port),
        "EGS_EXAMPLE": "0",
        "OMP_NUM_THREADS": "1",
    }
    log = (tmp_path / "serve.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "app.serve"],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(f"{url}/api/health"), "the front end to answer")
        settings = Settings.from_environment(environment)
        yield House(open_studio(settings), Gate(settings.home), url, environment, process)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        log.close()


@pytest.fixture
def engine(house: House, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The engine of that home, which is there; it and its runs are ended afterwards."""
    log = (tmp_path / "engine.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, *PROGRAM, "engine"],
        env=house.environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
    )
    identity = ProcessIdentity.of(process.pid).to_json()
    studio = house.studio
    until(lambda: identity in [node.process for node in studio.living_nodes()], "the engine")
    yield process
    house.gate.open()
    for run in house.studio.runs():
        if not run.is_ended:
            house.studio.stop(run.id)
    until(lambda: all(run.is_ended for run in house.studio.runs()), "every run to end")
    process.terminate()
    process.wait(PATIENCE_SECONDS)
    log.close()


def answers(url: str) -> bool:
    """Whether an address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:
            return bool(response.status == 200)
    except OSError:
        return False
