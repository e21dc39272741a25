"""Runs with real engines and workers, disturbed in every way a person or a kill can."""

import resource
import signal
from typing import Any

import pytest

from engine.domain.errors import FailureReason
from engine.domain.run import EventKind, Request, RunState
from tests.processes.conftest import (
    EGS,
    SOME_STEPS,
    Studio,
    assert_same,
    until_gone,
)
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.process


def test_a_paused_run_ends_like_one_that_was_never_paused(
    studio: Studio, undisturbed: dict[str, Any]
) -> None:
    run = studio.create()
    studio.hold(run)
    studio.store.ask(run.id, Request.PAUSE)
    paused = studio.until_state(run, RunState.PAUSED)
    assert studio.store.checkpoints(run.id)[-1].step == paused.progress.step == SOME_STEPS
    assert paused.request is paused.handle is None
    studio.gate.open()
    studio.store.transition(run.id, RunState.QUEUED, why="resumed")
    ended = studio.until_state(run, RunState.COMPLETED)
    assert ended.attempt == 2
    assert_same(studio.result(run), undisturbed)


def test_a_stopped_run_keeps_a_checkpoint_of_its_last_step(studio: Studio) -> None:
    run = studio.create()
    studio.hold(run)
    process = studio.worker(run)
    studio.store.ask(run.id, Request.STOP)
    stopped = studio.until_state(run, RunState.STOPPED)
    assert studio.store.checkpoints(run.id)[-1].step == stopped.progress.step == SOME_STEPS
    until_gone(process)


def test_a_killed_worker_continues_and_computes_the_same_numbers(
    studio: Studio, undisturbed: dict[str, Any]
) -> None:
    run = studio.create()
    studio.hold(run)
    studio.worker(run).kill()
    studio.until(run, lambda now: now.attempt == 2)
    studio.gate.hold_runs(at=2 * SOME_STEPS)
    studio.until_held(run, 2 * SOME_STEPS)
    studio.worker(run).kill()
    studio.gate.open()
    ended = studio.until_state(run, RunState.COMPLETED)
    assert ended.attempt == 3
    assert_same(studio.result(run), undisturbed)
    crashes = [event.text for event in studio.store.events(run.id) if "unexpectedly" in event.text]
    assert len(crashes) == 2


def test_a_worker_outlives_its_engine_and_the_next_engine_adopts_it(
    studio: Studio, undisturbed: dict[str, Any]
) -> None:
    run = studio.create()
    first = studio.hold(run)
    process = studio.worker(run)
    first.kill()
    first.wait()
    assert process.is_running()
    second = studio.engine("--until-idle")
    studio.until_adopted(run)
    studio.gate.open()
    assert second.wait(PATIENCE_SECONDS) == 0
    ended = studio.store.run(run.id)
    assert (ended.state, ended.attempt) == (RunState.COMPLETED, 1)
    assert_same(studio.result(run), undisturbed)


def test_an_engine_that_ends_in_order_leaves_its_run_in_the_queue_with_a_checkpoint(
    studio: Studio, undisturbed: dict[str, Any]
) -> None:
    run = studio.create()
    first = studio.hold(run, rules=f"leave_seconds={PATIENCE_SECONDS}")
    process = studio.worker(run)
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE_SECONDS) == 0
    until_gone(process)
    queued = studio.store.run(run.id)
    assert (queued.state, queued.crashes) == (RunState.QUEUED, 0)
    assert studio.store.checkpoints(run.id)[-1].step == queued.progress.step == SOME_STEPS
    assert studio.store.nodes() == []
    studio.gate.open()
    assert studio.engine("--until-idle").wait(PATIENCE_SECONDS) == 0
    assert_same(studio.result(run), undisturbed)


def test_a_second_engine_on_the_same_database_is_refused(studio: Studio) -> None:
    run = studio.create()
    studio.hold(run)
    second = studio.engine(program=EGS)
    assert second.wait(PATIENCE_SECONDS) != 0
    printed = " ".join(studio.engine_log.read_text().split())
    assert "found another engine" in printed
    assert "Traceback" not in printed
    assert studio.worker(run).is_running()


def test_a_worker_whose_run_was_taken_over_ends_without_a_trace(
    studio: Studio, undisturbed: dict[str, Any]
) -> None:
    run = studio.create()
    studio.hold(run)
    old = studio.worker(run)
    studio.suspend(old)
    studio.store.transition(run.id, RunState.QUEUED, why="its machine seemed lost")
    studio.until(run, lambda now: now.attempt == 2 and now.handle is not None)
    old.resume()
    until_gone(old)
    studio.gate.open()
    ended = studio.until_state(run, RunState.COMPLETED)
    assert ended.attempt == 2
    assert_same(studio.result(run), undisturbed)


def test_a_worker_that_hears_nothing_is_stopped_by_force(studio: Studio) -> None:
    run = studio.create()
    studio.hold(run, rules="stop_patience_seconds=0.5,stop_grace_seconds=0.5")
    process = studio.worker(run)
    studio.suspend(process)
    studio.store.ask(run.id, Request.STOP)
    stopped = studio.until_state(run, RunState.STOPPED)
    assert stopped.handle is None
    until_gone(process)


def test_a_full_disk_fails_the_run_and_keeps_the_checkpoint_before(studio: Studio) -> None:
    run = studio.create(channels=48, train_limit=32, epochs=12)
    studio.hold(run, at=3)
    process = studio.worker(run)
    size = studio.store.checkpoints(run.id)[0].size_bytes
    assert size > 6_000_000, "the limit has to spare the database's own files"
    process.rlimit(resource.RLIMIT_FSIZE, (6_000_000, 6_000_000))
    studio.gate.open()
    failed = studio.until_state(run, RunState.FAILED)
    assert failed.failure is FailureReason.DISK_FULL
    assert failed.error is not None
    assert "no room left on its disk" in failed.error
    kept = studio.store.checkpoints(run.id)[-1]
    assert studio.artifacts.describe(kept.key).sha256 == kept.sha256
    studio.store.transition(run.id, RunState.QUEUED, why="resumed")
    ended = studio.until_state(run, RunState.COMPLETED)
    assert ended.failure is None
    assert any(
        event.text == f"Continues from the checkpoint of step {kept.step}."
        for event in studio.store.events(run.id)
    )


def test_a_loss_that_is_no_number_fails_the_run(studio: Studio) -> None:
    run = studio.create(learning_rate=10.0, weight_decay=1.0, gradient_clip=0.0, epochs=20)
    assert studio.engine("--until-idle").wait(PATIENCE_SECONDS) == 0
    failed = studio.store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, FailureReason.NOT_A_NUMBER)
    assert failed.error is not None
    assert "a finite loss" in failed.error
    errors = [e.text for e in studio.store.events(run.id) if e.kind is EventKind.ERROR]
    assert any(text.startswith("Traceback") for text in errors)


def test_a_missing_device_fails_the_run_with_the_names_of_those_there(studio: Studio) -> None:
    run = studio.create(device="cuda:63")
    assert studio.engine("--until-idle").wait(PATIENCE_SECONDS) == 0
    failed = studio.store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, FailureReason.DEVICE_MISSING)
    assert failed.error is not None
    assert "device = 'cuda:63'" in failed.error
    assert "auto, cpu" in failed.error


def test_a_run_that_crashes_again_and_again_fails_with_the_last_words_of_its_log(
    studio: Studio,
) -> None:
    run = studio.create()
    assert studio.engine("--until-idle", "--dying").wait(PATIENCE_SECONDS) == 0
    failed = studio.store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, FailureReason.CRASHED)
    assert (failed.attempt, failed.crashes) == (5, 5)
    assert failed.error is not None
    assert failed.error.startswith("5 crashes without a new checkpoint.")
    assert any("the driver gave up" in event.text for event in studio.store.events(run.id))
