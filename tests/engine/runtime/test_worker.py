import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.data.images import DataSummary
from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import FailureReason, Fenced
from engine.domain.run import Checkpoint, EventKind, Progress, Request, Run, RunState
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.runtime.checkpoints import superseded
from engine.runtime.devices import find_cpu
from engine.runtime.recorder import Pace, Recorder, StoreLost
from engine.runtime.worker import Exit, torch_device, work
from engine.search.build import build_search
from engine.search.loop import SearchLoop
from storage.artifacts import FolderArtifacts
from storage.sql_store import SqlStore
from tests.engine.runtime.conftest import HandClock

TINY = {
    "cells": 2,
    "channels": 4,
    "nodes": 1,
    "epochs": 3,
    "train_limit": 32,
    "batch_size": 16,
    "cpu_threads": 1,
}


@pytest.fixture(autouse=True)
def torch_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts")


def claimed(store: SqlStore, **changes: Any) -> Run:
    run = store.create(make_config({**TINY, **changes}), name="tiny")
    taken = store.claim(run.id, node="here", device=find_cpu(1))
    assert taken is not None
    return taken


def reclaimed(store: SqlStore, run: Run) -> Run:
    taken = store.claim(run.id, node="here", device=find_cpu(1))
    assert taken is not None
    return taken


class Interfering:
    """The real search, with something done after a number of steps."""

    def __init__(self, loop: SearchLoop, after: int, act: Callable[[], None]) -> None:
        self._loop, self._after, self._act = loop, after, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def steps(self) -> Iterator[Snapshot | None]:
        for number, snapshot in enumerate(self._loop.steps(), start=1):
            yield snapshot
            if number == self._after:
                self._act()


def interfering(after: int, act: Callable[[], None]) -> Any:
    def build(config: SearchConfig, device: torch.device, **options: Any) -> Interfering:
        return Interfering(build_search(config, device, **options), after, act)

    return build


def raising(error: Exception) -> Any:
    def build(config: SearchConfig, device: torch.device, **options: Any) -> SearchLoop:
        raise error

    return build


def test_a_search_ends_completed_with_history_checkpoints_and_summary(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = claimed(store)
    assert work(store, artifacts, run.id, 1) == Exit.DONE
    ended = store.run(run.id)
    assert ended.state is RunState.COMPLETED
    assert (ended.progress.step, ended.progress.epoch) == (6, 3)
    epochs = [one.epoch for one in store.snapshots(run.id) if one.kind is SnapshotKind.EPOCH]
    assert epochs == [1, 2, 3]
    checkpoints = store.checkpoints(run.id)
    assert [checkpoint.step for checkpoint in checkpoints][-2:] == [4, 6]
    kept = sorted(checkpoint.key for checkpoint in checkpoints)
    assert artifacts.keys(f"runs/{run.uid}/checkpoints") == kept
    with artifacts.read(f"runs/{run.uid}/data.json") as file:
        assert DataSummary.from_json(file.read().decode()).classes == 10


def test_a_stale_attempt_ends_before_it_touches_anything(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = claimed(store)
    events = store.events(run.id)
    assert work(store, artifacts, run.id, 7) == Exit.FENCED
    assert store.events(run.id) == events
    assert artifacts.keys("runs") == []


def test_an_attempt_that_loses_its_run_ends_without_a_trace(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = claimed(store)

    def take_over() -> None:
        store.transition(run.id, RunState.QUEUED, why="taken over")
        reclaimed(store, run)

    code = work(store, artifacts, run.id, 1, build=interfering(1, take_over))
    assert code == Exit.FENCED
    now = store.run(run.id)
    assert (now.state, now.attempt) == (RunState.RUNNING, 2)
    assert store.checkpoints(run.id) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_puts_the_run_back_into_the_queue_with_a_checkpoint(
    store: SqlStore, artifacts: FolderArtifacts, number: signal.Signals
) -> None:
    run = claimed(store)
    build = interfering(1, lambda: os.kill(os.getpid(), number))
    assert work(store, artifacts, run.id, 1, build=build) == Exit.DONE
    queued = store.run(run.id)
    assert queued.state is RunState.QUEUED
    assert store.checkpoints(run.id)[-1].step == queued.progress.step == 2
    assert "engine is stopping" in store.events(run.id)[-1].text


def test_a_signal_while_the_data_loads_leaves_at_once_without_a_checkpoint(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = claimed(store)

    def build(config: SearchConfig, device: torch.device, **options: Any) -> SearchLoop:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal did not interrupt the loading")

    assert work(store, artifacts, run.id, 1, build=build) == Exit.DONE
    assert store.run(run.id).state is RunState.QUEUED
    assert store.checkpoints(run.id) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-100], "a file with the SHA-256 digest"),
        (None, "no complete file of that name"),
    ],
)
def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_used(
    store: SqlStore,
    artifacts: FolderArtifacts,
    tmp_path: Path,
    damage: Callable[[bytes], bytes] | None,
    words: str,
) -> None:
    run = claimed(store)
    build = interfering(16, lambda: os.kill(os.getpid(), signal.SIGTERM))
    work(store, artifacts, run.id, 1, build=build)
    before, newest = store.checkpoints(run.id)[-2:]
    path = tmp_path / "artifacts" / newest.key
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    assert work(store, artifacts, run.id, reclaimed(store, run).attempt) == Exit.DONE
    assert store.run(run.id).state is RunState.COMPLETED
    notes = [event.text for event in store.events(run.id) if event.kind is EventKind.NOTE]
    assert any(
        text.startswith(f"The checkpoint of step {newest.step} cannot be used") and words in text
        for text in notes
    )
    assert f"Continues from the checkpoint of step {before.step}." in notes
    steps = [one.step for one in store.snapshots(run.id)]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), FailureReason.OUT_OF_MEMORY),
        (MemoryError(), FailureReason.OUT_OF_MEMORY),
        (ZeroDivisionError("by zero"), FailureReason.CRASHED),
    ],
)
def test_an_exception_fails_the_run_with_reason_and_traceback(
    store: SqlStore, artifacts: FolderArtifacts, error: Exception, reason: FailureReason
) -> None:
    run = claimed(store)
    assert work(store, artifacts, run.id, 1, build=raising(error)) == Exit.FAILED
    failed = store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, reason)
    assert failed.error
    (trace,) = [event.text for event in store.events(run.id) if event.kind is EventKind.ERROR]
    assert trace.startswith("Traceback")
    assert type(error).__name__ in trace


def test_data_that_is_not_there_fails_the_run_as_a_data_error(
    store: SqlStore, artifacts: FolderArtifacts, tmp_path: Path
) -> None:
    run = claimed(store, data=str(tmp_path / "nothing.npz"))
    assert work(store, artifacts, run.id, 1) == Exit.FAILED
    failed = store.run(run.id)
    assert failed.failure is FailureReason.DATA_ERROR
    assert failed.error is not None
    assert "nothing.npz" in failed.error


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a torch that cannot use a GPU")
def test_a_gpu_that_torch_cannot_use_is_a_missing_device(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = store.create(make_config(TINY), name="tiny")
    gpu = find_cpu(1).__class__("GPU-1", 0, "H100", 1)
    store.claim(run.id, node="here", device=gpu)
    assert work(store, artifacts, run.id, 1) == Exit.FAILED
    assert store.run(run.id).failure is FailureReason.DEVICE_MISSING


def test_a_run_on_the_cpu_gets_the_cpu(store: SqlStore) -> None:
    assert torch_device(claimed(store)) == torch.device("cpu")


def checkpoint(step: int, score: float | None) -> Checkpoint:
    return Checkpoint(step, step, f"k{step}", 1, "", HandClock().now(), score)


def test_the_last_two_checkpoints_and_the_best_are_kept() -> None:
    best, plain, mid, last = (
        checkpoint(1, 90.0),
        checkpoint(2, 80.0),
        checkpoint(3, None),
        checkpoint(4, 85.0),
    )
    assert superseded([best, plain, mid, last]) == [plain]
    assert superseded([plain, best]) == []
    assert superseded([]) == []
    assert superseded([mid, checkpoint(5, None), checkpoint(6, None)]) == [mid]


def test_of_perplexities_the_lowest_is_the_best() -> None:
    high, low, third, last = (
        checkpoint(step, score) for step, score in ((1, 300.0), (2, 90.0), (3, 120.0), (4, 110.0))
    )
    assert superseded([high, low, third, last], lower_is_better=True) == [high]
    assert superseded([high, low, third, last]) == [low]


def snapshot(step: int) -> Snapshot:
    return Snapshot(step, 0, SnapshotKind.STEP, 1.0, {"normal": ((0.5, 0.5),)}, {"normal": (1,)})


def test_a_flush_returns_when_everything_before_it_is_committed(store: SqlStore) -> None:
    run = claimed(store)
    lazy = Pace(commit_seconds=600, beat_seconds=600)
    with Recorder(store, run.id, 1, progress=run.progress, pace=lazy) as recorder:
        for step in range(450):
            recorder.put(snapshot(step), Progress(step=step))
        recorder.flush()
        assert [one.step for one in store.snapshots(run.id)] == list(range(450))
        assert store.run(run.id).progress.step == 449
        recorder.put(snapshot(450), Progress(step=450))
    assert store.run(run.id).progress.step == 450


def test_the_recorder_reads_the_wish_and_notes_sentences(store: SqlStore) -> None:
    run = claimed(store)
    store.ask(run.id, Request.PAUSE)
    with Recorder(store, run.id, 1, progress=run.progress) as recorder:
        recorder.report("Loaded.")
        recorder.flush()
        assert recorder.request is Request.PAUSE
    assert store.events(run.id)[-1].text == "Loaded."


def test_a_fenced_recorder_says_so_at_every_call(store: SqlStore) -> None:
    run = claimed(store)
    store.transition(run.id, RunState.QUEUED, why="taken over")
    with pytest.raises(Fenced), Recorder(store, run.id, 1, progress=run.progress) as recorder:
        recorder.flush()


def test_a_failing_database_ends_the_attempt_but_not_the_run(
    store: SqlStore, artifacts: FolderArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise ConnectionError("the server is restarting")

    run = claimed(store)
    monkeypatch.setattr(store, "append", refuse)
    assert work(store, artifacts, run.id, 1) == Exit.STORE_LOST
    assert store.run(run.id).state is RunState.RUNNING
    recorder = Recorder(store, run.id, 1, progress=run.progress)
    with pytest.raises(StoreLost, match="ConnectionError: the server is restarting"), recorder:
        recorder.put(snapshot(0), Progress())


def test_a_search_ends_once_its_architecture_has_settled(store: SqlStore, artifacts):
    run = claimed(store, epochs=9, stop_settled_epochs=2, alpha_learning_rate=1e-9)
    assert work(store, artifacts, run.id, run.attempt) == Exit.DONE
    ended = store.run(run.id)
    assert (ended.state, ended.progress.epoch) == (RunState.COMPLETED, 3)
    assert "stop_settled_epochs" in store.events(run.id)[-1].text
    assert store.checkpoints(run.id)[-1].epoch == 3


def test_a_search_that_was_put_back_settles_at_the_same_epoch(store: SqlStore, artifacts):
    run = claimed(store, epochs=9, stop_settled_epochs=2, alpha_learning_rate=1e-9)
    assert work(store, artifacts, run.id, run.attempt) == Exit.DONE
    epochs = store.snapshots(run.id, epochs_only=True)
    again = claimed(store, epochs=9, stop_settled_epochs=2, alpha_learning_rate=1e-9)
    stop = interfering(6, lambda: os.kill(os.getpid(), signal.SIGTERM))
    work(store, artifacts, again.id, again.attempt, build=stop)
    assert store.run(again.id).state is RunState.QUEUED
    back = reclaimed(store, again)
    assert work(store, artifacts, back.id, back.attempt) == Exit.DONE
    assert store.run(back.id).progress.epoch == 3
    assert [one.derived for one in store.snapshots(back.id, epochs_only=True)] == [
        one.derived for one in epochs
    ]


def test_an_unhealthy_search_is_stopped_where_it_asks_for_that(store: SqlStore, artifacts):
    run = claimed(store, epochs=6, stop_unhealthy=True, alpha_learning_rate=1e-9)
    assert work(store, artifacts, run.id, run.attempt) == Exit.DONE
    ended = store.run(run.id)
    assert (ended.state, ended.progress.epoch) == (RunState.STOPPED, 3)
    assert "stop_unhealthy" in store.events(run.id)[-1].text


def test_a_search_that_asks_for_nothing_runs_to_its_last_epoch(store: SqlStore, artifacts):
    run = claimed(store, epochs=4, alpha_learning_rate=1e-9)
    assert work(store, artifacts, run.id, run.attempt) == Exit.DONE
    assert store.run(run.id).progress.epoch == 4
