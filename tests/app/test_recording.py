"""A search in a file and back, and the example that the studio brings along."""

import gzip
import json
from dataclasses import replace

import pytest

from app.recording import TAG, add_example, is_recorded, record, restore
from app.replay import replay
from app.settings import Settings
from app.studio import Studio
from app.wiring import SystemClock
from engine.catalog import gather_catalog
from engine.domain.errors import StudioError
from engine.domain.genotype import to_darts
from engine.domain.run import RunState
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run


@pytest.fixture
def studio(tmp_path) -> Studio:
    return Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path / "a"), SystemClock())


@pytest.fixture
def other(tmp_path) -> Studio:
    found = Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path / "b"), SystemClock())
    found.store.publish(gather_catalog())
    return found


@pytest.fixture
def settings(tmp_path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    return replace(Settings.from_environment({"EGS_HOME": str(home)}))


def test_what_comes_back_is_what_was_recorded(studio: Studio, other: Studio):
    run = seed_run(studio.store, studio.artifacts, count=1200, name="digits")
    back = restore(other, record(studio, run.id))
    assert (back.state, back.name, back.config) == (RunState.COMPLETED, run.name, run.config)
    assert back.progress == run.progress
    assert other.snapshots(back.id) == studio.snapshots(run.id)
    assert other.data(back) == studio.data(run)
    assert to_darts(other.derive(back.id)) == to_darts(studio.derive(run.id))
    assert other.cost(back.id, other.derive(back.id)) == studio.cost(run.id, studio.derive(run.id))


def test_it_is_marked_as_recorded(studio: Studio, other: Studio):
    run = seed_run(studio.store, studio.artifacts, count=20)
    back = restore(other, record(studio, run.id))
    assert back.tags == (TAG,)
    assert is_recorded(back)
    assert not is_recorded(run)
    assert "nothing of it ran here" in other.events(back.id)[-1].text


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.FAILED])
def test_only_a_completed_search_is_recorded(studio: Studio, state: RunState):
    run = seed_run(studio.store, studio.artifacts, count=20, state=state)
    with pytest.raises(StudioError, match=state.value):
        record(studio, run.id)


def test_a_later_schema_is_refused(other: Studio):
    with pytest.raises(StudioError, match="update the studio"):
        restore(other, gzip.compress(json.dumps({"schema": 2}).encode()))
    assert other.runs() == []


def test_the_example_comes_once_into_an_empty_home(other: Studio, settings: Settings):
    run = add_example(other, settings)
    assert run is not None
    assert is_recorded(run)
    assert run.state is RunState.COMPLETED
    assert len(other.snapshots(run.id)) > 100
    assert replay(other, run.id).startswith(b"<!doctype html>")
    other.delete(run.id)
    assert add_example(other, settings) is None


def test_no_example_where_there_are_runs(other: Studio, settings: Settings):
    seed_run(other.store, other.artifacts, count=20)
    assert add_example(other, settings) is None
    assert len(other.runs()) == 1
