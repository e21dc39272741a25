"""Probes: which operations that were not drawn are asked for alpha's gradient."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from engine.domain.snapshot import Masks
from engine.domain.space import SearchSpace


@dataclass(frozen=True)
class Probe:
    """How operations that were not drawn are run, value only, in one step.

    No probe at all (None) leaves them out: their alphas then move only
    through the other alphas of their row, and ``none``, whose own gradient is
    always zero, attracts.

    Attributes:
        batch_share: Share of the batch on which they are run.
        weight: Factor of their gradients that makes up for what is left out,
            apart from the batch's part.
        chosen: Per cell kind, E rows of K: which pairs of edge and operation are
            run; None for all of them.
        start: Where in a batch of streams that share begins, from 0 to below 1.
    """

    batch_share: float = 1.0
    weight: float = 1.0
    chosen: Mapping[str, Sequence[Sequence[bool]]] | None = None
    start: float = 0.0

    @classmethod
    def exact(cls) -> "Probe":
        """All of them, on the whole batch: the full gradient of alpha."""
        return cls()

    @classmethod
    def batch(cls, fraction: float, *, start: float = 0.0) -> "Probe":
        """All of them on a part of the batch.

        The gradient over n of B images is scaled by B / n. Not exactly
        unbiased: batch normalisations see n images instead of B.

        Args:
            fraction: n / B, above 0 and at most 1.
            start: Where the part begins in a batch of streams of text, from 0 to
                below 1. A stream is always the same piece of the text, so that
                only a start drawn anew at each step asks all of it. Images come
                in another order in each epoch; of them it is the first part.
        """
        return cls(batch_share=_checked(fraction), start=start)

    @classmethod
    def operations(cls, fraction: float, space: SearchSpace, generator: torch.Generator) -> "Probe":
        """Each with probability ``fraction``, weighted by its inverse: unbiased."""
        shape = (len(space.edges), len(space.operations))
        chosen = {
            kind: (torch.rand(shape, generator=generator) < fraction).tolist()
            for kind in space.cell_kinds
        }
        return cls(weight=1 / _checked(fraction), chosen=chosen)

    @classmethod
    def at_step(cls, step: int, fraction: float) -> "Probe | None":
        """All of them in that share of the steps, weighted by its inverse.

        Args:
            step: Number of the present step, from 0.
            fraction: Share of the steps; 1 / n probes at every n-th, the first
                time at step n - 1.
        """
        if math.floor((step + 1) * _checked(fraction)) == math.floor(step * fraction):
            return None
        return cls(weight=1 / fraction)

    def without(self, masks: Mapping[str, Masks], operations: int) -> "Probe":
        """The same, but for items whose gradient nobody uses: they cost nothing then.

        Args:
            masks: Per cell kind, one bit mask an edge.
            operations: Number K of operations of an edge.
        """
        if not any(mask for edges in masks.values() for mask in edges):
            return self
        chosen = {
            kind: [
                [not mask >> k & 1 and self.includes(kind, edge, k) for k in range(operations)]
                for edge, mask in enumerate(edges)
            ]
            for kind, edges in masks.items()
        }
        return replace(self, chosen=chosen)

    def images(self, batch: int) -> int:
        """How many images of a batch are run; 2 at least, for the batch statistics."""
        return min(batch, max(2, round(self.batch_share * batch)))

    def streams(self, batch: int) -> list[int] | slice:
        """Which streams of a batch are run: neighbours, going on at the front after the last."""
        count = min(batch, max(1, round(self.batch_share * batch)))
        if count == batch:
            return slice(None)
        first = int(self.start * batch)
        return [(first + number) % batch for number in range(count)]

    def includes(self, kind: str, edge: int, operation: int) -> bool:
        """Whether this operation is run when it was not drawn."""
        return self.chosen is None or self.chosen[kind][edge][operation]


def _checked(fraction: float) -> float:
    if not 0 < fraction <= 1:
        raise ValueError(f"the probe's share is {fraction}; it must be above 0 and at most 1")
    return fraction
