"""Operation-level early stopping: an operation that only fits the training data stops moving.

Jiang et al. 2023 (OLES, NeurIPS), "Operation-level early stopping for
robustifying differentiable NAS".
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from engine.model.network import SearchNetwork
from engine.model.supernet import Supernet


@dataclass
class Agreements:
    """What is remembered of each operation from step to step; it is in the checkpoint.

    Attributes:
        sums: Sum of the cosines of the present window.
        counts: How many cosines the sum has.
        stopped: Whether the operation moves no more.
    """

    sums: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    stopped: list[bool] = field(default_factory=list)

    @classmethod
    def of(cls, operations: int) -> "Agreements":
        """Nothing seen yet of so many operations."""
        return cls([0.0] * operations, [0] * operations, [False] * operations)

    @property
    def stopped_share(self) -> float:
        """Share of the operations that have stopped, 0 to 1; there is at least one."""
        return sum(self.stopped) / len(self.stopped)

    def state_dict(self) -> dict[str, Any]:
        """All of it in plain types."""
        return asdict(self)


class EarlyStopping:
    """Compares, in one step, the gradients of each operation on two batches.

    With g the gradient of the training loss and g' that of the validation loss
    with respect to all weights of one operation at the same weights and codes,
    each step in which the operation is on gives one cosine::

        cos(g, g') = <g, g'> / (|g| |g'|)

    After ``window`` of them their mean is compared with ``threshold``: below
    it, the operation stops for good; else the next window begins (the
    paper's gradient matching score, which it takes over 20 steps and compares
    with 0.4). Each operation of each edge and cell is judged alone.

    Three points are ours. The paper's mixture runs every operation in every
    step; here only steps count in which the code has it. Its released program
    compares the validation gradient with the training gradient of the step
    before and takes the mean of cosines along one axis of each tensor; here
    both gradients are of the same weights, and all weights of an operation are
    one vector. A gradient of exactly zero has no direction and is not counted.

    Args:
        operations: Per operation, its weights.
        agreements: What is remembered of them; changed in place.
        threshold: Smallest mean cosine with which an operation goes on.
        window: Number of cosines in a mean, at least 1.
    """

    def __init__(
        self,
        operations: Sequence[Sequence[nn.Parameter]],
        agreements: Agreements,
        *,
        threshold: float,
        window: int,
    ) -> None:
        self._operations = operations
        self._agreements = agreements
        self._threshold = threshold
        self._window = window
        self._validation: dict[int, Tensor] = {}

    def watched(self) -> set[nn.Parameter]:
        """The weights whose validation gradient is asked for: of all that have not stopped."""
        pairs = zip(self._operations, self._agreements.stopped, strict=True)
        return {weight for weights, stopped in pairs if not stopped for weight in weights}

    def note_validation(self) -> None:
        """Take the gradients that the weights have now as those on validation data."""
        self._validation = self._gradients()

    def apply(self) -> None:
        """Take those that they have now as those on training data: compare, then stop.

        What has stopped has no gradient afterwards, so that no optimiser moves
        it, neither by momentum nor by weight decay.
        """
        training = self._gradients()
        compared = [number for number in self._validation if number in training]
        if compared:
            cosines = [_cosine(training[one], self._validation[one]) for one in compared]
            for number, cosine in zip(compared, torch.stack(cosines).tolist(), strict=True):
                self._count(number, cosine)
        self._validation = {}
        for weights, stopped in zip(self._operations, self._agreements.stopped, strict=True):
            if stopped:
                for weight in weights:
                    weight.grad = None

    def _gradients(self) -> dict[int, Tensor]:
        """Per number of an operation that has gradients and moves, all of them in one vector."""
        found = {}
        for number, weights in enumerate(self._operations):
            gradients = [weight.grad for weight in weights]
            if not self._agreements.stopped[number] and None not in gradients:
                found[number] = torch.cat([one.flatten() for one in gradients if one is not None])
        return found

    def _count(self, number: int, cosine: float) -> None:
        """Add a cosine to the window of an operation, and judge it where the window is full."""
        seen = self._agreements
        if math.isnan(cosine):
            return
        seen.sums[number] += cosine
        seen.counts[number] += 1
        if seen.counts[number] >= self._window:
            seen.stopped[number] = seen.sums[number] / seen.counts[number] < self._threshold
            seen.sums[number], seen.counts[number] = 0.0, 0


def operation_weights(network: SearchNetwork) -> list[list[nn.Parameter]]:
    """Per operation, the weights that are its own; none where operations share them (texts)."""
    return network.operation_weights() if isinstance(network, Supernet) else []


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Not a number where one of both is zero; by `sum`, see :mod:`engine.model.coded_sum`."""
    return torch.sum((one / one.norm()) * (other / other.norm()))
