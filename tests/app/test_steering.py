"""Forks and changes as use cases, and their commands."""

import pytest

from app.steering import change, fork, origin_of
from app.studio import Studio
from engine.domain.config import SearchConfig, TrainingConfig
from engine.domain.errors import InvalidConfig, NotFound, WrongState
from engine.domain.genotype import to_json
from engine.domain.run import Run, RunState
from engine.domain.snapshot import SnapshotKind
from tests.e2e.seeding import CPU, seed_run


def seeded(studio: Studio, state: RunState = RunState.COMPLETED, **options) -> Run:
    return seed_run(studio.store, studio.artifacts, count=40, state=state, **options)


def test_a_fork_is_a_queued_search_with_its_origin(studio):
    run = seeded(studio)
    made = fork(studio, run.id, 57, {"draws": "2", "banned": "*:*:none"}, name="  other\n ")
    assert (made.state, made.name, made.parent_id) == (RunState.QUEUED, "other", run.id)
    assert (made.search.origin, made.search.origin_step) == (run.uid, 50)
    assert (made.search.draws, made.search.banned) == (2, "*:*:none")
    assert origin_of(studio, made).run == run
    assert origin_of(studio, run) is None
    assert studio.events(made.id)[0].text == f"forked from run {run.id}"


def test_a_fork_without_a_step_and_a_name_starts_from_the_latest_snapshot(studio):
    run = seeded(studio)
    made = fork(studio, run.id, None, {})
    assert made.search.origin_step == 400
    assert made.name == "digits, from step 400"


def test_a_fork_has_the_settings_that_were_in_force_then(studio):
    run = seeded(studio, RunState.PAUSED)
    change(studio, run.id, {"draws": 2})
    assert [one.step for one in studio.changes(run.id)] == [10]
    found = fork(studio, run.id, 30, {})
    assert found.search.draws == 2


def test_what_cannot_be_forked_is_refused_in_a_sentence(studio):
    run = seeded(studio)
    empty = studio.store.create(run.config, name="empty")
    with pytest.raises(InvalidConfig, match="with another cells"):
        fork(studio, run.id, None, {"cells": 3})
    with pytest.raises(InvalidConfig, match="no operation 'pool'"):
        fork(studio, run.id, None, {"banned": "*:*:pool"})
    with pytest.raises(NotFound, match=f"a fork of run {empty.id}; found no snapshot up to there"):
        fork(studio, empty.id, None, {})
    with pytest.raises(NotFound, match=f"a fork of run {run.id} at step 3; found no snapshot"):
        fork(studio, run.id, 3, {})
    training = studio.store.create(
        TrainingConfig(genotype=to_json(studio.derive(run.id))), name="training"
    )
    with pytest.raises(WrongState, match="a training from scratch"):
        fork(studio, training.id, None, {})
    with pytest.raises(WrongState, match="a training from scratch"):
        change(studio, training.id, {"epochs": 3})


def test_an_origin_by_hand_needs_a_recorded_step(studio):
    run = seeded(studio)
    config = SearchConfig(**{**dict(run.search), "origin": run.uid, "origin_step": 55})
    with pytest.raises(InvalidConfig, match="at step 55; found one at step 50"):
        studio.create(config)
    again = studio.create(config.model_copy(update={"origin_step": 50}))
    assert again.parent_id == run.id


def test_the_genotype_of_a_fork_names_where_it_came_from(studio):
    run = seeded(studio)
    made = fork(studio, run.id, 50, {})
    claimed = studio.store.claim(made.id, node="m", device=CPU)
    snapshot = studio.snapshot(run.id, 50)
    studio.store.append(made.id, claimed.attempt, [snapshot], run.progress)
    lineage = studio.derive(made.id).lineage
    assert (lineage["run"], lineage["parent"], lineage["parent_step"]) == (made.uid, run.uid, 50)
    assert "parent" not in studio.derive(run.id).lineage


def test_a_run_stays_until_its_forks_have_started(studio):
    run = seeded(studio)
    made = fork(studio, run.id, 50, {})
    with pytest.raises(WrongState) as caught:
        studio.delete(run.id)
    assert str(caught.value) == (
        f"Asked for to delete run {run.id}; found its fork, run {made.id}, which has not started "
        "yet; allowed is a run whose forks have all taken over its state, or have ended; wait for "
        f"run {made.id} to start, or stop it."
    )
    studio.stop(made.id)
    studio.delete(run.id)
    assert origin_of(studio, studio.run(made.id)).run is None


def test_a_running_search_is_asked_and_others_change_at_once(studio):
    wish = change(studio, seeded(studio, RunState.RUNNING, upto=20).id, {"draws": "3"})
    assert (wish.is_pending, dict(wish.settings)) == (True, {"draws": 3})
    for state in (RunState.PAUSED, RunState.FAILED, RunState.QUEUED):
        run = seeded(studio, state, upto=20)
        made = change(studio, run.id, {"draws": 3, "epochs": 30})
        assert made.step == (0 if state is RunState.QUEUED else 10)
        assert studio.run(run.id).search.draws == 3
        total = 0 if state is RunState.QUEUED else 600
        assert studio.run(run.id).progress.total_steps == total


def test_wishes_of_a_search_that_then_paused_are_kept_in_order(studio):
    run = seeded(studio, RunState.RUNNING, upto=20)
    change(studio, run.id, {"draws": 3, "route": "or"})
    studio.store.transition(run.id, RunState.PAUSED, why="test")
    change(studio, run.id, {"draws": 2})
    assert [one.step for one in studio.changes(run.id)] == [10, 10]
    now = studio.run(run.id).search
    assert (now.draws, now.route) == (2, "or")


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.STOPPED])
def test_an_ended_search_is_forked_instead(studio, state):
    run = seeded(studio, state)
    with pytest.raises(WrongState, match=f"a search that is {state.value}; .*fork it instead"):
        change(studio, run.id, {"draws": 2})


def test_a_change_that_does_not_fit_is_refused_before_it_is_asked(studio):
    run = seeded(studio, RunState.RUNNING, upto=20)
    for settings, words in (
        ({"banned": "*:*:pool"}, "no operation 'pool'"),
        ({"banned": "*:*:*"}, "nothing left to draw"),
        ({"seed": 3}, "another seed in a search that has begun"),
        ({"draws": 0}, "draws = 0"),
    ):
        with pytest.raises(InvalidConfig, match=words):
            change(studio, run.id, settings)
    assert studio.changes(run.id) == []


def test_a_snapshot_is_derived_by_the_rule_of_its_own_time(studio):
    run = seeded(studio, RunState.PAUSED, upto=30)
    studio.store.ask_change(run.id, {"draws": 1})
    config = run.search.model_copy(update={"draws": 1})
    studio.store.take_change(run.id, 1, config, step=100)
    kinds = {}
    for step in (50, 90, 100, 110, 120):
        snapshot = studio.snapshot(run.id, step)
        kinds[step] = snapshot.kind
        first = step + (snapshot.kind is SnapshotKind.STEP) > 100
        assert studio.derive(run.id, step).rule.draws == (1 if first else 4)
    assert kinds[100] is SnapshotKind.EPOCH
    assert SnapshotKind.STEP in kinds.values()


def test_commands_fork_and_change(egs, studio):
    run = seeded(studio, RunState.PAUSED, upto=20)
    said = egs("fork", str(run.id), "--step", "50", "--set", "draws=2", "--fresh-weights", "--json")
    assert said.code == 0
    assert said.json["parent_id"] == run.id
    assert said.json["config"]["draws"] == 2
    assert said.json["config"]["origin_weights"] == "fresh"
    said = egs("change", str(run.id), "--set", "draws=2", "--set", "frozen=*:0:none")
    assert said.out == "From step 10 on: draws 4 → 2, frozen '' → '*:0:none'\n"
    assert egs("change", str(run.id), "--set", "draws=1", "--json").json["before"] == {"draws": 2}
    said = egs("change", str(run.id))
    assert said.code == 2
    assert "found no setting to change" in said.err
    said = egs("fork", str(run.id), "--set", "space=nb201")
    assert said.code == 2
    assert "with another space; found a setting that the shapes" in said.err
    log = egs("show", str(run.id)).out
    assert "From step 10 on: draws 4 → 2" in log


def test_a_running_search_says_that_it_was_asked(egs, studio):
    run = seeded(studio, RunState.RUNNING, upto=20)
    said = egs("change", str(run.id), "--set", "draws=2")
    assert said.out == "Asked for: draws → 2. The search takes it at its next step.\n"
