"""The network to take home: a fixed function with all that a file format needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.domain.cost import Cost
from engine.domain.genotype import Genotype


@dataclass(frozen=True)
class Port:
    """An input or output of a network.

    Attributes:
        name: In graph formats.
        batch_axis: The axis that may have any length.
    """

    name: str
    batch_axis: int = 0


@dataclass(frozen=True, eq=False)
class Child:
    """A trained network in evaluation mode, on the CPU.

    Attributes:
        network: Takes and gives tensors.
        inputs: What it takes.
        outputs: What it gives.
        example: Real inputs, with two batch items at least.
        genotype: Its cells.
        source: The plain Python file that defines it.
        build: Expression over the names of ``source`` that gives the network
            without its weights.
        facts: What the model card says of it, as JSON values: ``task``,
            ``data``, ``figures``, ``preprocessing``, ``labels``,
            ``statistics``, ``origin``.
    """

    network: nn.Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    example: tuple[Tensor, ...]
    genotype: Genotype
    source: str
    build: str
    facts: Mapping[str, Any]

    def answer(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The network's outputs, without a graph."""
        with torch.no_grad():
            outputs = self.network(*inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def of_another_size(self, count: int) -> tuple[Tensor, ...]:
        """The example with another number of batch items, which repeat."""
        return tuple(
            value.index_select(port.batch_axis, torch.arange(count) % value.shape[port.batch_axis])
            for port, value in zip(self.inputs, self.example, strict=True)
        )

    def cost(self) -> Cost:
        """Trainable parameters, and multiply-adds of one batch item, by running it."""
        parameters = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        items = self.example[0].shape[self.inputs[0].batch_axis]
        with FlopCounterMode(display=False) as counter:
            self.answer(self.example)
        return Cost(parameters, counter.get_total_flops() // (2 * items))


def furthest(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """Largest difference of any two entries, beside the largest value where that is above 1."""
    return max(
        (one - other).abs().max().item() / max(1.0, one.abs().max().item())
        for one, other in zip(first, second, strict=True)
    )
