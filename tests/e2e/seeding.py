"""Fill a store with plausible snapshots, through the same doors that a worker uses."""

import math
import os
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from app.settings import Settings
from app.wiring import open_artifacts, open_store
from engine.catalog import gather_catalog
from engine.data.images import DataSummary
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig
from engine.domain.derivation import derive
from engine.domain.errors import FailureReason
from engine.domain.ports import ArtifactStore, Device, Node, RunStore
from engine.domain.presets import preset_config
from engine.domain.run import Checkpoint, Progress, Run, RunState
from engine.domain.snapshot import Rows, Snapshot, SnapshotKind
from engine.domain.space import SearchSpace

CPU = Device("cpu", None, "CPU, 2 cores", 8 * 2**30, places=64)
NODE = Node("workstation", "boot-1-pid-1", datetime(2026, 1, 1, tzinfo=UTC), (CPU,))


@cache
def catalog() -> Catalog:
    return gather_catalog()


class Synthetic:
    """A search whose preferences grow from nothing to a decision, always the same one."""

    def __init__(self, config: SearchConfig, space: SearchSpace, *, count: int) -> None:
        self.config, self.space, self.count = config, space, count
        self.random = random.Random(config.seed)
        columns = len(space.operations)
        self.taste = {
            kind: [[self.random.gauss(0.0, 1.0) for _ in range(columns)] for _ in space.edges]
            for kind in space.cell_kinds
        }
        self.drift = {
            kind: [[self.random.gauss(0.0, 0.7) for _ in range(columns)] for _ in space.edges]
            for kind in space.cell_kinds
        }

    def snapshot(self, number: int) -> Snapshot:
        """Snapshot ``number`` of ``count``: every tenth step, an epoch each twentieth of them."""
        share = (number + 1) / self.count
        step = self.config.snapshot_interval * (number + 1)
        epochs = self.config.epochs
        epoch = int(share * epochs + 1e-9)
        ends = epoch > int(number / self.count * epochs + 1e-9)
        rows = {kind: self._rows(kind, share) for kind in self.space.cell_kinds}
        codes = {kind: self._drawn(probabilities) for kind, probabilities in rows.items()}
        noise = self.random.gauss(0.0, 0.05)
        metrics = {
            "train_loss": 2.3 * math.exp(-3 * share) + 0.1 + abs(noise),
            "train_accuracy": 100 - 88 * math.exp(-4 * share),
            "entropy": 1 - 0.6 * share,
            "learning_rate": 0.025 * (1 - share) + 0.001,
        }
        if ends:
            metrics |= {
                "supernet_loss": 2.2 * math.exp(-3.4 * share) + 0.12,
                "supernet_accuracy": 97 - 80 * math.exp(-4 * share),
                "child_loss": 2.2 * math.exp(-3.1 * share) + 0.15,
                "child_accuracy": 96.5 - 82 * math.exp(-3.8 * share),
                "gap": 0.5 + 6 * math.exp(-4 * share) + noise,
            }
        return Snapshot(
            step=step,
            epoch=epoch,
            kind=SnapshotKind.EPOCH if ends else SnapshotKind.STEP,
            temperature=5 - 4 * share,
            probabilities=rows,
            codes=codes,
            metrics=metrics,
            derived=derive(self.space, rows, self.config.rule) if ends else None,
            seconds=180 * share,
        )

    def progress(self, last: Snapshot) -> Progress:
        score, gap = last.metrics.get("child_accuracy"), last.metrics.get("gap")
        return Progress(
            step=last.step,
            total_steps=self.config.snapshot_interval * self.count,
            epoch=last.epoch,
            seconds=last.seconds,
            score=score,
            score_name="child_accuracy",
            gap=gap,
        )

    def _rows(self, kind: str, share: float) -> Rows:
        wobble = math.sin(9 * share) * (1 - share)
        scores = [
            [3.2 * share * taste + wobble * drift for taste, drift in zip(a, b, strict=True)]
            for a, b in zip(self.taste[kind], self.drift[kind], strict=True)
        ]
        rows: list[tuple[float, ...]] = [()] * len(scores)
        for edges in self.space.rows(self.config.scope):
            total = sum(math.exp(score) for edge in edges for score in scores[edge])
            for edge in edges:
                rows[edge] = tuple(math.exp(score) / total for score in scores[edge])
        return tuple(rows)

    def _drawn(self, rows: Rows) -> tuple[int, ...]:
        masks = [0] * len(rows)
        for edges in self.space.rows(self.config.scope):
            items = [(edge, k) for edge in edges for k in range(len(self.space.operations))]
            weights = [rows[edge][k] for edge, k in items]
            for edge, k in self.random.choices(items, weights, k=self.config.draws):
                masks[edge] |= 1 << k
        return tuple(masks)


def alive(store: RunStore) -> None:
    """Let the engine of a machine live, however long a test takes."""
    store.publish(catalog())
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    store.register_node(replace(NODE, heartbeat_at=tomorrow), stale_seconds=0.0)


def seed_run(
    store: RunStore,
    artifacts: ArtifactStore,
    *,
    count: int,
    upto: int | None = None,
    state: RunState = RunState.COMPLETED,
    name: str = "digits",
    **changes: object,
) -> Run:
    """A run of ``count`` snapshots, of which the first ``upto`` were recorded."""
    config = preset_config("digits", **{"scope": "node", "draws": 4, **changes})
    store.publish(catalog())
    run = store.create(config, name=name)
    if state is RunState.QUEUED:
        return run
    claimed = store.claim(run.id, node=NODE.name, device=CPU)
    assert claimed is not None
    summary = DataSummary("digits", 1, 10, 8, 8, 1078, 359, 360, tuple("0123456789"), "d" * 64)
    with artifacts.write(f"runs/{run.uid}/data.json") as file:
        file.write(summary.to_json().encode())
    space = store.space_of(claimed)
    assert space is not None
    extend_run(store, claimed, Synthetic(config, space, count=count), 0, upto or count)
    with artifacts.write(f"runs/{run.uid}/checkpoints/step-00000010.pt") as file:
        file.write(b"not a real checkpoint, only bytes" * 1000)
    kept = artifacts.describe(f"runs/{run.uid}/checkpoints/step-00000010.pt")
    store.add_checkpoint(
        run.id,
        claimed.attempt,
        Checkpoint(10, 0, kept.key, kept.size_bytes, kept.sha256, datetime.now(UTC)),
    )
    if state is RunState.RUNNING:
        return store.run(run.id)
    if state is RunState.FAILED:
        return store.transition(
            run.id,
            state,
            why="the worker ended",
            failure=FailureReason.OUT_OF_MEMORY,
            error="Asked for 64 images a step; found no memory left; allowed is what fits; "
            "choose a smaller batch.",
        )
    return store.transition(run.id, state, why=f"the search is {state.value}")


def extend_run(store: RunStore, run: Run, search: Synthetic, first: int, end: int) -> None:
    """Record snapshots ``first`` to ``end`` of a running run, with progress."""
    latest: dict[str, float] = {}
    for start in range(first, end, 200):
        batch = [search.snapshot(number) for number in range(start, min(start + 200, end))]
        for snapshot in batch:
            latest |= snapshot.metrics
        progress = search.progress(batch[-1])
        progress = replace(progress, score=latest.get("child_accuracy"), gap=latest.get("gap"))
        store.append(run.id, run.attempt, batch, progress)


def main() -> None:
    """Seed the home in the environment: ``python -m tests.e2e.seeding [COUNT]``."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    settings = Settings.from_environment()
    os.makedirs(settings.home, exist_ok=True)
    store, artifacts = open_store(settings), open_artifacts(settings)
    alive(store)
    seed_run(store, artifacts, count=count, name="Digits, seed 0")
    seed_run(store, artifacts, count=count, upto=count // 3, state=RunState.FAILED, seed=1)
    seed_run(store, artifacts, count=count, upto=count // 2, state=RunState.PAUSED, seed=2)
    seed_run(store, artifacts, count=count, upto=count // 2, state=RunState.RUNNING, seed=3)
    waiting = seed_run(store, artifacts, count=count, state=RunState.QUEUED, seed=4)
    store.set_waiting(waiting.id, "cpu is taken by run 4")


if __name__ == "__main__":
    main()
