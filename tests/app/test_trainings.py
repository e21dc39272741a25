"""Which trainings belong together."""

from pathlib import Path

import pytest

from app.evaluations import origin_of_run, settings_for_data
from app.studio import Studio
from app.trainings import found_by, same_cells, search_of, seeds_of, trainings_of
from engine.domain.config import make_training_config
from engine.domain.presets import preset_config
from engine.domain.published import PUBLISHED
from engine.domain.run import Run, RunState
from engine.spaces import SPACES
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.contracts.samples import START, HeldClock
from tests.e2e.seeding import seed_run
from tests.e2e.trainings import seed_training

CELLS = PUBLISHED["data_m7"].genotype(SPACES["darts"])


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    clock = HeldClock()
    return Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)


def test_search_and_trainings_find_each_other(studio):
    search = seed_run(studio.store, studio.artifacts, count=20)
    other = seed_run(studio.store, studio.artifacts, count=20, seed=1)
    runs = [seed_training(studio, search, seed=seed) for seed in (0, 1)]
    assert trainings_of(studio, search) == runs[::-1]
    assert trainings_of(studio, other) == []
    assert search_of(studio, runs[0]) == search
    assert search_of(studio, search) is None


def test_a_training_of_a_file_has_no_search(studio):
    seed_run(studio.store, studio.artifacts, count=20)
    config = make_training_config({"genotype": "Genotype(normal=[])"})
    assert found_by(config) == ""
    run = Run(1, "uid", "by hand", RunState.QUEUED, config, START)
    assert search_of(studio, run) is None


def test_seeds_differ_in_nothing_that_changes_the_result(studio):
    search = seed_run(studio.store, studio.artifacts, count=20)
    late = seed_training(studio, search, seed=1, cpu_threads=2)
    first = seed_training(studio, search, seed=0)
    longer = seed_training(studio, search, seed=2, epochs=16)
    assert seeds_of(studio, late) == [first, late]
    assert seeds_of(studio, longer) == [longer]


def test_weights_come_from_completed_trainings_of_the_same_cells(studio):
    search = seed_run(studio.store, studio.artifacts, count=20)
    done = seed_training(studio, search)
    seed_training(studio, search, upto=3, state=RunState.STOPPED)
    assert same_cells(studio, studio.derive(search.id)) == [done]
    assert same_cells(studio, CELLS) == []


def test_data_of_the_search_are_read_as_it_read_them_with_any_preset():
    config = preset_config("digits", data="/data/flowers", image_size=48, train_limit=50)
    origin = origin_of_run(Run(1, "uid", "found", RunState.COMPLETED, config, START), CELLS)
    own = settings_for_data(origin, "digits-train", "/data/flowers")
    assert (own.data, own.image_size, own.train_limit) == ("/data/flowers", 48, 50)
    large = settings_for_data(origin, "cifar10-train", "/data/flowers")
    assert (large.data, large.image_size, large.train_limit) == ("/data/flowers", 48, 0)
    assert (large.cells, large.validation_fraction) == (20, 0.1)
    other = settings_for_data(origin, "digits-train", "digits")
    assert (other.data, other.image_size, other.train_limit) == ("digits", 0, 0)
