"""The ends of epochs, read once."""

from pathlib import Path

import pytest

from app.epochs import MOST_RUNS, ends_of_epochs
from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio
from engine.domain.run import RunState
from tests.e2e.seeding import CPU, NODE, Synthetic, extend_run, seed_run


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return open_studio(Settings.from_environment({"EGS_HOME": str(tmp_path / "home")}))


def test_they_are_those_of_the_store_as_a_run_goes_on(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, upto=3, state=RunState.RUNNING)
    space = studio.store.space_of(run)
    assert space is not None
    search = Synthetic(run.config, space, count=40)
    for start in (3, 8, 13, 18):
        assert list(ends_of_epochs(studio, run)) == studio.snapshots(run.id, epochs_only=True)
        extend_run(studio.store, run, search, start, start + 5)


def test_an_attempt_that_begins_anew_forgets_those_of_the_last(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, upto=30, state=RunState.RUNNING)
    assert len(ends_of_epochs(studio, run)) == 15
    studio.store.transition(run.id, RunState.QUEUED, why="the worker died")
    again = studio.store.claim(run.id, node=NODE.name, device=CPU)
    assert again is not None
    assert list(ends_of_epochs(studio, again)) == studio.snapshots(run.id, epochs_only=True)
    assert len(ends_of_epochs(studio, again)) < 15


def test_many_runs_are_still_told_apart(studio: Studio):
    runs = [
        seed_run(studio.store, studio.artifacts, count=20, upto=n + 1) for n in range(MOST_RUNS + 3)
    ]
    for run in (*runs, *runs):
        assert list(ends_of_epochs(studio, run)) == studio.snapshots(run.id, epochs_only=True)
