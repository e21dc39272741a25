"""Deletion of runs, and what is left when its process is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.deletion import MARKS
from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio
from engine.catalog import gather_catalog
from engine.domain.config import SearchConfig
from engine.domain.errors import DiskFull, NotFound, WrongState
from engine.domain.run import Run, RunState
from storage.artifacts import FolderArtifacts


class DiesDeleting(FolderArtifacts):
    """Its process is killed when files are to go."""

    def delete_below(self, folder: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class IsFull(FolderArtifacts):
    """Nothing can be written any more."""

    def write(self, key: str):
        raise DiskFull(asked=key, found="no room", allowed="room", advice="make room")


def settings_of(home: Path) -> Settings:
    return Settings.from_environment({"EGS_HOME": str(home)})


def delete_and_die(home: Path, run_id: int) -> None:
    studio = open_studio(settings_of(home))
    Studio(studio.store, DiesDeleting(home / "artifacts"), studio.clock).delete(run_id)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    made = open_studio(settings_of(tmp_path))
    made.store.publish(gather_catalog())
    return made


def stopped(studio: Studio) -> Run:
    """A run with one file."""
    run = studio.create(SearchConfig())
    with studio.artifacts.write(f"runs/{run.uid}/data.json") as file:
        file.write(b"{}")
    return studio.store.transition(run.id, RunState.STOPPED, why="asked")


@pytest.mark.process
def test_the_next_deletion_finishes_a_killed_one(studio: Studio, tmp_path: Path):
    killed, kept, other = stopped(studio), stopped(studio), stopped(studio)
    # multiprocessing would run the main module again, which a test of a page has replaced.
    program = (
        "import sys; from pathlib import Path; from tests.app.test_deletion import delete_and_die"
    )
    call = f"{program}; delete_and_die(Path(sys.argv[1]), int(sys.argv[2]))"
    ended = subprocess.run(
        [sys.executable, "-c", call, str(tmp_path), str(killed.id)],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    with pytest.raises(NotFound):
        studio.run(killed.id)
    assert studio.artifacts.keys(f"runs/{killed.uid}") != []
    studio.delete(other.id)
    assert studio.artifacts.keys("") == [f"runs/{kept.uid}/data.json"]


def test_a_marked_run_that_was_kept_loses_no_file(studio: Studio):
    kept, other = stopped(studio), stopped(studio)
    with studio.artifacts.write(f"{MARKS}/{kept.uid}"):
        pass
    studio.delete(other.id)
    assert studio.artifacts.keys(f"runs/{kept.uid}") == [f"runs/{kept.uid}/data.json"]


def test_a_refused_deletion_leaves_no_mark(studio: Studio):
    run = studio.create(SearchConfig())
    with pytest.raises(WrongState):
        studio.delete(run.id)
    assert studio.artifacts.keys(MARKS) == []


def test_a_full_disk_does_not_hinder_what_makes_room(studio: Studio, tmp_path: Path):
    run = stopped(studio)
    full = IsFull(tmp_path / "artifacts")
    Studio(studio.store, full, studio.clock).delete(run.id)
    assert full.keys("") == []
