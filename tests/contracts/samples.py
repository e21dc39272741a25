"""Values that the contract tests store: a clock, devices, snapshots."""

import random
from datetime import UTC, datetime, timedelta

from engine.domain.catalog import Card, Catalog, Layer, OperationCard
from engine.domain.genotype import from_masks, to_json
from engine.domain.ports import Device
from engine.domain.run import Checkpoint
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace

CPU = Device("cpu", None, "CPU", 8 << 30)
START = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)

SPACE = SearchSpace(
    "tiny", "Tiny", ("normal", "reduction"), 2, 2, tuple(f"op_{k}" for k in range(9))
)
CATALOG = Catalog(
    operations=(
        OperationCard("none", "None", "none", "none"),
        OperationCard("conv", "Convolution", "conv", "conv", (Layer(3, norm=True),), (Layer(5),)),
    ),
    spaces=(SPACE,),
    tasks=(Card("image_classification", "Images", "Sort images into classes."),),
    exporters=(Card("darts", "DARTS", "As text."),),
)
GENOTYPE_TEXT = to_json(
    from_masks(
        SPACE.with_nodes(3),
        {kind: tuple(1 << edge for edge in range(9)) for kind in SPACE.cell_kinds},
    )
)


class HeldClock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def snapshot_at(step: int, kind: SnapshotKind = SnapshotKind.STEP, **changes: object) -> Snapshot:
    """A snapshot of two cells with 5 edges and 9 operations, drawn by its step.

    At an epoch's end the probabilities are exact float32 values, as tensors hold.
    """
    draw = random.Random(step)
    whole = 1 << 20

    def rows() -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(draw.randrange(whole) / whole for _ in range(9)) for _ in range(5))

    def masks() -> dict[str, tuple[int, ...]]:
        return {kind: tuple(draw.randrange(512) for _ in range(5)) for kind in SPACE.cell_kinds}

    is_epoch = kind is SnapshotKind.EPOCH
    values = {
        "step": step,
        "epoch": step // 10,
        "kind": kind,
        "temperature": 5.0 - step / 1000,
        "probabilities": {name: rows() for name in SPACE.cell_kinds},
        "codes": masks(),
        "metrics": {"train_loss": draw.random(), **({"gap": draw.random()} if is_epoch else {})},
        "derived": masks() if is_epoch else None,
        "seconds": step / 3,
    }
    return Snapshot(**{**values, **changes})


def checkpoint_at(step: int, score: float | None = None) -> Checkpoint:
    """A checkpoint of that step."""
    key = f"runs/abc/checkpoints/step-{step:08d}.pt"
    return Checkpoint(step, step // 10, key, 12_345_678_901, "a" * 64, START, score)
