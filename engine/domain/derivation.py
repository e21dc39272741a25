"""From probabilities to one architecture: the MAP code of the ensemble.

With M draws from a row p, the code is exactly the set S with probability

    q(S) = sum over positive compositions c of M into |S| parts
           M! / prod(c_k!) * prod(p_k ** c_k)

(Chang et al. 2019, Proposition 2 corrected: method property 6). Its maximiser
is always a set of the most probable items, so that only those are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

from engine.domain.snapshot import Masks, Rows
from engine.domain.space import Scope, SearchSpace

RuleName = Literal["map"]


@dataclass(frozen=True)
class DerivationRule:
    """How a genotype is read off probabilities; written into the genotype.

    Attributes:
        name: ``map`` keeps the most probable code.
        draws: Number of draws M of the search.
        scope: Which probabilities form one row; the search's own.
        none_pooled: In scope ``node``, whether the ``none`` items of all
            incoming edges count as one item. Drawing any of them adds nothing
            to the node, so pooling changes no draw, only the ranking here.
    """

    name: RuleName = "map"
    draws: int = 7
    scope: Scope = "node"
    none_pooled: bool = True


TIE = 1e-12
"""Relative difference below which two probabilities differ by rounding only."""


def set_probability(members: Sequence[float], draws: int) -> float:
    """Probability that ``draws`` draws hit every member and nothing else.

    Computed as M! [x^M] prod_k (exp(p_k x) - 1), a sum of positive terms only,
    hence without the cancellation of inclusion and exclusion.
    """
    ways = [1.0] + [0.0] * draws
    for probability in members:
        ways = [
            sum(
                comb(total, hits) * probability**hits * ways[total - hits]
                for hits in range(1, total + 1)
            )
            for total in range(draws + 1)
        ]
    return ways[draws]


def most_probable_set(row: Sequence[float], draws: int) -> tuple[int, ...]:
    """Indices of the MAP code of one row, most probable item first.

    Ties between items go to the lower index, ties between sizes to the smaller.
    """
    ranked = sorted(range(len(row)), key=lambda item: (-row[item], item))
    sizes = range(1, min(draws, len(row)) + 1)
    chances = [set_probability([row[item] for item in ranked[:size]], draws) for size in sizes]
    best = max(chances) * (1 - TIE)
    return tuple(ranked[: next(i for i, chance in enumerate(chances) if chance >= best) + 1])


def derive(
    space: SearchSpace, probabilities: Mapping[str, Rows], rule: DerivationRule
) -> dict[str, Masks]:
    """The derived code of each cell kind, without ``none``.

    Args:
        space: The search space that the rows belong to.
        probabilities: Per cell kind, E rows of K probabilities.
        rule: The rule; its scope must be the one that the rows are normalised in.

    Returns:
        Per cell kind, one bit mask an edge. A node may end up with nothing.
    """
    return {kind: _derive_cell(space, rows, rule) for kind, rows in probabilities.items()}


def _derive_cell(space: SearchSpace, rows: Rows, rule: DerivationRule) -> Masks:
    masks = [0] * len(space.edges)
    for edges in space.rows(rule.scope):
        items = _row_items(space, rows, edges, rule)
        for index in most_probable_set([probability for _, _, probability in items], rule.draws):
            edge, operation, _ = items[index]
            if operation != space.none_index:
                masks[edge] |= 1 << operation
    return tuple(masks)


def _row_items(
    space: SearchSpace, rows: Rows, edges: range, rule: DerivationRule
) -> list[tuple[int, int, float]]:
    """(edge, operation, probability) of one row, ``none`` pooled where asked."""
    items = [(edge, k, rows[edge][k]) for edge in edges for k in range(len(space.operations))]
    none = space.none_index
    if none is None or not rule.none_pooled:
        return items
    pooled = (edges[0], none, sum(rows[edge][none] for edge in edges))
    return [pooled, *(item for item in items if item[1] != none)]
