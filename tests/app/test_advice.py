"""Which architecture to take home: the sentence follows what the search has recorded."""

from dataclasses import replace

import pytest

from app.advice import advise
from app.health_words import health_of
from app.studio import Studio
from app.wiring import SystemClock
from engine.domain.health import Finding, Verdict
from engine.domain.run import RunState
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run


@pytest.fixture
def studio(tmp_path) -> Studio:
    clock = SystemClock()
    return Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)


def seeded(studio: Studio, **changes):
    return seed_run(studio.store, studio.artifacts, count=200, **changes)


def test_an_architecture_that_stood_still_to_the_end_is_to_be_taken(studio, monkeypatch):
    run = seeded(studio)
    health = replace(health_of(studio, run), settled_since=15)
    monkeypatch.setattr("app.advice.health_of", lambda *_: health)
    found = advise(studio, run, None)
    assert (found.level, found.step) == ("take", None)
    assert "since epoch 15 of 20" in found.text
    last = studio.snapshots(run.id, epochs_only=True)[-1]
    assert advise(studio, run, last.step) == found


def test_one_that_changed_in_the_last_epoch_is_taken_with_care(studio, monkeypatch):
    run = seeded(studio)
    health = replace(health_of(studio, run), settled_since=20)
    monkeypatch.setattr("app.advice.health_of", lambda *_: health)
    found = advise(studio, run, None)
    assert found.level == "care"
    assert "only since epoch 20" in found.text


def test_a_search_that_goes_on_is_to_be_waited_for(studio):
    run = seeded(studio, upto=120, state=RunState.RUNNING)
    assert advise(studio, run, None).level == "wait"


def test_an_earlier_moment_leads_to_the_latest_where_they_differ(studio):
    run = seeded(studio)
    epochs = studio.snapshots(run.id, epochs_only=True)
    first, last = epochs[0], epochs[-1]
    assert studio.derive(run.id, first.step).cells != studio.derive(run.id, last.step).cells
    found = advise(studio, run, first.step)
    assert (found.level, found.step) == ("care", last.step)
    same = next(
        one
        for one in epochs
        if studio.derive(run.id, one.step).cells == studio.derive(run.id, last.step).cells
    )
    assert same.step < last.step
    assert advise(studio, run, same.step).level == "take"


def test_a_collapsed_search_says_what_to_do(studio, monkeypatch):
    run = seeded(studio)
    health = health_of(studio, run)
    finding = Finding(Verdict.COLLAPSED, "Skips.", "Fork.")
    monkeypatch.setattr("app.advice.health_of", lambda *_: replace(health, findings=(finding,)))
    found = advise(studio, run, None)
    assert (found.level, found.text) == ("care", "Not a good one yet. Skips. Fork.")


def test_nothing_is_said_before_the_first_epoch_and_of_random_search(studio):
    assert advise(studio, seeded(studio, upto=5, state=RunState.RUNNING), None) is None
    config = seeded(studio).search.model_copy(update={"method": "random", "candidates": 2})
    assert advise(studio, studio.store.create(config, name="chance"), None) is None
