"""The compact form in which the browser receives frames and series.

A frame message is ``EGSF``, the length of a JSON header (uint32), the header
padded with spaces to a multiple of four, then for n frames: steps (uint32),
completed epochs (uint32), probabilities (uint8, 1/255, [n, kinds, E, K]) and
codes (bit masks, [n, kinds, E, ceil(K/8)]). All numbers are little-endian.
"""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from sys import byteorder
from typing import Any

from engine.domain.run import Run, RunState
from engine.domain.snapshot import Frames, Series, Snapshot
from engine.domain.space import SearchSpace

MAGIC = b"EGSF"
LIVELY = frozenset({RunState.QUEUED, RunState.RUNNING})
MOST_MOMENTS = 50_000
"""Snapshots that a page shows one by one; of more it shows an overview."""
OVERVIEW_MOMENTS = 10_000


def stride_of(run: Run, most: int) -> int:
    """Every how many snapshots of a run one is taken, so that at most ``most`` are."""
    snapshots = run.progress.step // run.config.snapshot_interval + run.progress.epoch + 1
    return max(1, -(-snapshots // most))


def overview_stride(run: Run) -> int:
    """Every how many snapshots of a run its page shows one: each, unless there are too many."""
    if stride_of(run, MOST_MOMENTS) == 1:
        return 1
    return stride_of(run, OVERVIEW_MOMENTS)


def status(run: Run) -> dict[str, Any]:
    """What the browser needs to know of a run to decide how to go on polling."""
    return {
        "state": str(run.state),
        "attempt": run.attempt,
        "lively": run.state in LIVELY,
        "ended": run.is_ended,
    }


def frame_message(run: Run, space: SearchSpace, frames: Frames) -> bytes:
    """Frames of a run with the header that explains them."""
    header = status(run) | {
        "n": len(frames.steps),
        "kinds": len(space.cell_kinds),
        "edges": len(space.edges),
        "operations": len(space.operations),
        "stride": frames.stride,
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join(
        (
            MAGIC,
            _uint32([len(text)]),
            text,
            _uint32(frames.steps),
            _uint32(frames.epochs),
            frames.probabilities,
            frames.codes,
        )
    )


def series_message(run: Run, series: Iterable[Series]) -> Mapping[str, Any]:
    """Metrics of a run as JSON columns; what is not finite, which JSON does not know, is null."""
    columns = {
        line.name: {
            "steps": list(line.steps),
            "values": [value if isfinite(value) else None for value in line.values],
        }
        for line in series
    }
    return status(run) | {"series": columns}


def temperature_series(epochs: Sequence[Snapshot]) -> Series:
    """The temperature over time, which a snapshot keeps apart from its metrics.

    A training draws nothing, so that it has none.
    """
    drawn = [snapshot for snapshot in epochs if snapshot.probabilities]
    return Series(
        "temperature",
        [snapshot.step for snapshot in drawn],
        [snapshot.temperature for snapshot in drawn],
    )


def _uint32(numbers: Sequence[int]) -> bytes:
    values = array("I", numbers)
    if byteorder == "big":
        values.byteswap()
    return values.tobytes()
