"""How probable a code is: the exact law of M draws, row by row.

With M draws from a row p, the code is exactly the set S with probability

    q(S) = sum over positive compositions c of M into |S| parts
           M! / prod(c_k!) * prod(p_k ** c_k)
         = M! [x^M] prod over k in S of (exp(p_k x) - 1)

(Chang et al. 2019, Proposition 2 corrected: method property 6). Only positive
terms are added, hence without the cancellation of inclusion and exclusion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, exp, inf, log

from engine.domain.snapshot import Masks, Rows
from engine.domain.space import Scope, SearchSpace


@dataclass(frozen=True)
class CodeProbability:
    """A probability that may be far below the smallest float.

    Attributes:
        log10: Its decimal logarithm; -inf where it is 0.
    """

    log10: float

    @property
    def value(self) -> float:
        """The probability itself; 0 where it is too small for a float."""
        return float(10.0**self.log10)


def set_probability(members: Sequence[float], draws: int, *, optional: float = 0.0) -> float:
    """Probability that ``draws`` draws hit every member and nothing else.

    Args:
        members: Probabilities of the items that have to be hit.
        draws: Number of draws M, at least 1.
        optional: Probability of all items together that may be hit or not,
            such as ``none``: they add the factor exp(optional x).
    """
    ways = [optional**total for total in range(draws + 1)]
    for probability in members:
        ways = [
            sum(
                comb(total, hits) * probability**hits * ways[total - hits]
                for hits in range(1, total + 1)
            )
            for total in range(draws + 1)
        ]
    return ways[draws]


def set_log_probability(members: Sequence[float], draws: int, *, optional: float = 0.0) -> float:
    """Natural logarithm of :func:`set_probability`, which cannot underflow."""
    logs = [_log(probability) for probability in members]
    ways = [0.0] + [total * _log(optional) for total in range(1, draws + 1)]
    for log_p in logs:
        ways = [
            _log_sum(
                [
                    log(comb(total, hits)) + hits * log_p + ways[total - hits]
                    for hits in range(1, total + 1)
                ]
            )
            for total in range(draws + 1)
        ]
    return ways[draws]


def architecture_probability(
    space: SearchSpace,
    probabilities: Mapping[str, Rows],
    masks: Mapping[str, Masks],
    *,
    draws: int,
    scope: Scope,
) -> CodeProbability:
    """Probability that ``draws`` draws a row give exactly this architecture.

    The code without ``none`` stands for all codes that differ in ``none`` only:
    dropping it afterwards gives the same architecture. A row of which nothing
    is kept has therefore the probability p_none ** M, and 0 in a space without
    ``none``. Bits of ``none`` in the masks play no part. Rows are independent,
    so that their probabilities multiply.

    Args:
        space: The search space.
        probabilities: Per cell kind, E rows of K probabilities.
        masks: Per cell kind, one bit mask an edge.
        draws: Number of draws M.
        scope: Which probabilities form one row, as in the search.
    """
    total = sum(
        _log_row(space, probabilities[kind], edge_masks, edges, draws)
        for kind, edge_masks in masks.items()
        for edges in space.rows(scope)
    )
    return CodeProbability(min(total, 0.0) / log(10.0))


def _log_row(space: SearchSpace, rows: Rows, masks: Masks, edges: range, draws: int) -> float:
    none = space.none_index
    kept = [
        rows[edge][k]
        for edge in edges
        for k in range(len(space.operations))
        if k != none and masks[edge] >> k & 1
    ]
    optional = 0.0 if none is None else sum(rows[edge][none] for edge in edges)
    return set_log_probability(kept, draws, optional=optional)


def _log(probability: float) -> float:
    return log(probability) if probability > 0 else -inf


def _log_sum(logs: Sequence[float]) -> float:
    highest = max(logs, default=-inf)
    if highest == -inf:
        return -inf
    return highest + log(sum(exp(entry - highest) for entry in logs))
