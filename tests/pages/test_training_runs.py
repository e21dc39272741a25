"""Pages with a training among the runs: they show what it has, and never break."""

import pytest

from app.studio import Studio
from engine.domain.config import make_training_config
from engine.domain.genotype import to_json
from engine.domain.run import Progress, Run, RunState
from engine.domain.snapshot import Snapshot, SnapshotKind
from tests.e2e.seeding import CPU, NODE, alive, seed_run
from tests.pages.conftest import OpenPage

STEP, EPOCH = SnapshotKind.STEP, SnapshotKind.EPOCH


@pytest.fixture
def training(studio: Studio) -> Run:
    """The ended training of what a recorded search found."""
    search = seed_run(studio.store, studio.artifacts, count=20)
    genotype = to_json(studio.derive(search.id))
    run = studio.create(make_training_config({"genotype": genotype, "data": "digits"}), name="it")
    claimed = studio.store.claim(run.id, node=NODE.name, device=CPU)
    assert claimed is not None
    figures = {"validation_accuracy": 97.5, "test_accuracy": 96.5}
    snapshots = [
        Snapshot(0, 0, STEP, 1.0, {}, {}, {"train_loss": 2.3, "train_accuracy": 9.5}),
        Snapshot(10, 1, EPOCH, 1.0, {}, {}, figures),
    ]
    progress = Progress(10, 10, 1, 3.0, 96.5, "test_accuracy")
    studio.store.append(run.id, claimed.attempt, snapshots, progress)
    return studio.store.transition(run.id, RunState.COMPLETED, why="done")


@pytest.mark.parametrize("address", ["", "live", "architecture", "engine", "new"])
def test_every_page_opens_with_a_training(
    studio: Studio, page: OpenPage, training: Run, address: str
):
    alive(studio.store)
    assert not page(address, run=training.id).exception
    assert not page(address).exception
