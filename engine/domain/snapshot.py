"""What a search looks like at one moment, as plain values.

A code is kept as one bit mask an edge: bit k is set when operation k is on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Rows = tuple[tuple[float, ...], ...]
Masks = tuple[int, ...]


class SnapshotKind(StrEnum):
    """STEP: taken during an epoch. EPOCH: taken at its end, with the child measured."""

    STEP = "step"
    EPOCH = "epoch"


@dataclass(frozen=True)
class Snapshot:
    """The architecture distribution and its figures after ``step`` updates.

    The codes were drawn from exactly the probabilities beside them, so that
    observed frequencies can be compared with probabilities.

    A training has no architecture to find: its snapshots hold figures only, with
    no cell kinds and temperature 1.

    Attributes:
        step: Number of completed weight updates; unique within a run.
        epoch: Number of completed epochs.
        kind: Whether this is an epoch's end.
        temperature: Temperature tau of the next draw, above 0.
        probabilities: Per cell kind, E rows of K probabilities in the run's own
            normalisation: in scope ``node`` all rows of a node sum to 1.
        codes: Per cell kind, one bit mask an edge: the drawn binary code.
        metrics: Measured figures by name; a missing name was not measured.
        derived: Per cell kind, one bit mask an edge: the derived code. Only at
            the end of an epoch.
        seconds: Training time up to here, without pauses.
    """

    step: int
    epoch: int
    kind: SnapshotKind
    temperature: float
    probabilities: Mapping[str, Rows]
    codes: Mapping[str, Masks]
    metrics: Mapping[str, float] = field(default_factory=dict)
    derived: Mapping[str, Masks] | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Frames:
    """Many snapshots in the compact form that a browser plays.

    Attributes:
        steps: Step of each of the n frames, ascending.
        epochs: Completed epochs at each frame.
        probabilities: uint8 in units of 1/255, shape [n, kinds, E, K], row-major.
        codes: Bit masks, shape [n, kinds, E, ceil(K / 8)], little-endian bytes.
        stride: One of how many stored snapshots is a frame, besides every epoch's end; 1 is all.
    """

    steps: tuple[int, ...]
    epochs: tuple[int, ...]
    probabilities: bytes
    codes: bytes
    stride: int = 1


@dataclass(frozen=True)
class Series:
    """One metric over time: equally long steps and values."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]


def mask_of(row: Sequence[float]) -> int:
    """The bit mask of one row of a code: bit k is set where entry k is not 0."""
    return sum(1 << k for k, entry in enumerate(row) if entry)


def operations_in(mask: int) -> tuple[int, ...]:
    """The operation columns that a bit mask switches on, ascending."""
    return tuple(k for k in range(mask.bit_length()) if mask >> k & 1)
