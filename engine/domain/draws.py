"""How often operations were drawn, against how often their probabilities say they should be.

The codes of a search are drawn from the probabilities that are recorded beside
them, so that the two can be compared. An operation of probability p is on in a
code of M draws with probability q = 1 - (1 - p)^M, or of sound codes with the
probability that :class:`engine.domain.soundness.SoundLaw` gives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from engine.domain.config import SearchConfig
from engine.domain.snapshot import Masks, Rows, Snapshot
from engine.domain.soundness import SoundLaw
from engine.domain.space import SearchSpace

BAND = 0.95
"""Probability that a count lies in its band, at least."""


@dataclass(frozen=True)
class DrawnOften:
    """One operation on one edge over a window of snapshots.

    Attributes:
        count: In how many of the codes it was on.
        expected: The sum of its q over the snapshots.
        low: Smallest count of the binomial band, equal tails.
        high: Largest.
    """

    count: int
    expected: float
    low: int
    high: int

    @property
    def is_inside(self) -> bool:
        """Whether the count lies in the band."""
        return self.low <= self.count <= self.high


@dataclass(frozen=True)
class NodeSize:
    """How many operations the codes switch on at one node.

    Attributes:
        node: Number of the intermediate node, from 0.
        drawn: Mean number over the window; ``none`` counts.
        expected: The mean of the sum of all q of the node.
    """

    node: int
    drawn: float
    expected: float


@dataclass(frozen=True)
class DrawRecord:
    """The codes of a window beside their probabilities, for one cell kind.

    Attributes:
        kind: Cell kind.
        snapshots: How many codes were looked at.
        first_step: Step of the first of them.
        last_step: Step of the last.
        edges: E rows of K entries, in the order of the space.
        nodes: One entry an intermediate node.
    """

    kind: str
    snapshots: int
    first_step: int
    last_step: int
    edges: tuple[tuple[DrawnOften, ...], ...]
    nodes: tuple[NodeSize, ...]

    @property
    def inside(self) -> int:
        """How many entries lie in their bands."""
        return sum(entry.is_inside for row in self.edges for entry in row)

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return sum(len(row) for row in self.edges)


def record_draws(
    space: SearchSpace, config: SearchConfig, snapshots: Sequence[Snapshot]
) -> tuple[DrawRecord, ...]:
    """Compare codes with probabilities over some snapshots, one record a cell kind.

    The band is that of a binomial distribution with as many trials as there
    are snapshots and the mean of q; where q moves within the window the true
    distribution is narrower, so that at least 95 % of correct counts are inside.

    Args:
        space: The search space.
        config: For the number of draws M.
        snapshots: The window, in any order; those that draw no code, as in
            DARTS's mixture, must be left out.

    Returns:
        Nothing without a snapshot, for methods without draws, and for searches
        whose codes are drawn from something else than the probabilities.
    """
    if not snapshots or not config.draws_plainly:
        return ()
    return tuple(_of_kind(space, config, kind, snapshots) for kind in space.cell_kinds)


def inclusions(space: SearchSpace, config: SearchConfig, rows: Rows) -> Rows:
    """The probability of each operation to be on in a code of the search: E rows of K."""
    if config.sound:
        return SoundLaw(space, rows, draws=config.draws, scope=config.scope).inclusion
    return tuple(tuple(inclusion(p, config.draws) for p in row) for row in rows)


def inclusion(p: float, draws: int) -> float:
    """q = 1 - (1 - p)^M: the probability that at least one of M draws hits."""
    return 1.0 - (1.0 - p) ** draws


def binomial_band(trials: int, q: float, band: float = BAND) -> tuple[int, int]:
    """Smallest and largest count between equal tails of a binomial distribution.

    Args:
        trials: Number n of trials.
        q: Probability of a success.
        band: Each tail outside has at most (1 - band) / 2.
    """
    tail = (1 - band) / 2
    sums = list(accumulate(_binomial(trials, q)))
    low = next(count for count, below in enumerate(sums) if below > tail)
    high = next((count for count, below in enumerate(sums) if below >= 1 - tail), trials)
    return low, high


def _binomial(trials: int, q: float) -> list[float]:
    """The probabilities of 0 … n successes; through logarithms, so that none underflows early."""
    if q <= 0 or q >= 1:
        certain = 0 if q <= 0 else trials
        return [float(count == certain) for count in range(trials + 1)]
    yes, no = math.log(q), math.log1p(-q)
    return [
        math.exp(ways + count * yes + (trials - count) * no)
        for count, ways in enumerate(_log_ways(trials))
    ]


@lru_cache(maxsize=8)
def _log_ways(trials: int) -> tuple[float, ...]:
    """ln of the number of ways to choose 0 … n of n: n! / (k! (n - k)!)."""
    whole = math.lgamma(trials + 1)
    return tuple(
        whole - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
        for count in range(trials + 1)
    )


def _of_kind(
    space: SearchSpace, config: SearchConfig, kind: str, snapshots: Sequence[Snapshot]
) -> DrawRecord:
    steps = [one.step for one in snapshots]
    tables = [inclusions(space, config, one.probabilities[kind]) for one in snapshots]
    codes = [one.codes[kind] for one in snapshots]
    edges = tuple(
        tuple(_entry(tables, codes, edge, k) for k in range(len(space.operations)))
        for edge in range(len(space.edges))
    )
    return DrawRecord(
        kind=kind,
        snapshots=len(snapshots),
        first_step=min(steps),
        last_step=max(steps),
        edges=edges,
        nodes=tuple(
            _node_size(node, [edges[edge] for edge in members], len(snapshots))
            for node, members in enumerate(space.edges_of)
        ),
    )


def _entry(tables: Sequence[Rows], codes: Sequence[Masks], edge: int, k: int) -> DrawnOften:
    expected = math.fsum(table[edge][k] for table in tables)
    count = sum(code[edge] >> k & 1 for code in codes)
    low, high = binomial_band(len(tables), expected / len(tables))
    return DrawnOften(count, expected, low, high)


def _node_size(node: int, rows: Sequence[Sequence[DrawnOften]], snapshots: int) -> NodeSize:
    entries = [entry for row in rows for entry in row]
    return NodeSize(
        node,
        sum(entry.count for entry in entries) / snapshots,
        sum(entry.expected for entry in entries) / snapshots,
    )
