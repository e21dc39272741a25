"""Alphas that stand for given probabilities: where a fork of a search starts."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from engine.domain.snapshot import Masks, Rows
from engine.domain.space import Scope, SearchSpace
from engine.model.estimator import Normalisation

SMALLEST = 1e-7
"""Stands for a 0 that was recorded without a ban; below the resolution of float32 at 1."""


def alphas_for(
    space: SearchSpace,
    probabilities: Mapping[str, Rows],
    *,
    banned: Mapping[str, Masks],
    scope: Scope,
    normalisation: Normalisation,
) -> dict[str, Float[Tensor, "E K"]]:
    """Alphas whose probabilities are the given ones.

    ``softmax``: alpha = log p, since softmax(log p) = p; any constant added to
    a row would do as well. ``relu``: alpha = p, since the shares of p are p;
    what has probability 0 there never recovers, as in the search itself.

    What was banned has no probability of its own. It gets the mean alpha of
    its row, so that it matters only to a search in which it is allowed again,
    and there stands in the middle of the others.

    Args:
        space: The space of the rows.
        probabilities: Per cell kind, E rows of K probabilities.
        banned: Per cell kind, one bit mask an edge: what was banned then.
        scope: Which items form one probability row.
        normalisation: How alphas become probabilities.
    """
    return {
        kind: torch.tensor(_cell(space.rows(scope), rows, banned[kind], normalisation))
        for kind, rows in probabilities.items()
    }


def _cell(
    edges_of_row: Sequence[range], rows: Rows, banned: Masks, normalisation: Normalisation
) -> list[list[float]]:
    alphas: list[list[float]] = []
    for edges in edges_of_row:
        found = [
            [None if banned[edge] >> k & 1 else _alpha(p, normalisation) for k, p in row]
            for edge, row in ((edge, enumerate(rows[edge])) for edge in edges)
        ]
        known = [alpha for row in found for alpha in row if alpha is not None]
        mean = math.fsum(known) / len(known)
        alphas += [[mean if alpha is None else alpha for alpha in row] for row in found]
    return alphas


def _alpha(probability: float, normalisation: Normalisation) -> float:
    if normalisation == "relu":
        return probability
    return math.log(probability or SMALLEST)
