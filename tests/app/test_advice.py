"""Whether to use an architecture: the advice repeats the verdict on the search."""

from dataclasses import replace

import pytest

from app.advice import advise
from app.bench import bench, changed_rule
from app.health_text import health_of
from app.studio import Studio
from app.wiring import SystemClock
from engine.domain.health import SEVERITY, Finding, Moment, Verdict
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


def told(studio: Studio, run, monkeypatch, **changes):
    """The advice about the latest epoch if the health of the search were another one."""
    health = replace(health_of(studio, run), **changes)
    monkeypatch.setattr("app.advice.health_of", lambda *_: health)
    return health, advice(studio, run)


def test_an_architecture_of_a_search_that_is_on_track_is_to_be_used(studio):
    run = seeded(studio)
    health = health_of(studio, run)
    assert (health.verdict, health.is_over) == (Verdict.GOOD, True)
    found = advice(studio, run)
    assert (found.level, found.other) == ("take", None)
    assert found.text.startswith("On track: The search has decided")
    assert f"since epoch {health.settled_since} of 20" in found.text
    last = studio.snapshots(run.id, epochs_only=True)[-1]
    assert advice(studio, run, last.step) == found


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("is_over", [False, True])
def test_advice_repeats_the_verdict_and_its_worst_finding(studio, monkeypatch, verdict, is_over):
    run = seeded(studio)
    findings = (Finding(verdict, "It was seen.", "Do this."),) if verdict in SEVERITY else ()
    health, found = told(
        studio, run, monkeypatch, verdict=verdict, findings=findings, is_over=is_over
    )
    assert health.summary in found.text
    assert found.text.startswith(f"{verdict.label}: ")
    assert ("Do this." in found.text) is bool(findings)
    assert (found.level == "take") is (verdict is Verdict.GOOD and is_over)
    if is_over:
        assert found.level != "wait"


def test_a_search_that_goes_on_is_to_be_waited_for(studio):
    run = seeded(studio, upto=120, state=RunState.RUNNING)
    assert advice(studio, run).level == "wait"


def test_an_earlier_moment_leads_to_the_latest_if_they_differ(studio):
    run = seeded(studio)
    epochs = studio.snapshots(run.id, epochs_only=True)
    first, last = epochs[0], epochs[-1]
    assert studio.derive(run.id, first.step).cells != studio.derive(run.id, last.step).cells
    found = advice(studio, run, first.step)
    assert (found.level, found.other) == ("care", Moment(last.epoch, last.step))
    assert "(on track)" in found.text
    same = next(
        one
        for one in epochs
        if studio.derive(run.id, one.step).cells == studio.derive(run.id, last.step).cells
    )
    assert same.step < last.step
    repeated = advice(studio, run, same.step)
    assert repeated.level == "take"
    assert repeated.text.startswith("Epoch 20 derives the same architecture. On track")


def test_after_a_collapse_advice_does_not_lead_in_a_circle(studio, monkeypatch):
    """The collapsed end leads to the last sound epoch, and that one leads nowhere else."""
    run = seeded(studio)
    first = studio.snapshots(run.id, epochs_only=True)[0]
    sound = Moment(first.epoch, first.step)
    finding = Finding(Verdict.COLLAPSED, "Skips.", "Fork.")
    _, found = told(
        studio, run, monkeypatch, verdict=Verdict.COLLAPSED, findings=(finding,), alternative=sound
    )
    assert (found.level, found.text, found.other) == ("care", "Collapsed: Skips. Fork.", sound)
    there = advice(studio, run, first.step)
    assert there.other is None
    assert "the last one before the search collapsed" in there.text
    second = studio.snapshots(run.id, epochs_only=True)[1]
    assert advice(studio, run, second.step).other == sound


def test_nothing_is_said_before_the_first_epoch_and_of_random_search(studio):
    assert advice(studio, seeded(studio, upto=5, state=RunState.RUNNING)) is None
    assert advice(studio, seeded(studio, method="random", candidates=2)) is None


def test_what_another_rule_derives_is_not_what_is_praised(studio):
    run = seeded(studio)
    last = studio.snapshots(run.id, epochs_only=True)[-1]
    other = bench(studio, run.id, None, changed_rule(studio, run, name="draw", seed=1)).genotype
    assert other.cells != studio.derive(run.id).cells
    found = advise(studio, run, None, other)
    assert (found.level, found.other) == ("care", Moment(last.epoch, last.step))
    assert found.text.startswith("The search derives another architecture at the end of epoch 20")


def test_what_has_changed_since_the_last_epochs_end_is_not_praised_either(studio):
    run = seeded(studio, upto=125, state=RunState.STOPPED)
    steps = [one.step for one in studio.snapshots(run.id)]
    last = studio.snapshots(run.id, epochs_only=True)[-1]
    later = [step for step in steps if step > last.step]
    for step in later:
        same = studio.derive(run.id, step).cells == studio.derive(run.id, last.step).cells
        assert (advice(studio, run, step).other is None) == same
    assert later
