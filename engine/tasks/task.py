"""What a task is to a search or a training: it serves batches and judges answers."""

from collections.abc import Iterator
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor

from engine.data.summaries import Summary

CarryPurpose = Literal["weights", "alphas", "validation", "test"]


class Outputs(Protocol):
    """A network's answer: a tensor, or a value of several tensors."""

    def detach(self) -> Self:
        """The same without a graph."""


class Tally(Protocol):
    """What is counted over answers; tallies of parts add up to that of the whole."""

    def __add__(self, other: Self) -> Self: ...

    @property
    def loss(self) -> float:
        """Mean loss in nats."""

    @property
    def score(self) -> float:
        """The task's main figure, in its own unit."""

    @property
    def error(self) -> float:
        """The main figure as an error: lower is better."""


Batch = tuple[Any, Tensor]
"""Inputs of the network, and the right answers."""


class Task(Protocol):
    """Serves the batches of one data set and judges the answers.

    All randomness depends on the seed and the place (epoch, index) alone, so
    that any batch can be served again in another process.

    Attributes:
        device: Where batches live.
        score_name: Name of the main figure: ``accuracy``, ``perplexity`` or
            ``mean_iou``.
    """

    device: torch.device
    score_name: str

    @property
    def summary(self) -> Summary:
        """What is known of the data without their arrays."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training data."""

    def weight_batch(self, epoch: int, index: int) -> Batch:
        """The batch of step ``index`` of an epoch, for the weights."""

    def alpha_batch(self, epoch: int, index: int) -> Batch:
        """The batch of an alternating step, for the alphas."""

    def validation_batches(self) -> Iterator[Batch]:
        """All validation data, always in the same order."""

    def test_batches(self) -> Iterator[Batch]:
        """All test data; only a training from scratch asks, once, at its end."""

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """What the step lowers."""

    def tally(self, outputs: Any, targets: Tensor) -> Tally:
        """The counts of one batch of answers."""

    def carry(self, purpose: CarryPurpose, outputs: Any) -> None:
        """Keep what the next batch of that purpose starts from, such as a hidden state."""

    def state_dict(self) -> dict[str, Any]:
        """What is carried from step to step, as plain values and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Carry on from :meth:`state_dict`."""


class NothingCarried:
    """The part of a task whose batches do not depend on each other."""

    def carry(self, purpose: CarryPurpose, outputs: Any) -> None:
        """Nothing is kept."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to carry on from."""
