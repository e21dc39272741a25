"""Supernet and child on validation data: the two sides of the gap.

Both use the same shared weights, without fine-tuning, and batch
normalisation by the statistics of the validation batch; the supernet has no
running averages that could leak into the child (paper, Table 8).
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.domain.snapshot import Masks
from engine.model.network import SearchNetwork
from engine.optimisation.loop import tally_of
from engine.tasks.task import Tally, Task

Codes = Mapping[str, Tensor]


def measure(
    task: Task, supernet: SearchNetwork, codes_of_batch: Callable[[int], Codes]
) -> Generator[None, None, Tally]:
    """The counts over all validation data.

    Args:
        task: Serves the batches.
        supernet: The network with the shared weights.
        codes_of_batch: The codes to run batch number b with: fresh ones for
            the supernet, always the derived ones for the child.

    Yields:
        Nothing, after each batch, so that the caller can stop in between.
    """

    def answer(number: int, inputs: Any) -> Any:
        with torch.no_grad():
            return supernet(inputs, codes_of_batch(number))

    return tally_of(task, answer)


def tensors_of(
    masks: Mapping[str, Masks], operations: int, device: torch.device
) -> dict[str, Tensor]:
    """Codes given as bit masks, as float tensors of shape [E, K]."""
    columns = range(operations)
    return {
        kind: torch.tensor(
            [[float(mask >> column & 1) for column in columns] for mask in edges], device=device
        )
        for kind, edges in masks.items()
    }
