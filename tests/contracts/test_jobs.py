"""What every store promises about jobs (engine.domain.ports.RunStore)."""

import threading

import pytest

from engine.domain.errors import Fenced, InvalidConfig, NotFound, StudioError
from engine.domain.jobs import JobState, canonical, question_digest
from engine.domain.ports import RunStore
from engine.domain.run import RunState
from tests.contracts.samples import CPU, HeldClock
from tests.contracts.test_run_store import CONFIG

MASKS = {"step": 20, "masks": {"normal": [1, 2, 4], "reduction": [0, 8, 3]}}


def run_in(store: RunStore) -> int:
    return store.create(CONFIG, name="run").id


def test_asked_job_reads_back_equal(store: RunStore, clock: HeldClock) -> None:
    run_id = run_in(store)
    clock.advance(4)
    job = store.ask_job(run_id, "child", MASKS)
    assert store.job(job.id) == job
    assert (job.run_id, job.kind, job.arguments) == (run_id, "child", MASKS)
    assert (job.state, job.attempt, job.crashes) == (JobState.WAITING, 0, 0)
    assert (job.created_at, job.started_at, job.ended_at) == (clock.now(), None, None)
    assert (job.result, job.error, job.is_open) == (None, None, True)


def test_same_question_is_the_same_job(store: RunStore, clock: HeldClock) -> None:
    run_id = run_in(store)
    first = store.ask_job(run_id, "child", {"step": 1, "masks": {"a": [1], "b": [2]}})
    clock.advance(1)
    again = store.ask_job(run_id, "child", {"masks": {"b": (2,), "a": (1,)}, "step": 1})
    assert again == first
    others = [
        store.ask_job(run_id, "child", {"step": 2, "masks": {"a": [1], "b": [2]}}),
        store.ask_job(run_id, "latency", dict(first.arguments)),
        store.ask_job(run_in(store), "child", dict(first.arguments)),
    ]
    assert len({job.id for job in (first, *others)}) == 4


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.WORKING, JobState.DONE])
def test_question_that_has_not_failed_is_left_as_it_is(store: RunStore, state: JobState) -> None:
    run_id = run_in(store)
    job = store.ask_job(run_id, "child", MASKS)
    if state is not JobState.WAITING:
        store.take_job("m1")
    if state is JobState.DONE:
        store.finish_job(job.id, 1, result={"error": 7.5})
    before = store.job(job.id)
    assert before.state is state
    assert store.ask_job(run_id, "child", MASKS) == before


def test_failed_question_waits_again_when_it_is_asked_again(
    store: RunStore, clock: HeldClock
) -> None:
    run_id = run_in(store)
    job = store.ask_job(run_id, "child", MASKS)
    store.take_job("m1")
    store.return_job(job.id, 1, crashed=True)
    store.take_job("m1")
    store.finish_job(job.id, 2, error="No checkpoint.")
    clock.advance(9)
    again = store.ask_job(run_id, "child", MASKS)
    assert (again.id, again.state, again.created_at) == (job.id, JobState.WAITING, clock.now())
    assert (again.error, again.node, again.started_at, again.ended_at) == (None,) * 4
    assert (again.crashes, again.attempt) == (0, 2)
    with pytest.raises(Fenced):
        store.finish_job(job.id, 2, result={})


def test_life_of_a_job(store: RunStore, clock: HeldClock) -> None:
    job = store.ask_job(run_in(store), "latency", {"batch": 1})
    clock.advance(2)
    taken = store.take_job("m1")
    assert taken is not None
    assert taken == store.job(job.id)
    assert (taken.state, taken.attempt, taken.node) == (JobState.WORKING, 1, "m1")
    assert taken.started_at == clock.now()
    store.set_job_handle(job.id, 1, "pid 7")
    assert store.job(job.id).handle == "pid 7"
    clock.advance(3)
    answer = {"median_ms": 1.5, "device": "cpu", "numbers": [1, 2]}
    done = store.finish_job(job.id, 1, result=answer)
    assert done == store.job(job.id)
    assert (done.state, done.result, done.error) == (JobState.DONE, answer, None)
    assert (done.ended_at, done.handle, done.is_open) == (clock.now(), None, False)


def test_failed_job_keeps_its_sentence(store: RunStore) -> None:
    job = store.ask_job(run_in(store), "child", {})
    store.take_job("m1")
    failed = store.finish_job(job.id, 1, error="Asked for 'x'; found none.")
    assert (failed.state, failed.error) == (JobState.FAILED, "Asked for 'x'; found none.")
    assert failed.result is None


def test_sentence_that_no_database_takes_is_kept_in_a_form_that_all_take(store: RunStore) -> None:
    job = store.ask_job(run_in(store), "child", {})
    store.take_job("m1")
    assert store.finish_job(job.id, 1, error="no\0 \ud800").error == "no \\ud800"


def test_job_has_either_an_answer_or_a_sentence(store: RunStore) -> None:
    job = store.ask_job(run_in(store), "child", {})
    store.take_job("m1")
    for both in ({}, {"result": {}, "error": "x"}):
        with pytest.raises(ValueError, match="either"):
            store.finish_job(job.id, 1, **both)  # type: ignore[arg-type]
    assert store.job(job.id).state is JobState.WORKING


def test_what_has_no_json_form_is_refused(store: RunStore) -> None:
    run_id = run_in(store)
    for value in (float("nan"), {1, 2}, object()):
        with pytest.raises(InvalidConfig, match="JSON"):
            store.ask_job(run_id, "child", {"step": value})
    assert store.jobs() == []


def test_jobs_are_taken_in_the_order_in_which_they_were_asked(
    store: RunStore, clock: HeldClock
) -> None:
    run_id = run_in(store)
    first = store.ask_job(run_id, "child", {"step": 1})
    store.take_job("m1")
    store.finish_job(first.id, 1, error="x")
    second, third = (store.ask_job(run_id, "child", {"step": step}) for step in (2, 3))
    clock.advance(1)
    store.ask_job(run_id, "child", {"step": 1})
    taken = [store.take_job("m1") for _ in range(4)]
    assert [job and job.id for job in taken] == [second.id, third.id, first.id, None]


def test_one_job_can_be_chosen_and_is_taken_once(store: RunStore) -> None:
    run_id = run_in(store)
    store.ask_job(run_id, "child", {"step": 1})
    second = store.ask_job(run_id, "child", {"step": 2})
    taken = store.take_job("m1", second.id)
    assert taken is not None
    assert taken.id == second.id
    assert store.take_job("m2", second.id) is None


def test_returned_job_waits_and_counts_crashes_only(store: RunStore) -> None:
    job = store.ask_job(run_in(store), "child", {})
    store.take_job("m1")
    store.set_job_handle(job.id, 1, "pid 7")
    back = store.return_job(job.id, 1)
    assert (back.state, back.crashes, back.attempt) == (JobState.WAITING, 0, 1)
    assert back.handle is None
    store.take_job("m2")
    assert store.return_job(job.id, 2, crashed=True).crashes == 1
    again = store.take_job("m2")
    assert again is not None
    assert (again.attempt, again.crashes) == (3, 1)


def test_stale_process_changes_nothing(store: RunStore) -> None:
    job = store.ask_job(run_in(store), "child", {})

    def writes(attempt: int) -> list[object]:
        return [
            lambda: store.set_job_handle(job.id, attempt, "h"),
            lambda: store.finish_job(job.id, attempt, result={}),
            lambda: store.finish_job(job.id, attempt, error="x"),
            lambda: store.return_job(job.id, attempt),
        ]

    def all_fenced(attempt: int, words: str) -> None:
        before = store.job(job.id)
        for write in writes(attempt):
            with pytest.raises(Fenced, match=words):
                write()  # type: ignore[operator]
        assert store.job(job.id) == before

    all_fenced(0, "'waiting' and attempt 0")
    store.take_job("m1")
    store.return_job(job.id, 1)
    store.take_job("m2")
    all_fenced(1, "'working' and attempt 2")
    store.finish_job(job.id, 2, result={"a": 1})
    all_fenced(2, "'done' and attempt 2")


def test_every_method_names_a_job_that_does_not_exist(store: RunStore) -> None:
    calls = [
        lambda: store.job(99),
        lambda: store.take_job("m1", 99),
        lambda: store.set_job_handle(99, 1, "h"),
        lambda: store.finish_job(99, 1, result={}),
        lambda: store.return_job(99, 1),
    ]
    for call in calls:
        with pytest.raises(NotFound, match="job 99"):
            call()


def test_jobs_are_listed_latest_first(store: RunStore) -> None:
    first, second = run_in(store), run_in(store)
    asked = [store.ask_job(run, "child", {"step": n}).id for n in (1, 2) for run in (first, second)]
    store.take_job("m1")
    assert [job.id for job in store.jobs()] == asked[::-1]
    assert [job.id for job in store.jobs(first)] == [asked[2], asked[0]]
    assert [job.id for job in store.jobs(states={JobState.WORKING})] == [asked[0]]
    assert store.jobs(second, states={JobState.WORKING}) == []
    assert store.jobs(states=[]) == []


def test_deleted_run_takes_its_jobs_along(store: RunStore) -> None:
    run = store.claim(run_in(store), node="m1", device=CPU)
    assert run is not None
    gone, kept = store.ask_job(run.id, "child", {}), store.ask_job(run_in(store), "child", {})
    store.take_job("m1", gone.id)
    store.transition(run.id, RunState.STOPPED, why="test")
    store.delete(run.id)
    assert [job.id for job in store.jobs()] == [kept.id]
    with pytest.raises(NotFound):
        store.finish_job(gone.id, 1, result={})
    assert store.ask_job(kept.run_id, "child", {"step": 1}).id > kept.id


def test_job_without_a_run_is_one_for_each_question(store: RunStore, clock: HeldClock) -> None:
    run_id = run_in(store)
    first = store.ask_job(None, "data", {"config": {"data": "digits", "seed": 1}})
    assert first.run_id is None
    clock.advance(1)
    assert store.ask_job(None, "data", {"config": {"seed": 1, "data": "digits"}}) == first
    others = [
        store.ask_job(None, "data", {"config": {"data": "digits", "seed": 2}}),
        store.ask_job(None, "preflight", dict(first.arguments)),
        store.ask_job(run_id, "data", dict(first.arguments)),
    ]
    assert len({job.id for job in (first, *others)}) == 4
    assert [job.id for job in store.jobs(run_id)] == [others[2].id]
    assert store.take_job("m1") == store.job(first.id)


def test_question_is_found_without_being_asked(store: RunStore) -> None:
    run_id = run_in(store)
    for about in (None, run_id):
        assert store.asked_job(about, "data", MASKS) is None
        job = store.ask_job(about, "data", MASKS)
        assert store.asked_job(about, "data", dict(reversed(MASKS.items()))) == job
        assert store.asked_job(about, "data", {**MASKS, "step": 21}) is None
        assert store.asked_job(about, "preflight", MASKS) is None
    with pytest.raises(NotFound, match="run 99"):
        store.asked_job(99, "data", MASKS)


def test_answer_is_forgotten_when_it_is_asked_afresh(store: RunStore, clock: HeldClock) -> None:
    for about in (None, run_in(store)):
        job = store.ask_job(about, "data", {})
        assert store.ask_job(about, "data", {}, afresh=True) == job
        taken = store.take_job("m1", job.id)
        assert store.ask_job(about, "data", {}, afresh=True) == taken
        done = store.finish_job(job.id, 1, result={"a": 1})
        assert store.ask_job(about, "data", {}) == done
        clock.advance(5)
        again = store.ask_job(about, "data", {}, afresh=True)
        assert (again.id, again.state, again.created_at) == (job.id, JobState.WAITING, clock.now())
        assert (again.result, again.node, again.started_at, again.ended_at) == (None,) * 4
        assert again.attempt == 1


def test_only_the_latest_answers_without_a_run_are_kept(store: RunStore, clock: HeldClock) -> None:
    run_id = run_in(store)
    asked = [store.ask_job(None, "data", {"seed": seed}).id for seed in range(5)]
    about_run = store.ask_job(run_id, "child", {}).id
    for number in (asked[2], asked[0], asked[3], about_run):
        clock.advance(1)
        store.take_job("m1", number)
        store.finish_job(number, 1, result={})
    store.take_job("m1", asked[4])
    assert store.prune_jobs(keep=3) == []
    assert store.prune_jobs(keep=1) == sorted([asked[0], asked[2]])
    assert [job.id for job in store.jobs()] == [about_run, asked[4], asked[3], asked[1]]
    assert store.prune_jobs(keep=0) == [asked[3]]


def test_many_threads_take_each_job_once(store: RunStore) -> None:
    run_id = run_in(store)
    ids = [store.ask_job(run_id, "child", {"step": n}).id for n in range(12)]
    taken: list[int] = []
    errors: list[StudioError] = []

    def take_all(node: str) -> None:
        try:
            while (job := store.take_job(node)) is not None:
                taken.append(job.id)
        except StudioError as error:
            errors.append(error)

    threads = [threading.Thread(target=take_all, args=(f"m{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(taken) == ids


def test_many_threads_that_ask_the_same_get_one_job(store: RunStore) -> None:
    run_id = run_in(store)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(store.ask_job(run_id, "child", MASKS).id))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == len(store.jobs()) == 1


def test_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": (1, 2), "a": {"d": 1, "c": None}}) == '{"a":{"c":null,"d":1},"b":[1,2]}'
    assert question_digest("a", {"x": 1, "y": 2}) == question_digest("a", {"y": 2, "x": 1})
    assert question_digest("a", {"x": 1}) != question_digest("b", {"x": 1})
