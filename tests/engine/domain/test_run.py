import pytest

from engine.domain.run import ENDED, TRANSITIONS, RunState, sources_of


def test_every_state_has_its_transitions():
    assert TRANSITIONS.keys() == set(RunState)


def test_completed_and_stopped_runs_go_nowhere_and_a_failed_one_only_back_to_the_queue():
    assert TRANSITIONS[RunState.COMPLETED] == TRANSITIONS[RunState.STOPPED] == frozenset()
    assert TRANSITIONS[RunState.FAILED] == {RunState.QUEUED}


def test_a_run_runs_only_from_the_queue():
    assert sources_of(RunState.RUNNING) == {RunState.QUEUED}


@pytest.mark.parametrize("target", RunState)
def test_sources_are_the_transitions_read_backwards(target):
    for state in RunState:
        assert (state in sources_of(target)) == (target in TRANSITIONS[state])


def test_every_state_can_be_reached_and_can_come_to_an_end():
    for state in RunState:
        reached, waiting = set(), {state}
        while waiting:
            waiting = {t for s in waiting for t in TRANSITIONS[s]} - reached
            reached |= waiting
        assert state in ENDED or reached & ENDED
        assert state is RunState.QUEUED or sources_of(state)
