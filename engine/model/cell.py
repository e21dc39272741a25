"""A cell of the supernet: an ordered graph of nodes over two inputs."""

from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from engine.domain.cost import CellPlace
from engine.domain.space import NONE, SearchSpace
from engine.model.coded_sum import Position, Undrawn, coded_sum
from engine.model.mixed_edge import MixedEdge
from engine.model.probe import Probe
from engine.operations.blocks import (
    SEARCH,
    FactorizedReduce,
    ReLUConvNorm,
    zeros_like_strided,
)


class Cell(nn.Module):
    """All candidate operations of one cell, of which a code chooses.

    The inputs are brought to C channels and one resolution; each node sums
    what the code chooses of its incoming edges; the output is the nodes, side
    by side along the channels.

    Args:
        space: The search space.
        place: Where the cell stands in the network.
    """

    def __init__(self, space: SearchSpace, place: CellPlace) -> None:
        super().__init__()
        self.space = space
        self.kind = "reduction" if place.reduces else "normal"
        self.stride = 2 if place.reduces else 1
        adapt = FactorizedReduce if place.after_reduction else ReLUConvNorm
        self.before = adapt(place.before, place.channels, SEARCH)
        self.last = ReLUConvNorm(place.last, place.channels, SEARCH)
        self.edges = nn.ModuleList(
            MixedEdge(
                space.operations,
                place.channels,
                self.stride if edge.source < space.inputs else 1,
                SEARCH,
            )
            for edge in space.edges
        )

    def forward(
        self,
        before: Float[Tensor, "B C1 H1 W1"],
        last: Float[Tensor, "B C2 H W"],
        code: Float[Tensor, "E K"],
        drawn: list[list[bool]],
        probe: Probe | None,
    ) -> Float[Tensor, "B NC h w"]:
        """The nodes of this cell.

        Args:
            before: Output of the cell before the last, c_{k-2}.
            last: Output of the last cell, c_{k-1}.
            code: The code of this cell's kind, 0 or 1; it takes the gradient.
            drawn: The same code as plain values.
            probe: How operations that were not drawn serve alpha's gradient.
        """
        sources = [self.before(before), self.last(last)]
        for edges in self.space.edges_of:
            sources.append(self._node(sources, edges, code, drawn, probe))
        return torch.cat(sources[self.space.inputs :], dim=1)

    def _node(
        self,
        sources: list[Tensor],
        edges: range,
        code: Float[Tensor, "E K"],
        drawn: list[list[bool]],
        probe: Probe | None,
    ) -> Float[Tensor, "B C h w"]:
        positions: list[Position] = []
        values: list[Tensor] = []
        undrawn: list[Undrawn] = []
        for row, edge in enumerate(edges):
            source = sources[self.space.edges[edge].source]
            for k, name in enumerate(self.space.operations):
                if name == NONE:
                    continue
                operation = cast(MixedEdge, self.edges[edge])[name]
                if drawn[edge][k]:
                    positions.append((row, k))
                    values.append(operation(source))
                elif probe is not None and probe.includes(self.kind, edge, k):
                    undrawn.append(_undrawn((row, k), operation, source, probe))
        zeros = partial(zeros_like_strided, sources[0].detach(), self.stride)
        return coded_sum(code[edges.start : edges.stop], positions, values, undrawn, zeros)


def _undrawn(position: Position, operation: nn.Module, source: Tensor, probe: Probe) -> Undrawn:
    batch = len(source)
    images = probe.images(batch)
    part = source.detach()[:images]
    return Undrawn(position, operation, part, probe.weight * batch / images)
