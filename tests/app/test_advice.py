"""Which architecture to take home: the sentence follows what the search has recorded."""

from dataclasses import replace

import pytest

from app.advice import advise
from app.bench import bench, changed_rule
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


def advice(studio: Studio, run, step=None):
    """The advice about what the search itself derives."""
    return advise(studio, run, step, studio.derive(run.id, step))


def test_an_architecture_that_stood_still_to_the_end_is_to_be_taken(studio, monkeypatch):
    run = seeded(studio)
    health = replace(health_of(studio, run), settled_since=15)
    monkeypatch.setattr("app.advice.health_of", lambda *_: health)
    found = advice(studio, run)
    assert (found.level, found.step) == ("take", None)
    assert "since epoch 15 of 20" in found.text
    last = studio.snapshots(run.id, epochs_only=True)[-1]
    assert advice(studio, run, last.step) == found


def test_one_that_changed_in_the_last_epoch_is_taken_with_care(studio, monkeypatch):
    run = seeded(studio)
    health = replace(health_of(studio, run), settled_since=20)
    monkeypatch.setattr("app.advice.health_of", lambda *_: health)
    found = advice(studio, run)
    assert found.level == "care"
    assert "only since epoch 20" in found.text


def test_a_search_that_goes_on_is_to_be_waited_for(studio):
    run = seeded(studio, upto=120, state=RunState.RUNNING)
    assert advice(studio, run).level == "wait"


def test_an_earlier_moment_leads_to_the_latest_where_they_differ(studio):
    run = seeded(studio)
    epochs = studio.snapshots(run.id, epochs_only=True)
    first, last = epochs[0], epochs[-1]
    assert studio.derive(run.id, first.step).cells != studio.derive(run.id, last.step).cells
    found = advice(studio, run, first.step)
    assert (found.level, found.step) == ("care", last.step)
    same = next(
        one
        for one in epochs
        if studio.derive(run.id, one.step).cells == studio.derive(run.id, last.step).cells
    )
    assert same.step < last.step
    assert advice(studio, run, same.step).level == "take"


def test_a_collapsed_search_says_what_to_do(studio, monkeypatch):
    run = seeded(studio)
    health = health_of(studio, run)
    finding = Finding(Verdict.COLLAPSED, "Skips.", "Fork.")
    monkeypatch.setattr("app.advice.health_of", lambda *_: replace(health, findings=(finding,)))
    found = advice(studio, run)
    assert (found.level, found.text) == ("care", "Not a good one yet. Skips. Fork.")


def test_nothing_is_said_before_the_first_epoch_and_of_random_search(studio):
    assert advice(studio, seeded(studio, upto=5, state=RunState.RUNNING)) is None
    assert advice(studio, seeded(studio, method="random", candidates=2)) is None


def test_what_another_rule_derives_is_not_what_is_praised(studio):
    run = seeded(studio)
    last = studio.snapshots(run.id, epochs_only=True)[-1]
    other = bench(studio, run.id, None, changed_rule(studio, run, name="draw", seed=1)).genotype
    assert other.cells != studio.derive(run.id).cells
    found = advise(studio, run, None, other)
    assert (found.level, found.step) == ("care", last.step)
    assert found.text.startswith("By another rule, or in mid-epoch: epoch 20 derives another")


def test_what_has_changed_since_the_last_epochs_end_is_not_praised_either(studio):
    run = seeded(studio, upto=125, state=RunState.STOPPED)
    steps = [one.step for one in studio.snapshots(run.id)]
    last = studio.snapshots(run.id, epochs_only=True)[-1]
    later = [step for step in steps if step > last.step]
    for step in later:
        same = studio.derive(run.id, step).cells == studio.derive(run.id, last.step).cells
        assert (advice(studio, run, step).step is None) == same
    assert later
