"""Which architectures are worth their cost: the non-dominated ones."""

from collections.abc import Sequence
from typing import Literal

Better = Literal["higher", "lower"]


def non_dominated(
    costs: Sequence[float], figures: Sequence[float], better: Better = "higher"
) -> list[int]:
    """The places of those that no other one beats, cheapest first.

    One beats another if it costs no more and has no worse figure, and is
    strictly better in one of the two. Of equals all are kept.

    Args:
        costs: Such as parameters; less is better.
        figures: Such as accuracies; none of them NaN.
        better: Which direction of the figure is good.

    Returns:
        Indices, by ascending cost; the figure never gets worse along them.
    """
    sign = -1.0 if better == "higher" else 1.0
    order = sorted(range(len(costs)), key=lambda i: (costs[i], sign * figures[i], i))
    front: list[int] = []
    best = float("inf")
    for place in order:
        loss = sign * figures[place]
        equal = bool(front) and (costs[place], figures[place]) == (
            costs[front[-1]],
            figures[front[-1]],
        )
        if loss < best or equal:
            front.append(place)
            best = loss
    return front
