"""Snapshots to bytes and back: the only place that knows how they are packed.

Probabilities [kinds, E, K] are little-endian, row-major: for a step in units of
1/65535 as 16 bits (error at most 7.7e-6), for an epoch's end as float32. Codes
are bit masks of ceil(K / 8) little-endian bytes an edge. Metrics are pairs of a
16-bit series number and a 64-bit float. The :class:`Layout`, kept once a run,
says the cell kinds and sizes, so that nothing else is needed to read them. A
training has no architecture to record: its layout has no kinds, and its
snapshots hold metrics only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.snapshot import Frames, Masks, Rows, Series, Snapshot, SnapshotKind
from storage.mapping import Row
from storage.tables import EPOCH_ENCODING

STEP_ENCODING = 0
UNIT = 65535
METRIC = np.dtype([("series", "<u2"), ("value", "<f8")])


@dataclass(frozen=True)
class Layout:
    """Which cell kinds, in which order, and how many edges E and operations K."""

    cell_kinds: tuple[str, ...]
    edges: int
    operations: int

    @property
    def numbers(self) -> int:
        """Probabilities in one snapshot."""
        return len(self.cell_kinds) * self.edges * self.operations

    @property
    def mask_bytes(self) -> int:
        """Bytes of one edge's mask."""
        return -(-self.operations // 8)


def layout_of_snapshot(snapshot: Snapshot) -> Layout:
    """The sizes that a snapshot has; without probabilities, those of a training."""
    kinds = tuple(snapshot.probabilities)
    if not kinds:
        return Layout((), 0, 0)
    rows = snapshot.probabilities[kinds[0]]
    return Layout(kinds, len(rows), len(rows[0]))


def layout_columns(run_id: int, layout: Layout) -> dict[str, Any]:
    """All columns of a run's layout."""
    return {
        "run_id": run_id,
        "cell_kinds": json.dumps(layout.cell_kinds),
        "edges": layout.edges,
        "operations": layout.operations,
    }


def layout_of(row: Row) -> Layout:
    """The layout in a row."""
    return Layout(tuple(json.loads(row["cell_kinds"])), row["edges"], row["operations"])


def snapshot_columns(
    snapshot: Snapshot, layout: Layout, series_ids: Mapping[str, int]
) -> dict[str, Any]:
    """All columns of a snapshot but its run and ``seq``.

    Args:
        snapshot: The value to pack.
        layout: The layout of its run.
        series_ids: The run's number of each metric, below 65536.

    Raises:
        ValueError: The snapshot has another layout, or a probability is not a number.
    """
    is_epoch = snapshot.kind is SnapshotKind.EPOCH
    return {
        "step": snapshot.step,
        "epoch": snapshot.epoch,
        "enc": EPOCH_ENCODING if is_epoch else STEP_ENCODING,
        "temperature": snapshot.temperature,
        "seconds": snapshot.seconds,
        "probabilities": _pack_probabilities(snapshot, layout, exact=is_epoch),
        "codes": _pack_masks(snapshot.codes, layout),
        "derived": None if snapshot.derived is None else _pack_masks(snapshot.derived, layout),
        "metrics": np.array(
            [(series_ids[name], value) for name, value in snapshot.metrics.items()], METRIC
        ).tobytes(),
    }


def snapshot_of(row: Row, layout: Layout, series_names: Mapping[int, str]) -> Snapshot:
    """The snapshot in a row."""
    return Snapshot(
        step=row["step"],
        epoch=row["epoch"],
        kind=SnapshotKind.EPOCH if row["enc"] == EPOCH_ENCODING else SnapshotKind.STEP,
        temperature=row["temperature"],
        probabilities=_unpack_probabilities(row["probabilities"], row["enc"], layout),
        codes=_unpack_masks(row["codes"], layout),
        metrics={
            series_names[number]: value
            for number, value in np.frombuffer(row["metrics"], METRIC).tolist()
        },
        derived=None if row["derived"] is None else _unpack_masks(row["derived"], layout),
        seconds=row["seconds"],
    )


def frames_of(rows: Sequence[Sequence[Any]], layout: Layout | None, stride: int) -> Frames:
    """Many snapshots for the browser, without building them one by one.

    Args:
        rows: (step, epoch, enc, probabilities, codes) in ascending order of step.
        layout: The layout of their run; None if nothing was stored yet.
        stride: Every how many stored snapshots one was taken.
    """
    if not rows or layout is None:
        return Frames((), (), b"", b"", stride)
    steps, epochs, encodings, probabilities, codes = zip(*rows, strict=True)
    shades = np.empty((len(rows), layout.numbers), np.uint8)
    kinds = np.array(encodings)
    for encoding, to_shade in ((STEP_ENCODING, _shade_of_fixed), (EPOCH_ENCODING, _shade_of_float)):
        chosen = np.flatnonzero(kinds == encoding)
        packed = b"".join(probabilities[index] for index in chosen.tolist())
        shades[chosen] = to_shade(packed).reshape(len(chosen), layout.numbers)
    return Frames(steps, epochs, shades.tobytes(), b"".join(codes), stride)


def series_of(rows: Sequence[Sequence[Any]], series_names: Mapping[int, str]) -> list[Series]:
    """Every metric over time, in the order of the series' numbers.

    Args:
        rows: (step, metrics) in ascending order of step.
        series_names: Name of each series of the run.
    """
    if not rows:
        return []
    steps, packed = zip(*rows, strict=True)
    pairs = np.frombuffer(b"".join(packed), METRIC)
    lengths = [len(metrics) // METRIC.itemsize for metrics in packed]
    step_of_pair = np.repeat(np.array(steps, np.int64), lengths)
    curves = []
    for number, name in sorted(series_names.items()):
        chosen = pairs["series"] == number
        if chosen.any():
            values = tuple(pairs["value"][chosen].tolist())
            curves.append(Series(name, tuple(step_of_pair[chosen].tolist()), values))
    return curves


def _pack_probabilities(snapshot: Snapshot, layout: Layout, *, exact: bool) -> bytes:
    shape = (len(layout.cell_kinds), layout.edges, layout.operations)
    if set(snapshot.probabilities) != set(layout.cell_kinds):
        raise ValueError(f"another shape: cell kinds {tuple(snapshot.probabilities)}")
    if not layout.cell_kinds:
        return b""
    values = np.array([snapshot.probabilities[kind] for kind in layout.cell_kinds], np.float64)
    if values.shape != shape:
        raise ValueError(f"probabilities of shape {values.shape} in a run of {shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"a probability at step {snapshot.step} is not a finite number")
    if exact:
        return values.astype("<f4").tobytes()
    return np.rint(values.clip(0.0, 1.0) * UNIT).astype("<u2").tobytes()


def _unpack_probabilities(packed: bytes, encoding: int, layout: Layout) -> dict[str, Rows]:
    if encoding == EPOCH_ENCODING:
        numbers = np.frombuffer(packed, "<f4").astype(np.float64)
    else:
        numbers = np.frombuffer(packed, "<u2") / UNIT
    cells = numbers.reshape(len(layout.cell_kinds), layout.edges, layout.operations).tolist()
    return {
        kind: tuple(tuple(row) for row in cell)
        for kind, cell in zip(layout.cell_kinds, cells, strict=True)
    }


def _pack_masks(masks: Mapping[str, Masks], layout: Layout) -> bytes:
    if set(masks) != set(layout.cell_kinds):
        raise ValueError(f"another shape: codes of the cell kinds {tuple(masks)}")
    if any(len(masks[kind]) != layout.edges for kind in layout.cell_kinds):
        raise ValueError(f"codes that do not have {layout.edges} edges in each cell")
    return b"".join(
        mask.to_bytes(layout.mask_bytes, "little")
        for kind in layout.cell_kinds
        for mask in masks[kind]
    )


def _unpack_masks(packed: bytes, layout: Layout) -> dict[str, Masks]:
    if not layout.cell_kinds:
        return {}
    width = layout.mask_bytes
    masks = [
        int.from_bytes(packed[start : start + width], "little")
        for start in range(0, len(packed), width)
    ]
    edges = layout.edges
    return {
        kind: tuple(masks[place * edges : (place + 1) * edges])
        for place, kind in enumerate(layout.cell_kinds)
    }


def _shade_of_fixed(packed: bytes) -> NDArray[np.uint8]:
    """Units of 1/65535 to units of 1/255, to the nearest; 65535 = 255 * 257."""
    numbers = np.frombuffer(packed, "<u2").astype(np.uint32)
    return ((numbers + 128) // 257).astype(np.uint8)


def _shade_of_float(packed: bytes) -> NDArray[np.uint8]:
    numbers = np.frombuffer(packed, "<f4")
    return np.rint(numbers.clip(0.0, 1.0) * np.float32(255)).astype(np.uint8)
