"""The network to take home: a fixed function with all that a file format needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan, prod
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
        axes: By number, the names of the axes that may have any length. Axes
            of the same name have the same length in all ports.
    """

    name: str
    axes: Mapping[int, str] = field(default_factory=lambda: {0: "batch"})


@dataclass(frozen=True, eq=False)
class Child:
    """A trained network in evaluation mode, on the CPU.

    Attributes:
        network: Takes and gives tensors.
        inputs: What it takes; an item is what the free axes of the first one
            number, such as an image, or a token of a stream.
        outputs: What it gives.
        example: Real inputs.
        genotype: Its cells.
        source: The plain Python file that defines it.
        build: Expression over the names of ``source`` that gives the network
            without its weights.
        facts: What the model card says of it, as JSON values: ``task``,
            ``data``, ``figures``, ``preprocessing``, ``labels``,
            ``statistics``, ``origin``.
        graph: The same network in a form that a graph with free axes can hold;
            None where it is one already.
    """

    network: nn.Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    example: tuple[Tensor, ...]
    genotype: Genotype
    source: str
    build: str
    facts: Mapping[str, Any]
    graph: nn.Module | None = None

    def answer(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The network's outputs, without a graph."""
        with torch.no_grad():
            outputs = self.network(*inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def resized(self, sizes: Mapping[str, int]) -> tuple[Tensor, ...]:
        """The example with other lengths of free axes, by name; what is there repeats."""
        return tuple(
            _repeated(
                value, {axis: sizes[name] for axis, name in port.axes.items() if name in sizes}
            )
            for port, value in zip(self.inputs, self.example, strict=True)
        )

    @property
    def sizes(self) -> dict[str, int]:
        """The lengths of the free axes in the example, by name."""
        return {
            name: value.shape[axis]
            for port, value in zip(self.inputs, self.example, strict=True)
            for axis, name in port.axes.items()
        }

    def cost(self) -> Cost:
        """Trainable parameters, and multiply-adds of one item, by running the example."""
        parameters = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        items = prod(self.example[0].shape[axis] for axis in self.inputs[0].axes)
        with FlopCounterMode(display=False) as counter:
            self.answer(self.example)
        return Cost(parameters, counter.get_total_flops() // (2 * items))


def _repeated(value: Tensor, lengths: Mapping[int, int]) -> Tensor:
    for axis, length in lengths.items():
        value = value.index_select(axis, torch.arange(length) % value.shape[axis])
    return value


def furthest(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """Largest difference of any two entries, beside the largest value where that is above 1.

    It is NaN as soon as one entry is.
    """
    return largest(
        (one - other).abs().max().item() / max(1.0, one.abs().max().item())
        for one, other in zip(first, second, strict=True)
    )


def largest(differences: Iterable[float]) -> float:
    """The largest one, or NaN if there is any, which ``max`` may pass over."""
    found = list(differences)
    return nan if any(map(isnan, found)) else max(found)
