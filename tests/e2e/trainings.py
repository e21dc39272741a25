"""Recorded trainings, through the same doors that a worker uses."""

import math

from app.evaluations import origin_of_run, training_config
from app.studio import Studio
from engine.data.images import DataSummary
from engine.domain.config import TrainingConfig
from engine.domain.metrics import main_figure
from engine.domain.run import Progress, Run, RunState
from engine.domain.snapshot import Snapshot, SnapshotKind
from tests.e2e.seeding import CPU, NODE

STEPS_AN_EPOCH = 20
SUMMARY = DataSummary("digits", 1, 10, 8, 8, 1078, 359, 360, tuple("0123456789"), "d" * 64)


def seed_training(
    studio: Studio,
    search: Run,
    *,
    upto: int | None = None,
    state: RunState = RunState.COMPLETED,
    test: float = 96.5,
    name: str | None = None,
    **changes: object,
) -> Run:
    """A training of what a search has found, of which the first ``upto`` epochs were recorded."""
    config = training_config(origin_of_run(search, studio.derive(search.id)), changes=changes)
    run = studio.store.create(config, name=name or f"{search.name} trained, seed {config.seed}")
    if state is RunState.QUEUED:
        return run
    claimed = studio.store.claim(run.id, node=NODE.name, device=CPU)
    assert claimed is not None
    with studio.artifacts.write(f"runs/{run.uid}/data.json") as file:
        file.write(SUMMARY.to_json().encode())
    epochs = config.epochs if upto is None else upto
    ends = epochs == config.epochs
    snapshots = history(config, epochs, test if ends else None)
    main = main_figure(config.task).name
    part = "test" if ends else "validation"
    reached = snapshots[-1].metrics.get(f"{part}_{main}") if epochs else None
    progress = Progress(
        STEPS_AN_EPOCH * epochs,
        STEPS_AN_EPOCH * config.epochs,
        epochs,
        3.0 * epochs,
        reached,
        f"{part}_{main}",
    )
    studio.store.append(run.id, claimed.attempt, snapshots, progress)
    if state is RunState.RUNNING:
        return studio.store.run(run.id)
    return studio.store.transition(run.id, state, why=f"the training is {state.value}")


def history(config: TrainingConfig, epochs: int, test: float | None) -> list[Snapshot]:
    """What a training records: two snapshots an epoch, and one at each end."""
    found = []
    for epoch in range(epochs):
        for index in (5, 15):
            found.append(_snapshot(config, epoch, index, SnapshotKind.STEP, None))
        last = epoch + 1 == epochs
        found.append(_snapshot(config, epoch + 1, 0, SnapshotKind.EPOCH, test if last else None))
    return found


def _snapshot(
    config: TrainingConfig, epoch: int, index: int, kind: SnapshotKind, test: float | None
) -> Snapshot:
    step, main = STEPS_AN_EPOCH * epoch + index, main_figure(config.task).name
    share = step / (STEPS_AN_EPOCH * config.epochs)
    part = "validation" if kind is SnapshotKind.EPOCH else "train"
    metrics = {
        "learning_rate": config.learning_rate * (1 - share),
        f"{part}_loss": 2.3 * math.exp(-4 * share) + 0.1,
        f"{part}_{main}": 97 - 87 * math.exp(-5 * share),
    }
    if test is not None:
        metrics |= {"test_loss": 0.14, f"test_{main}": test}
    return Snapshot(step, epoch, kind, 1.0, {}, {}, metrics, seconds=3.0 * share * config.epochs)
