"""A real front end, a real engine and Debian's Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = (
    "There is no Chromium, so the browser tests cannot run; "
    "on Debian and Ubuntu, get one with: sudo apt install chromium"
)
PATIENCE_SECONDS = 60.0
VIEWPORT = {"width": 1440, "height": 1000}


def until(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that has to happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} seconds")


@dataclass(frozen=True)
class House:
    """One home with its front end."""

    studio: Studio
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home, empty at first, with a running front end."""
    tmp_path = tmp_path_factory.mktemp("house")
    port = free_port()
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
        yield House(open_studio(Settings.from_environment(environment)), url, environment, process)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@pytest.fixture
def engine(house: House, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real engine on the same home; it and its searches are ended afterwards."""
    log = (tmp_path / "engine.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "engine"],
        env=house.environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    yield process
    for run in house.studio.runs():
        if not run.is_ended:
            house.studio.stop(run.id)
    until(
        lambda: all(run.is_ended for run in house.studio.runs()), "every search to end", seconds=300
    )
    process.terminate()
    process.wait(60)
    log.close()


def answers(url: str) -> bool:
    """Whether an address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
