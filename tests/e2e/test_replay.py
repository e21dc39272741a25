"""The replay of a search, opened as a file by a real browser that has no server."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.replay import replay
from app.studio import Studio
from app.wiring import SystemClock
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.player import Player
from tests.e2e.seeding import seed_run

HOSTILE = "</script><script>document.title='taken'</script>"
STAGED = {"space": "nb201", "scope": "edge", "draws": 1, "cells": 3}


@pytest.fixture(params=[{}, STAGED], ids=["darts", "nb201"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    store, artifacts = MemoryStore(SystemClock()), FolderArtifacts(tmp_path / "artifacts")
    studio = Studio(store, artifacts, SystemClock())
    run = seed_run(store, artifacts, count=200, name=HOSTILE, **request.param)
    path = tmp_path / "replay.html"
    path.write_bytes(replay(studio, run.id))
    return path


def test_it_plays_without_asking_anybody(file: Path, page: Page):
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url.partition(":")[0]))
    page.goto(file.as_uri())
    player = Player(page)
    player.wait_for("n", "200")
    last = player.hook("step")
    player.slider.focus()
    page.keyboard.press("Home")
    expect(player.root).not_to_have_attribute("data-step", last)
    first = player.hook("step")
    page.keyboard.press("ArrowRight")
    expect(player.root).not_to_have_attribute("data-step", first)
    expect(page.locator(".curves .plot canvas").first).to_be_visible()
    expect(page.locator(".derived.ready svg").first).to_be_visible()
    assert set(asked) <= {"file", "data"}
    assert page.title() == HOSTILE
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
