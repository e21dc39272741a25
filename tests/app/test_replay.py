"""The replay file, and what it refuses."""

import json
import re
from dataclasses import replace

import pytest

from app.replay import LARGEST, MODULES, portable, replay
from app.studio import Studio
from app.wire import stride_of
from app.wiring import SystemClock
from engine.domain.errors import NotFound
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run


@pytest.fixture
def studio(tmp_path) -> Studio:
    return Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path / "a"), SystemClock())


def test_the_file_holds_the_run_and_no_address(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=60, name="A <b> & c")
    text = replay(studio, run.id).decode()
    assert "A &lt;b&gt; &amp; c" in text
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found is not None
    parts = dict(json.loads(found[1])["parts"])
    assert parts["cell_player.js"]["run"] == run.uid
    assert parts["cell_player.js"]["address"] is None
    assert parts["curves.js"]["series"]["series"]["child_accuracy"]["values"]
    outside = re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", text)
    assert outside == []


def test_modules_come_after_those_that_they_import():
    from app.components.loading import STATIC

    for number, name in enumerate(MODULES):
        text = portable((STATIC / name).read_text())
        assert "VERSION}`, import.meta.url" not in re.sub(r"new URL\(`\$\{name\}.*", "", text)
        asked = re.findall(r'egsModules\["([^"]+)"\]', text)
        assert set(asked) <= set(MODULES[:number])


def test_a_long_search_is_thinned_to_what_a_file_can_hold(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=60)
    assert stride_of(run, LARGEST) == 1
    steps = 3 * LARGEST * run.config.snapshot_interval
    longer = replace(run, progress=replace(run.progress, step=steps))
    assert stride_of(longer, LARGEST) == 4


def test_without_a_snapshot_there_is_nothing_to_replay(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=0)
    with pytest.raises(NotFound, match="snapshot"):
        replay(studio, run.id)
