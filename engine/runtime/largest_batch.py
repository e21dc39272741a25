"""The largest batch that fits: tried on a GPU, estimated from measured growth on a CPU.

A CPU's memory is not filled up to find out, since the machine would swap or end
another process.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from engine.data.text import TextData
from engine.domain.config import SearchConfig, bounds_of
from engine.runtime.rehearsal import Rehearsal, rehearse

Limit = Literal["memory", "data", "time"]

TRIED_STEPS = 2
TRYING_SECONDS = 120.0
"""No larger batch is tried after this."""

CPU_SECONDS = 20.0
SLOW_SECONDS = 60.0
"""A trial on a CPU that is expected to take longer is left out."""

SAFE_SHARE = 0.5
"""Of the free memory, what a trial on a CPU may come to need by its own forecast."""

USED_SHARE = 0.9
"""Of the free memory, what the estimate fills."""

MEASURABLE_BYTES = 32 * 2**20
"""Growth of memory below this is noise."""

Try = Callable[[int], Rehearsal | None]


@dataclass(frozen=True)
class Largest:
    """The largest batch.

    Attributes:
        batch_size: Items; 0 if not even the smallest batch fits.
        limit: What stands in the way of a larger one.
        is_estimated: Whether it was computed instead of tried.
    """

    batch_size: int
    limit: Limit
    is_estimated: bool


def most_items(config: SearchConfig, data: Any) -> int:
    """The largest batch that the data and the bounds of the setting allow."""
    parts = 2 if config.update == "alternating" else 1
    if isinstance(data, TextData):
        items = len(data.train) // parts // (config.bptt + 1)
    else:
        items = len(data.train) // parts
    return min(items, _bounds()[1])


def _bounds() -> tuple[int, int]:
    low, high = bounds_of(SearchConfig.model_fields["batch_size"])
    return int(low or 1), int(high or 2**31)


def trying(config: SearchConfig, data: Any, device: torch.device) -> Try:
    """Two real steps of another batch size; None where memory did not suffice."""

    def attempt(batch_size: int) -> Rehearsal | None:
        other = config.model_copy(update={"batch_size": batch_size})
        return rehearse(other, data, device, steps=TRIED_STEPS, evaluates=False)

    return attempt


def by_doubling(attempt: Try, *, fits: int, most: int) -> Largest:
    """The largest power of two times a batch that fits, found by real steps.

    Args:
        attempt: Takes a few steps of a batch size.
        fits: A batch size that fits.
        most: The largest one that is possible at all.
    """
    started = time.monotonic()
    while fits < most:
        if time.monotonic() - started > TRYING_SECONDS:
            return Largest(fits, "time", is_estimated=False)
        larger = min(2 * fits, most)
        if attempt(larger) is None:
            return Largest(fits, "memory", is_estimated=False)
        fits = larger
    return Largest(fits, "data", is_estimated=False)


def by_halving(attempt: Try, *, too_large: int) -> Largest:
    """The first half, quarter, eighth … of a batch that fits, found by real steps."""
    least = _bounds()[0]
    size = too_large // 2
    while size >= least:
        if attempt(size) is not None:
            return Largest(size, "memory", is_estimated=False)
        size //= 2
    return Largest(0, "memory", is_estimated=False)


def by_growth(
    attempt: Try, first: Rehearsal, *, before_bytes: int, free_bytes: int, most: int
) -> Largest:
    """The largest batch by the growth of memory between two batch sizes.

    Memory is taken to grow in proportion: p(b) = p(b1) + s (b - b1) with
    s = (p(b2) - p(b1)) / (b2 - b1); the estimate is the largest b with
    p(b) - p0 at most 90 % of what was free at p0. Where growth cannot be
    measured, all memory of the first batch is taken to be due to its items.

    Args:
        attempt: Takes a few steps of a batch size.
        first: The steps of the batch b1 of the settings.
        before_bytes: Memory p0 of this process before them, with the data.
        free_bytes: Memory that was free then.
        most: The largest batch that is possible at all.
    """
    used = max(1, first.training_bytes - before_bytes)
    slope = used / first.batch_size
    last, started = first, time.monotonic()
    while (size := min(2 * last.batch_size, most)) > last.batch_size:
        forecast = used + (size - first.batch_size) * used / first.batch_size
        slow = 2 * TRIED_STEPS * last.step_seconds > SLOW_SECONDS
        late = time.monotonic() - started > CPU_SECONDS
        if slow or late or forecast > SAFE_SHARE * free_bytes:
            break
        larger = attempt(size)
        if larger is None:
            return Largest(last.batch_size, "memory", is_estimated=False)
        last = larger
        growth = last.training_bytes - first.training_bytes
        if growth >= MEASURABLE_BYTES:
            slope = growth / (last.batch_size - first.batch_size)
            break
    room = USED_SHARE * free_bytes - used
    found = max(last.batch_size, int(first.batch_size + room / slope))
    if found >= most:
        return Largest(most, "data", is_estimated=last.batch_size < most)
    return Largest(_rounded(found, at_least=last.batch_size), "memory", is_estimated=True)


def _rounded(number: int, *, at_least: int) -> int:
    """Two digits are all that an estimate is worth; downwards."""
    step = 10 ** max(0, len(str(number)) - 2)
    return max(at_least, number // step * step)
