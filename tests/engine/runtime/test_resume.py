"""What a run that is continued makes sure of: that its data and its checkpoints are there."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.data.summaries import DataSummary
from engine.domain.errors import FailureReason
from engine.domain.run import EventKind, Run, RunState
from engine.runtime.worker import Exit, work
from engine.search import checkpoint
from storage.artifacts import FolderArtifacts
from storage.sql_store import SqlStore
from tests.engine.data.bad_data import image_folder, picture, save, text_folder
from tests.engine.runtime.test_worker import (
    claimed,
    interfering,
    reclaimed,
    torch_settings,
)

__all__ = ["torch_settings"]

TEXT = {
    "task": "language_modelling",
    "space": "rnn",
    "nodes": 2,
    "train_limit": 0,
    "batch_size": 4,
    "bptt": 5,
    "embedding_size": 6,
    "hidden_size": 6,
}


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder whose validation images are split off from those to train on."""
    root = image_folder(tmp_path / "pictures", train=30, other=1)
    shutil.rmtree(root / "val")
    return root


def broken_off(store: SqlStore, artifacts: FolderArtifacts, **settings: Any) -> Run:
    """A run that was put back into the queue with a checkpoint, and is taken again."""
    run = claimed(store, **settings)
    stop = interfering(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert work(store, artifacts, run.id, 1, build=stop) == Exit.DONE
    assert len(store.checkpoints(run.id)) == 1
    return reclaimed(store, run)


def resumed(store: SqlStore, run: Run) -> Run:
    store.transition(run.id, RunState.QUEUED, why="resumed")
    return reclaimed(store, run)


def notes(store: SqlStore, run: Run) -> list[str]:
    return [event.text for event in store.events(run.id) if event.kind is EventKind.NOTE]


def assert_data_refused(store: SqlStore, run: Run) -> None:
    failed = store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, FailureReason.DATA_ERROR)
    assert failed.error is not None
    assert f"of run {run.id}; found data with the digest" in failed.error
    assert "changed since the run" in failed.error


def test_a_search_whose_data_have_another_image_is_refused_until_they_are_as_before(
    store: SqlStore, artifacts: FolderArtifacts, pictures: Path
) -> None:
    run = broken_off(store, artifacts, train_limit=0, data=str(pictures))
    saved = store.checkpoints(run.id)
    added = pictures / "train" / "cat" / "added.png"
    save(picture(999), added)
    assert work(store, artifacts, run.id, 2) == Exit.FAILED
    assert_data_refused(store, run)
    assert store.checkpoints(run.id) == saved
    added.unlink()
    assert work(store, artifacts, run.id, resumed(store, run).attempt) == Exit.DONE
    assert f"Continues from the checkpoint of step {saved[0].step}." in notes(store, run)


def test_a_search_on_a_text_with_a_new_word_is_refused_in_a_sentence(
    store: SqlStore, artifacts: FolderArtifacts, tmp_path: Path
) -> None:
    text = text_folder(tmp_path / "text")
    run = broken_off(store, artifacts, **TEXT, data=str(text))
    with (text / "train.txt").open("a") as file:
        file.write("another word\n")
    assert work(store, artifacts, run.id, 2) == Exit.FAILED
    assert_data_refused(store, run)


def test_a_search_that_saved_nothing_yet_takes_the_data_as_they_are_now(
    store: SqlStore, artifacts: FolderArtifacts, pictures: Path
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("before anything was saved")

    run = claimed(store, train_limit=0, data=str(pictures))
    assert work(store, artifacts, run.id, 1, build=interfering(1, fail)) == Exit.FAILED
    assert store.checkpoints(run.id) == []
    before = recorded(artifacts, run)
    for number in range(9):
        save(picture(2000 + number), pictures / "train" / "cow" / f"{number}.png")
    assert work(store, artifacts, run.id, resumed(store, run).attempt) == Exit.DONE
    after = recorded(artifacts, run)
    assert (before.class_names, after.class_names) == (("cat", "dog"), ("cat", "cow", "dog"))
    assert before.digest != after.digest


def recorded(artifacts: FolderArtifacts, run: Run) -> DataSummary:
    with artifacts.read(f"runs/{run.uid}/data.json") as file:
        return DataSummary.from_json(file.read().decode())


def test_checkpoints_that_cannot_be_reached_fail_the_run_and_are_not_forgotten(
    store: SqlStore, artifacts: FolderArtifacts, tmp_path: Path
) -> None:
    run = broken_off(store, artifacts)
    saved = store.checkpoints(run.id)
    place = tmp_path / "artifacts"
    place.rename(tmp_path / "unmounted")
    assert work(store, artifacts, run.id, 2) == Exit.FAILED
    failed = store.run(run.id)
    assert failed.error is not None
    assert "found 1 checkpoint(s), none of which can be read" in failed.error
    assert "EGS_ARTIFACTS" in failed.error
    assert store.checkpoints(run.id) == saved
    assert not place.exists()
    (tmp_path / "unmounted").rename(place)
    assert work(store, artifacts, run.id, resumed(store, run).attempt) == Exit.DONE
    assert f"Continues from the checkpoint of step {saved[0].step}." in notes(store, run)


def test_a_checkpoint_for_which_there_is_no_memory_is_not_taken_for_damaged(
    store: SqlStore, artifacts: FolderArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broken_off(store, artifacts)
    saved = store.checkpoints(run.id)
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoint.torch, "load", lambda *_, **__: torch.empty(1 << 60, dtype=torch.uint8)
        )
        assert work(store, artifacts, run.id, 2) == Exit.FAILED
    assert store.run(run.id).failure is FailureReason.OUT_OF_MEMORY
    assert store.checkpoints(run.id) == saved
    assert work(store, artifacts, run.id, resumed(store, run).attempt) == Exit.DONE


def test_what_a_killed_attempt_left_half_written_is_deleted_with_the_next_checkpoint(
    store: SqlStore, artifacts: FolderArtifacts, tmp_path: Path
) -> None:
    run = broken_off(store, artifacts)
    folder = tmp_path / "artifacts" / "runs" / run.uid / "checkpoints"
    (folder / ".step-00000002-epoch-1-attempt-1.pt.0123").write_bytes(b"half")
    assert work(store, artifacts, run.id, 2) == Exit.DONE
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
