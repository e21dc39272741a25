"""Fork and Change on Live."""

import pytest

from app.steering import change, fork
from app.studio import Studio
from engine.domain.run import Run, RunState
from engine.domain.steering import forkable
from pages.steer import FIRST
from tests.e2e.seeding import alive, seed_run
from tests.pages.conftest import OpenPage, words


def seeded(studio: Studio, state: RunState, **options) -> Run:
    run = seed_run(studio.store, studio.artifacts, count=20, upto=7, state=state, **options)
    alive(studio.store)
    return run


def unescaped(test) -> str:
    return words(test).replace("\\", "")


def test_a_fork_starts_at_the_chosen_moment_with_what_was_changed(studio, page: OpenPage):
    run = seeded(studio, RunState.COMPLETED)
    test = page("live", run=run.id, step=40)
    test.button(key="live-fork").click().run()
    assert not test.exception
    shown = words(test)
    assert "starts from the probabilities of **step 40**" in shown
    assert "Nothing is changed yet." in shown
    test.number_input(key="fork-1-draws").set_value(2).run()
    test.text_input(key="fork-1-banned").set_value("*:*:none").run()
    shown = unescaped(test)
    assert "Draws M: 4 → 2" in shown
    assert "Banned operations: – → *:*:none" in shown
    test.text_input(key="fork-1-name").set_value("fewer draws").run()
    test.button(key="fork-start").click().run()
    assert not test.exception
    made = studio.runs()[0]
    assert (made.name, made.parent_id) == ("fewer draws", run.id)
    assert (made.search.origin, made.search.origin_step) == (run.uid, 40)
    assert (made.search.draws, made.search.banned) == (2, "*:*:none")


def test_a_fork_tells_where_it_came_from(studio, page: OpenPage):
    run = seeded(studio, RunState.COMPLETED)
    made = fork(studio, run.id, 40, {})
    test = page("live", run=made.id)
    (link,) = [one for one in test.get("page_link") if "Forked" in one.proto.label]
    assert link.proto.label == f"Forked from run {run.id} at step 40: digits"
    studio.stop(made.id)
    studio.delete(run.id)
    test = page("live", run=made.id)
    assert "Forked at step 40 from a run that was deleted." in words(test)


def test_a_wrong_pattern_is_told_in_the_dialog_and_nothing_starts(studio, page: OpenPage):
    run = seeded(studio, RunState.COMPLETED)
    test = page("live", run=run.id)
    test.button(key="live-fork").click().run()
    test.text_input(key="fork-1-banned").set_value("*:*:pool").run()
    test.button(key="fork-start").click().run()
    assert not test.exception
    assert any("no operation 'pool'" in error.value.replace("\\", "") for error in test.error)
    assert [one.id for one in studio.runs()] == [run.id]


def test_a_paused_search_is_changed_from_its_checkpoint_on(studio, page: OpenPage):
    run = seeded(studio, RunState.PAUSED)
    test = page("live", run=run.id)
    test.button(key="live-change").click().run()
    assert test.button(key="change-sure").disabled
    test.number_input(key="change-1-epochs").set_value(30).run()
    assert "Changed: Epochs: 20 → 30" in unescaped(test)
    test.button(key="change-sure").click().run()
    assert not test.exception
    assert studio.run(run.id).config.epochs == 30
    assert studio.changes(run.id)[0].step == 10
    assert "change-sure" not in [button.key for button in test.button]


def test_a_running_search_says_what_it_was_asked_for(studio, page: OpenPage):
    run = seeded(studio, RunState.RUNNING)
    change(studio, run.id, {"draws": 3})
    assert "Asked for draws → 3; in force at the next step" in unescaped(page("live", run=run.id))


@pytest.mark.parametrize("state", list(RunState))
def test_buttons_are_there_where_they_make_sense(studio, page: OpenPage, state: RunState):
    run = seeded(studio, state)
    keys = {button.key for button in page("live", run=run.id).button}
    ended = state in {RunState.COMPLETED, RunState.STOPPED}
    assert ("live-change" in keys) == (not ended)
    assert ("live-fork" in keys) == (state is not RunState.QUEUED)


def test_a_random_search_has_nothing_to_fork(studio, page: OpenPage):
    run = seeded(studio, RunState.RUNNING, method="random")
    keys = {button.key for button in page("live", run=run.id).button}
    assert "live-change" in keys
    assert "live-fork" not in keys


def test_the_first_fields_of_the_dialogs_exist():
    assert set(FIRST) <= set(forkable())
