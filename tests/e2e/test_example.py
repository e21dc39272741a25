"""The recorded search that a real engine brings into a new home."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.health_text import health_of
from app.recording import is_recorded
from tests.e2e.conftest import House
from tests.e2e.player import Player
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.e2e, pytest.mark.process]


@pytest.fixture
def engine_of_a_new_home(house: House, tmp_path: Path):
    environment = {name: text for name, text in house.environment.items() if name != "EGS_EXAMPLE"}
    with (tmp_path / "engine.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "engine"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
        )
        yield
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_new_home_has_something_to_look_at(house: House, engine_of_a_new_home, page: Page):
    studio = house.studio
    until(lambda: bool(studio.living_nodes()), "the engine to live")
    (run,) = studio.runs()
    assert is_recorded(run)
    page.goto(house.url)
    expect(page.get_by_role("button", name="Start the digits search")).to_be_visible()
    expect(page.get_by_text("recorded", exact=True).first).to_be_visible()
    page.get_by_role("link", name="Or look at a recorded one").click()
    expect(page).to_have_url(re.compile(rf"/live\?run={run.id}"))
    player = Player(page)
    player.wait_for("n", str(len(studio.snapshots(run.id))))
    health = health_of(studio, run)
    assert health is not None
    expect(page.locator(".stMarkdownBadge", has_text=health.verdict.label)).to_be_visible()
