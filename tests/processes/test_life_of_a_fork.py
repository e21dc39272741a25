"""Forks and changed searches with real engines and workers that are killed."""

import pytest

from app.settings import Settings
from app.steering import change, fork
from app.studio import Studio as UseCases
from app.wiring import open_studio
from engine.domain.run import EventKind, Request, RunState
from engine.domain.snapshot import SnapshotKind
from tests.processes.conftest import SOME_STEPS, Studio, assert_same
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.process


def use_cases(studio: Studio) -> UseCases:
    return open_studio(Settings.from_environment(studio.environment))


def test_a_killed_fork_computes_what_an_undisturbed_one_does(studio: Studio) -> None:
    """Its origin is deleted as soon as it has started."""
    people = use_cases(studio)
    parent = studio.create(epochs=2)
    studio.engine()
    studio.until_state(parent, RunState.COMPLETED)
    step = studio.store.snapshots(parent.id)[10].step
    changes = {"draws": 3, "banned": "*:*:none", "temperature_start": 2.0, "epochs": 4}
    calm = fork(people, parent.id, step, changes)
    studio.until_state(calm, RunState.COMPLETED)
    studio.gate.hold_runs(at=SOME_STEPS)
    wild = fork(people, parent.id, step, changes)
    assert calm.parent_id == wild.parent_id == parent.id
    studio.until_held(wild, SOME_STEPS)
    people.delete(parent.id)
    studio.worker(wild).kill()
    studio.gate.open()
    ended = studio.until_state(wild, RunState.COMPLETED)
    assert (ended.attempt, ended.parent_id) == (2, None)
    assert_same(studio.result(wild), studio.result(calm))
    assert people.derive(wild.id).lineage["parent"] == parent.uid


def test_a_changed_search_that_is_killed_computes_what_it_would_have(studio: Studio) -> None:
    """Against a search that knew from the start what was to change, and at which step."""
    people = use_cases(studio)
    settings = {"draws": 1, "banned": "*:*:none", "weight_decay": 0.01, "epochs": 6}
    wild = studio.create(epochs=40, train_limit=800)
    engine = studio.hold(wild)
    change(people, wild.id, settings)
    taken = studio.until(wild, lambda now: now.search.draws == 1)
    (made,) = studio.store.changes(wild.id)
    assert made.step == SOME_STEPS
    assert made.before == {"draws": 2, "banned": "", "weight_decay": 3e-4, "epochs": 40}
    studio.gate.hold_runs(at=made.step + 2)
    studio.until_held(wild, made.step + 2)
    studio.worker(wild).kill()
    studio.gate.open()
    assert taken.attempt == 1
    studio.until_state(wild, RunState.COMPLETED)
    assert studio.store.run(wild.id).progress.epoch == 6
    said = [e.text for e in studio.store.events(wild.id) if e.kind is EventKind.CHANGE]
    assert [line.split(":")[0] for line in said] == [f"From step {made.step} on"]

    engine.terminate()
    engine.wait(PATIENCE_SECONDS)
    calm = studio.create(epochs=40, train_limit=800)
    before = studio.store.ask_change(calm.id, settings)
    config = calm.search.model_copy(update=settings)
    studio.store.take_change(calm.id, before.number, config, step=made.step)
    studio.engine()
    studio.until_state(calm, RunState.COMPLETED)
    assert_same(studio.result(wild), studio.result(calm))


def test_a_paused_search_is_changed_at_once_and_goes_on_with_it(studio: Studio) -> None:
    people = use_cases(studio)
    run = studio.create()
    studio.hold(run)
    studio.store.ask(run.id, Request.PAUSE)
    paused = studio.until_state(run, RunState.PAUSED)
    made = change(people, run.id, {"frozen": "*:*:*", "epochs": 4})
    assert made.step == paused.progress.step == SOME_STEPS
    studio.gate.open()
    studio.store.transition(run.id, RunState.QUEUED, why="resumed")
    studio.until_state(run, RunState.COMPLETED)
    shown = studio.store.snapshots(run.id, after=made.step)
    assert len({one.temperature for one in shown}) > 2
    for kind in (SnapshotKind.STEP, SnapshotKind.EPOCH):
        tables = [one.probabilities for one in shown if one.kind is kind]
        assert len(tables) > 1
        assert all(table == tables[0] for table in tables)
