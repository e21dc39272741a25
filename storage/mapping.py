"""Rows to values and back: the only place that knows how values are packed.

Probabilities [kinds, E, K] are little-endian, row-major: for a step in units of
1/65535 as 16 bits (error at most 7.7e-6), for an epoch's end as float32. Codes
are bit masks of ceil(K / 8) little-endian bytes an edge. Metrics are pairs of a
16-bit series number and a 64-bit float. The :class:`Layout`, kept once a run,
says the cell kinds and sizes, so that nothing else is needed to read them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import RowMapping

from engine.domain.catalog import Card, Catalog, Layer, OperationCard
from engine.domain.config import SearchConfig
from engine.domain.errors import FailureReason
from engine.domain.ports import Device, Node
from engine.domain.run import Checkpoint, EventKind, Progress, Request, Run, RunEvent, RunState
from engine.domain.snapshot import Frames, Masks, Rows, Series, Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from storage.tables import EPOCH_ENCODING

STEP_ENCODING = 0
UNIT = 65535
METRIC = np.dtype([("series", "<u2"), ("value", "<f8")])

Row = Mapping[str, Any] | RowMapping
"""The columns of one row by name."""

_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Whole microseconds since 1970 UTC."""
    return (at - _ORIGIN) // _MICROSECOND


def instant(micros_since_1970: int) -> datetime:
    """The moment, timezone-aware UTC, that :func:`micros` counted."""
    return _ORIGIN + micros_since_1970 * _MICROSECOND


def _maybe_instant(micros_since_1970: int | None) -> datetime | None:
    return None if micros_since_1970 is None else instant(micros_since_1970)


def word(choice: StrEnum | None) -> str | None:
    """The stored word of a choice; drivers are given plain strings only."""
    return None if choice is None else choice.value


# Runs ---------------------------------------------------------------------------------------


def run_columns(run: Run) -> dict[str, Any]:
    """All columns of a run but its number."""
    return {
        "uid": run.uid,
        "name": run.name,
        "state": run.state.value,
        "request": word(run.request),
        "priority": run.priority,
        "attempt": run.attempt,
        "crashes": run.crashes,
        "config": run.config.model_dump_json(),
        "parent_id": run.parent_id,
        "node": run.node,
        "device": run.device,
        "handle": run.handle,
        "waiting": run.waiting,
        "failure": word(run.failure),
        "error": run.error,
        "created_us": micros(run.created_at),
        **{
            f"{name}_us": None if at is None else micros(at)
            for name, at in (
                ("started", run.started_at),
                ("ended", run.ended_at),
                ("heartbeat", run.heartbeat_at),
                ("progress", run.progress_at),
            )
        },
        **progress_columns(run.progress),
    }


def progress_columns(progress: Progress) -> dict[str, Any]:
    """The columns of a run that say how far it is."""
    return asdict(progress)


def progress_at(row: Row, saved: Checkpoint, seconds: float) -> Progress:
    """The progress of a run that is set back to a checkpoint.

    Args:
        row: The run as it is.
        saved: The checkpoint to continue from.
        seconds: Training time at its step.
    """
    return Progress(
        step=saved.step,
        total_steps=row["total_steps"],
        epoch=saved.epoch,
        seconds=seconds,
        score=saved.score,
        score_name=None if saved.score is None else row["score_name"],
    )


def run_of(row: Row) -> Run:
    """The run in a row; settings that this version does not know are left out."""
    settings = json.loads(row["config"])
    known = {name: settings[name] for name in SearchConfig.model_fields if name in settings}
    return Run(
        id=row["id"],
        uid=row["uid"],
        name=row["name"],
        state=RunState(row["state"]),
        config=SearchConfig.model_validate(known),
        created_at=instant(row["created_us"]),
        request=None if row["request"] is None else Request(row["request"]),
        priority=row["priority"],
        attempt=row["attempt"],
        crashes=row["crashes"],
        parent_id=row["parent_id"],
        node=row["node"],
        device=row["device"],
        handle=row["handle"],
        started_at=_maybe_instant(row["started_us"]),
        ended_at=_maybe_instant(row["ended_us"]),
        heartbeat_at=_maybe_instant(row["heartbeat_us"]),
        progress_at=_maybe_instant(row["progress_us"]),
        progress=Progress(
            step=row["step"],
            total_steps=row["total_steps"],
            epoch=row["epoch"],
            seconds=row["seconds"],
            score=row["score"],
            score_name=row["score_name"],
            gap=row["gap"],
        ),
        waiting=row["waiting"],
        failure=None if row["failure"] is None else FailureReason(row["failure"]),
        error=row["error"],
    )


def event_columns(run_id: int, event: RunEvent) -> dict[str, Any]:
    """All columns of a log line but its number."""
    return {
        "run_id": run_id,
        "attempt": event.attempt,
        "at_us": micros(event.at),
        "kind": event.kind.value,
        "text": event.text,
        "before": word(event.before),
        "after": word(event.after),
    }


def event_of(row: Row) -> RunEvent:
    """The log line in a row."""
    return RunEvent(
        at=instant(row["at_us"]),
        attempt=row["attempt"],
        kind=EventKind(row["kind"]),
        text=row["text"],
        before=None if row["before"] is None else RunState(row["before"]),
        after=None if row["after"] is None else RunState(row["after"]),
    )


def checkpoint_columns(run_id: int, attempt: int, checkpoint: Checkpoint) -> dict[str, Any]:
    """All columns of a checkpoint."""
    return {
        "run_id": run_id,
        "attempt": attempt,
        "step": checkpoint.step,
        "epoch": checkpoint.epoch,
        "key": checkpoint.key,
        "size_bytes": checkpoint.size_bytes,
        "sha256": checkpoint.sha256,
        "created_us": micros(checkpoint.created_at),
        "score": checkpoint.score,
    }


def checkpoint_of(row: Row) -> Checkpoint:
    """The checkpoint in a row."""
    return Checkpoint(
        step=row["step"],
        epoch=row["epoch"],
        key=row["key"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        created_at=instant(row["created_us"]),
        score=row["score"],
    )


# Machines and the catalogue -----------------------------------------------------------------


def node_columns(node: Node) -> dict[str, Any]:
    """All columns of a machine."""
    return {
        "name": node.name,
        "process": node.process,
        "heartbeat_us": micros(node.heartbeat_at),
        "devices": json.dumps([asdict(device) for device in node.devices]),
        "versions": None if node.versions is None else json.dumps(dict(node.versions)),
    }


def node_of(row: Row) -> Node:
    """The machine in a row."""
    return Node(
        name=row["name"],
        process=row["process"],
        heartbeat_at=instant(row["heartbeat_us"]),
        devices=tuple(Device(**device) for device in json.loads(row["devices"])),
        versions=None if row["versions"] is None else json.loads(row["versions"]),
    )


def catalog_text(catalog: Catalog) -> str:
    """The catalogue as JSON."""
    return json.dumps(asdict(catalog), sort_keys=True)


def catalog_of(content: str) -> Catalog:
    """The catalogue in a JSON text."""
    parts = json.loads(content)
    return Catalog(
        operations=tuple(_operation_of(card) for card in parts["operations"]),
        spaces=tuple(_space_of(space) for space in parts["spaces"]),
        tasks=tuple(Card(**card) for card in parts["tasks"]),
        exporters=tuple(Card(**card) for card in parts["exporters"]),
    )


def _operation_of(card: dict[str, Any]) -> OperationCard:
    strided = card["strided_layers"]
    return OperationCard(
        **{
            **card,
            "layers": _layers_of(card["layers"]),
            "strided_layers": None if strided is None else _layers_of(strided),
        }
    )


def _layers_of(layers: list[dict[str, Any]]) -> tuple[Layer, ...]:
    return tuple(Layer(**layer) for layer in layers)


def _space_of(space: dict[str, Any]) -> SearchSpace:
    return SearchSpace(
        **{
            **space,
            "cell_kinds": tuple(space["cell_kinds"]),
            "operations": tuple(space["operations"]),
        }
    )


# Snapshots ----------------------------------------------------------------------------------


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
    """The sizes that a snapshot has."""
    rows = next(iter(snapshot.probabilities.values()))
    return Layout(tuple(snapshot.probabilities), len(rows), len(rows[0]))


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
    if any(len(masks[kind]) != layout.edges for kind in layout.cell_kinds):
        raise ValueError(f"codes that do not have {layout.edges} edges in each cell")
    return b"".join(
        mask.to_bytes(layout.mask_bytes, "little")
        for kind in layout.cell_kinds
        for mask in masks[kind]
    )


def _unpack_masks(packed: bytes, layout: Layout) -> dict[str, Masks]:
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
