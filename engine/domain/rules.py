"""Ways to choose operations from probabilities, one row or one cell at a time.

Each function on a row takes the probabilities of its items and gives the
indices of those it keeps, always at least one: a code holds at least one item
a row. None keeps an item of probability 0, such as a banned one. Whether an
item is ``none`` is the caller's business, who drops it afterwards. Ties always
go to the lower index.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from engine.domain.chances import set_probability
from engine.domain.snapshot import Masks, Rows, operations_in
from engine.domain.space import SearchSpace

TIE = 1e-12
"""Relative difference below which two probabilities differ by rounding only."""

Indices = tuple[int, ...]


def most_probable_set(row: Sequence[float], draws: int) -> Indices:
    """Indices of the MAP code of one row, most probable item first.

    The maximiser is always a set of the most probable items (method property
    14), so that only those are compared. Ties between items go to the lower
    index, ties between sizes to the smaller.
    """
    possible = [item for item, probability in enumerate(row) if probability > 0]
    ranked = sorted(possible, key=lambda item: (-row[item], item))
    sizes = range(1, min(draws, len(ranked)) + 1)
    chances = [set_probability([row[item] for item in ranked[:size]], draws) for size in sizes]
    best = max(chances) * (1 - TIE)
    return tuple(ranked[: next(i for i, chance in enumerate(chances) if chance >= best) + 1])


def drawn_set(row: Sequence[float], draws: int, stream: Random) -> Indices:
    """The items that ``draws`` draws hit, ascending: Definition 1 of the paper.

    Each draw takes one number u = ``stream.random()`` and gives the first item
    whose cumulative probability is above u times the sum of the row. Items of
    probability 0 are never drawn.
    """
    items = [item for item, probability in enumerate(row) if probability > 0]
    heights = list(accumulate(row[item] for item in items))
    last = len(items) - 1
    hits = {bisect_right(heights, stream.random() * heights[-1], hi=last) for _ in range(draws)}
    return tuple(sorted(items[hit] for hit in hits))


def likely_set(row: Sequence[float], draws: int, threshold: float) -> Indices:
    """Items that ``draws`` draws keep with at least that probability.

    Item k is kept with probability 1 - (1 - p_k) ** M (method property 3).
    Where no item reaches the threshold, the most probable one stands alone.
    """
    kept = tuple(k for k, p in enumerate(row) if p > 0 and 1 - (1 - p) ** draws >= threshold)
    return kept or (max(range(len(row)), key=lambda k: row[k]),)


def voted_set(row: Sequence[float], draws: int, votes: int, stream: Random) -> Indices:
    """Items in more than half of ``votes`` codes, each drawn as in :func:`drawn_set`.

    Where no item has a majority, the one in most codes stands alone.
    """
    ballots = Counter[int]()
    for _ in range(votes):
        ballots.update(drawn_set(row, draws, stream))
    elected = tuple(sorted(k for k, count in ballots.items() if 2 * count > votes))
    return elected or (max(range(len(row)), key=lambda k: ballots[k]),)


def likely_items(inclusion: Rows, threshold: float) -> Masks:
    """One bit mask an edge: the operations that are on with at least this probability.

    Args:
        inclusion: E rows of K probabilities that a code holds an operation.
        threshold: Smallest probability.
    """
    return tuple(
        sum(1 << k for k, chance in enumerate(row) if 0 < chance >= threshold) for row in inclusion
    )


def majority(codes: Sequence[Masks]) -> Masks:
    """One bit mask an edge: the operations that are on in more than half of the codes."""
    ballots = Counter(
        (edge, k) for code in codes for edge, mask in enumerate(code) for k in operations_in(mask)
    )
    return tuple(
        sum(1 << k for (at, k), count in ballots.items() if at == edge and 2 * count > len(codes))
        for edge in range(len(codes[0]))
    )


def strongest_edges(space: SearchSpace, rows: Rows, edges_kept: int) -> Masks:
    """DARTS's rule: per node the strongest edges, with one operation each.

    An edge is as strong as its most probable operation other than ``none``
    (Liu et al. 2019, Section 2.4). A node with fewer edges keeps all of them,
    but none on which everything other than ``none`` has probability 0.

    Returns:
        One bit mask an edge.
    """
    columns = [k for k in range(len(space.operations)) if k != space.none_index]
    best = [max(columns, key=lambda k: row[k]) for row in rows]
    masks = [0] * len(rows)
    for edges in space.edges_of:
        for edge in sorted(edges, key=lambda e: (-rows[e][best[e]], e))[:edges_kept]:
            if rows[edge][best[edge]] > 0:
                masks[edge] = 1 << best[edge]
    return tuple(masks)
