"""What a table of architecture probabilities says in single numbers."""

import math
from collections.abc import Mapping, Sequence

from engine.domain.snapshot import Rows
from engine.domain.space import Scope, SearchSpace


def rows_of(space: SearchSpace, table: Mapping[str, Rows], scope: Scope) -> list[list[float]]:
    """All probability vectors of the scope; each sums to 1."""
    return [
        [p for edge in edges for p in cell[edge]]
        for cell in table.values()
        for edges in space.rows(scope)
    ]


def entropy(space: SearchSpace, table: Mapping[str, Rows], scope: Scope) -> float:
    """Mean entropy of all probability rows, each divided by that of its uniform.

    1 means that nothing is decided yet, 0 that every row is one-hot.
    """
    shares = [_row_entropy(row) for row in rows_of(space, table, scope)]
    return sum(shares) / len(shares)


def margin(space: SearchSpace, table: Mapping[str, Rows], scope: Scope) -> float:
    """Mean over all rows of the largest probability minus the second largest."""
    gaps = [_margin(row) for row in rows_of(space, table, scope)]
    return sum(gaps) / len(gaps)


def mass(
    space: SearchSpace, table: Mapping[str, Rows], scope: Scope, names: frozenset[str]
) -> float:
    """Mean over all rows of the probability of the operations with these names."""
    columns = [k for k, name in enumerate(space.operations) if name in names]
    total = sum(row[k] for cell in table.values() for row in cell for k in columns)
    return total / len(rows_of(space, table, scope))


def _row_entropy(row: Sequence[float]) -> float:
    return -sum(p * math.log(p) for p in row if p > 0) / math.log(len(row))


def _margin(row: Sequence[float]) -> float:
    first, second = sorted(row, reverse=True)[:2]
    return first - second
