"""The one place where tensors become values."""

import math
from collections.abc import Mapping

from torch import Tensor

from engine.domain.snapshot import Masks, Rows, mask_of
from engine.domain.space import Scope, SearchSpace


def observe_rows(tensors: Mapping[str, Tensor]) -> dict[str, Rows]:
    """Per cell kind, E rows of K numbers."""
    return {
        kind: tuple(tuple(row) for row in tensor.detach().tolist())
        for kind, tensor in tensors.items()
    }


def observe_codes(codes: Mapping[str, Tensor]) -> dict[str, Masks]:
    """Per cell kind, one bit mask an edge."""
    return {
        kind: tuple(mask_of(row) for row in code.detach().tolist()) for kind, code in codes.items()
    }


def entropy(space: SearchSpace, rows: Mapping[str, Rows], scope: Scope) -> float:
    """Mean entropy of all probability rows, each divided by that of its uniform.

    1 means that nothing is decided yet, 0 that every row is one-hot.
    """
    shares = [
        _row_entropy([p for edge in edges for p in cell[edge]])
        for cell in rows.values()
        for edges in space.rows(scope)
    ]
    return sum(shares) / len(shares)


def _row_entropy(row: list[float]) -> float:
    return -sum(p * math.log(p) for p in row if p > 0) / math.log(len(row))
