"""What every store promises about the changes of a search that goes on."""

import threading

import pytest

from engine.domain.config import SearchConfig
from engine.domain.errors import Fenced, NotFound, WrongState
from engine.domain.ports import RunStore
from engine.domain.run import EventKind, Progress, RunState
from engine.domain.steering import Change
from tests.contracts.samples import CPU, HeldClock, snapshot_at

CONFIG = SearchConfig(space="tiny", nodes=2, epochs=10, draws=5)


def waiting(store: RunStore) -> int:
    return store.create(CONFIG, name="a").id


def running(store: RunStore) -> int:
    claimed = store.claim(waiting(store), node="m1", device=CPU)
    assert claimed is not None
    return claimed.id


def wanted(**changes: object) -> SearchConfig:
    return CONFIG.model_copy(update=changes)


def test_a_wish_is_pending_until_it_is_taken(store: RunStore, clock: HeldClock) -> None:
    run_id = running(store)
    asked = store.ask_change(run_id, {"draws": 3, "banned": "*:*:none", "weight_decay": 0.5})
    settings = {"draws": 3, "banned": "*:*:none", "weight_decay": 0.5}
    assert asked == Change(1, clock.now(), settings)
    assert asked.is_pending
    assert store.changes(run_id) == [asked]
    assert store.run(run_id).config == CONFIG
    clock.advance(5)
    config = wanted(draws=3, banned="*:*:none", weight_decay=0.5)
    taken = store.take_change(run_id, 1, config, step=40, attempt=1)
    before = {"draws": 5, "banned": "", "weight_decay": CONFIG.weight_decay}
    assert taken == Change(1, asked.asked_at, settings, before, 40)
    assert store.changes(run_id) == [taken]
    assert store.run(run_id).config == config


def test_the_log_tells_of_wish_and_change(store: RunStore) -> None:
    run_id = running(store)
    store.ask_change(run_id, {"draws": 3})
    store.take_change(run_id, 1, wanted(draws=3), step=40, attempt=1)
    store.ask_change(run_id, {"draws": 2})
    store.refuse_change(run_id, 2, "the search had ended")
    lines = [(event.kind, event.text) for event in store.events(run_id)[-4:]]
    assert lines == [
        (EventKind.REQUEST, "change 1 asked for: draws → 3"),
        (EventKind.CHANGE, "From step 40 on: draws 5 → 3"),
        (EventKind.REQUEST, "change 2 asked for: draws → 2"),
        (
            EventKind.CHANGE,
            "change 2 (draws → 2) does not come into force: the search had ended",
        ),
    ]
    assert store.changes(run_id)[1].refused == "the search had ended"


def test_changes_are_numbered_in_each_run(store: RunStore) -> None:
    one, other = waiting(store), waiting(store)
    numbers = [
        store.ask_change(run, {"draws": n}).number for n, run in enumerate((one, other, one))
    ]
    assert numbers == [1, 1, 2]
    assert [change.number for change in store.changes(one)] == [1, 2]
    assert [change.settings for change in store.changes(one)] == [{"draws": 0}, {"draws": 2}]


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.PAUSED, RunState.FAILED])
def test_nobody_s_run_is_changed_at_once(store: RunStore, state: RunState) -> None:
    run_id = waiting(store) if state is RunState.QUEUED else running(store)
    if state is not RunState.QUEUED:
        store.transition(run_id, state, why="test")
    store.ask_change(run_id, {"draws": 3})
    assert store.take_change(run_id, 1, wanted(draws=3), step=0).step == 0
    assert store.run(run_id).config == wanted(draws=3)


def test_only_the_present_attempt_takes_a_change_of_a_running_run(store: RunStore) -> None:
    run_id = running(store)
    store.ask_change(run_id, {"draws": 3})
    with pytest.raises(WrongState, match="found the state 'running'"):
        store.take_change(run_id, 1, wanted(draws=3), step=0)
    with pytest.raises(Fenced):
        store.take_change(run_id, 1, wanted(draws=3), step=0, attempt=2)
    store.transition(run_id, RunState.PAUSED, why="test")
    with pytest.raises(Fenced):
        store.take_change(run_id, 1, wanted(draws=3), step=0, attempt=1)
    assert store.changes(run_id)[0].is_pending
    assert store.run(run_id).config == CONFIG


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.STOPPED])
def test_an_ended_run_is_not_changed(store: RunStore, state: RunState) -> None:
    run_id = running(store)
    store.ask_change(run_id, {"draws": 3})
    store.transition(run_id, state, why="test")
    with pytest.raises(WrongState, match=f"a change of run {run_id}; found the state '{state}'"):
        store.ask_change(run_id, {"draws": 2})
    with pytest.raises(WrongState):
        store.take_change(run_id, 1, wanted(draws=3), step=0)
    assert len(store.changes(run_id)) == 1


def test_a_change_is_decided_once(store: RunStore) -> None:
    run_id = running(store)
    for number in (1, 2):
        store.ask_change(run_id, {"draws": number})
    store.take_change(run_id, 1, wanted(draws=1), step=4, attempt=1)
    store.refuse_change(run_id, 2, "too late")
    for number in (1, 2):
        with pytest.raises(WrongState, match="one that was made before"):
            store.take_change(run_id, number, wanted(draws=9), step=4, attempt=1)
        with pytest.raises(WrongState, match="one that was made before"):
            store.refuse_change(run_id, number, "again")
    assert store.run(run_id).config == wanted(draws=1)
    with pytest.raises(NotFound, match=f"change 3 of run {run_id}"):
        store.take_change(run_id, 3, wanted(draws=9), step=4, attempt=1)
    with pytest.raises(NotFound):
        store.refuse_change(run_id, 3, "none")


def test_the_total_of_steps_follows_the_epochs(store: RunStore) -> None:
    run_id = running(store)
    store.append(run_id, 1, [snapshot_at(7)], Progress(step=7, total_steps=40, epoch=1))
    store.ask_change(run_id, {"epochs": 12})
    store.take_change(run_id, 1, wanted(epochs=12), step=7, attempt=1)
    assert store.run(run_id).progress == Progress(step=7, total_steps=48, epoch=1)


def test_changes_go_with_their_run(store: RunStore) -> None:
    run_id = waiting(store)
    store.ask_change(run_id, {"draws": 3})
    store.transition(run_id, RunState.STOPPED, why="test")
    store.delete(run_id)
    for ask in (
        lambda: store.changes(run_id),
        lambda: store.ask_change(run_id, {"draws": 3}),
        lambda: store.take_change(run_id, 1, CONFIG, step=0),
        lambda: store.refuse_change(run_id, 1, "gone"),
    ):
        with pytest.raises(NotFound):
            ask()
    assert store.changes(waiting(store)) == []


def test_wishes_that_come_together_get_a_number_each(store: RunStore) -> None:
    run_id = running(store)
    threads = [
        threading.Thread(target=store.ask_change, args=(run_id, {"draws": n})) for n in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [change.number for change in store.changes(run_id)] == list(range(1, 9))
    assert sorted(change.settings["draws"] for change in store.changes(run_id)) == list(range(1, 9))
