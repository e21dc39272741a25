"""What counts as progress of a worker, and what it does when the engine sees none."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.domain.config import SearchConfig
from engine.domain.run import EventKind, Run, RunState
from engine.runtime.worker import Exit, work
from engine.search.loop import SearchLoop
from storage.artifacts import FolderArtifacts
from storage.sql_store import SqlStore
from tests.engine.runtime.conftest import HandClock
from tests.engine.runtime.test_worker import claimed, interfering, reclaimed, torch_settings

__all__ = ["torch_settings"]


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts")


def give_up(store: SqlStore, run: Run) -> None:
    """As the engine does where it sees no progress."""
    store.note(run.id, EventKind.ERROR, "No progress for 601 s; the process is ended.")
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_process_that_is_given_up_with_nothing_saved_is_left_to_the_engine_as_a_crash(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = claimed(store)

    def build(config: SearchConfig, device: torch.device, **options: Any) -> SearchLoop:
        give_up(store, run)
        raise AssertionError("the signal did not interrupt the loading")

    assert work(store, artifacts, run.id, 1, build=build) == Exit.GIVEN_UP
    left = store.run(run.id)
    assert (left.state, left.attempt) == (RunState.RUNNING, 1)
    assert store.events(run.id)[-1].text.startswith("No progress")


def test_a_search_that_is_given_up_saves_what_it_has_and_says_why_it_ended(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = claimed(store)
    build = interfering(1, lambda: give_up(store, run))
    assert work(store, artifacts, run.id, 1, build=build) == Exit.DONE
    queued = store.run(run.id)
    assert queued.state is RunState.QUEUED
    assert store.checkpoints(run.id)[-1].step == queued.progress.step == 2
    assert store.events(run.id)[-1].text.startswith("Ended for want of progress")


def test_an_earlier_attempt_that_was_given_up_says_nothing_about_this_one(
    store: SqlStore, artifacts: FolderArtifacts
) -> None:
    run = claimed(store)
    store.note(run.id, EventKind.ERROR, "No progress for 601 s; the process is ended.")
    store.transition(run.id, RunState.QUEUED, why="crashed", crashed=True)
    reclaimed(store, run)
    build = interfering(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert work(store, artifacts, run.id, 2, build=build) == Exit.DONE
    assert "engine is stopping" in store.events(run.id)[-1].text


def test_reading_the_data_counts_as_progress_without_a_line_in_the_log(
    store: SqlStore, artifacts: FolderArtifacts, clock: HandClock
) -> None:
    run = claimed(store)
    clock.forward(500)

    def build(config: SearchConfig, device: torch.device, **options: Any) -> SearchLoop:
        options["alive"]()
        raise ZeroDivisionError("after the first image")

    assert work(store, artifacts, run.id, 1, build=build) == Exit.FAILED
    assert store.run(run.id).progress_at == clock.now()
    kinds = [event.kind for event in store.events(run.id)]
    assert EventKind.NOTE not in kinds
