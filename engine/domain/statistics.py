"""Mean, spread and paired tests of a few measurements, in plain Python.

A study measures each configuration with the same seeds. Seed s fixes the data
split for all of them, and the batches of those that share batch size and kind of
update, so that two configurations are compared by their differences seed by seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

SIGN_FLIP_LIMIT = 16
"""Largest number of differences whose 2^n signs are all tried."""

ROUNDING = 1e-9
"""Differences that spread less than this share of their size are taken for equal."""


@dataclass(frozen=True)
class Spread:
    """Some measurements in short.

    Attributes:
        mean: Their arithmetic mean.
        deviation: Sample standard deviation (n - 1); None for one measurement.
        count: Their number n.
    """

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class PairedTest:
    """What n paired differences say about their mean.

    Attributes:
        difference: Mean difference, first minus second.
        count: Number of pairs.
        p: Two-sided p of Student's paired t test; None where it cannot judge:
            one pair only, or differences that are all equal and not 0.
        exact_p: Two-sided p of the exact sign-flip test; never below
            2 ** (1 - n). None for one pair or more than ``SIGN_FLIP_LIMIT``.
    """

    difference: float
    count: int
    p: float | None
    exact_p: float | None


def spread_of(values: Sequence[float]) -> Spread | None:
    """Mean and sample standard deviation; None of nothing."""
    count = len(values)
    if not count:
        return None
    mean = math.fsum(values) / count
    if count == 1:
        return Spread(mean, None, 1)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Spread(mean, math.sqrt(squares / (count - 1)), count)


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest | None:
    """Test whether two configurations differ, seed by seed; None without pairs.

    Args:
        first: One measurement a seed.
        second: The other configuration's, in the same order of seeds.

    Raises:
        ValueError: They are not equally many.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    found = spread_of(differences)
    if found is None:
        return None
    size = max(map(abs, [*first, *second]))
    return PairedTest(
        difference=found.mean,
        count=found.count,
        p=_t_test(found, ROUNDING * size),
        exact_p=sign_flip_p(differences),
    )


def _t_test(differences: Spread, tolerance: float) -> float | None:
    """p of the t test; equal differences have no spread to measure their mean with."""
    if differences.deviation is None:
        return None
    if differences.deviation <= tolerance:
        return 1.0 if abs(differences.mean) <= tolerance else None
    t = differences.mean / (differences.deviation / math.sqrt(differences.count))
    return student_p(t, differences.count - 1)


def student_p(t: float, freedom: int) -> float:
    """Probability that Student's t with ``freedom`` degrees is at least as far from 0.

    The finite sums for whole degrees of freedom: Abramowitz and Stegun,
    26.7.3 (odd) and 26.7.4 (even).

    Raises:
        ValueError: ``freedom`` is below 1.
    """
    if freedom < 1:
        raise ValueError("degrees of freedom are at least 1")
    angle = math.atan2(abs(t), math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= cosine**2 * power / (power + 1)
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return min(1.0, max(0.0, 1.0 - inside))


def sign_flip_p(differences: Sequence[float]) -> float | None:
    """Share of all sign patterns whose sum is at least as far from 0 as the one seen.

    Exact under the assumption that the differences are symmetric around 0 and
    nothing else (Fisher's randomisation test).

    Returns:
        A number from 2 ** (1 - n) to 1; None for fewer than two differences or
        more than ``SIGN_FLIP_LIMIT``.
    """
    if not 2 <= len(differences) <= SIGN_FLIP_LIMIT:
        return None
    sizes = [abs(difference) for difference in differences]
    seen = abs(math.fsum(differences)) - ROUNDING * math.fsum(sizes)
    patterns = product((1, -1), repeat=len(sizes))
    extreme = sum(
        abs(math.fsum(sign * size for sign, size in zip(signs, sizes, strict=True))) >= seen
        for signs in patterns
    )
    return float(extreme / 2 ** len(sizes))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p values of one family, corrected so that one false alarm in it is as rare as p says.

    Holm's step-down method: the i-th smallest of k is multiplied by k - i + 1,
    and no value falls below one before it. None stays None and still counts in
    k, since the comparison was made.
    """
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, place) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(values) - rank)))
        corrected[place] = largest
    return corrected
