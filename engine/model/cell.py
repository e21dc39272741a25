"""A cell of the supernet: an ordered graph of nodes over its inputs."""

from collections.abc import Sequence
from functools import partial
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from engine.domain.skeleton import CellPlace
from engine.domain.space import NONE, SearchSpace
from engine.model.coded_sum import Position, Undrawn, coded_sum
from engine.model.mixed_edge import MixedEdge
from engine.model.probe import Probe
from engine.model.skeleton import adapters, fit, gather, style_in
from engine.operations.blocks import SEARCH, zeros_like_strided


class Cell(nn.Module):
    """All candidate operations of one cell, of which a code chooses.

    The inputs are brought to C channels and one resolution; each node sums
    what the code chooses of its incoming edges; the output is the nodes, side
    by side along the channels, or what else the space says.

    As a mixture it is that of DARTS: codes are real weights, every operation
    is run, and a node is the weighted sum, differentiated as it stands.

    An offset r is added to the entries b of this cell's code, of which it
    leaves those of operations that are off at 0: a node is then the sum over
    its operations of (b_k + r_k) o_k(x), b_k > 0, differentiated as it stands
    also in r. At r = 0 values are, to the last bit, those without an offset,
    and gradients are to rounding.

    Args:
        space: The search space.
        place: Where the cell stands in the network.
        mixture: Whether codes are weights instead of choices.
    """

    def __init__(self, space: SearchSpace, place: CellPlace, *, mixture: bool = False) -> None:
        super().__init__()
        self.space = space
        self.kind = place.kind
        self.mixture = mixture
        self.stride = place.stride
        style = style_in(space.skeleton, SEARCH)
        inputs = adapters(place, style)
        self.inputs = tuple(inputs)
        for name, adapter in inputs.items():
            self.add_module(name, adapter)
        self.edges = nn.ModuleList()
        for edge in space.edges:
            reads_input = edge.source < space.inputs
            stride = 2 if place.reduces and reads_input else 1
            operations = MixedEdge(space.operations, place.channels, stride, style)
            for operation in operations.values():
                fit(operation, place, reads_input=reads_input)
            self.edges.append(operations)

    def forward(
        self,
        inputs: Sequence[Float[Tensor, "B _ _ _"]],
        code: Float[Tensor, "E K"],
        drawn: list[list[bool]],
        probe: Probe | None,
        offset: Float[Tensor, "E K"] | None = None,
    ) -> Float[Tensor, "B NC h w"]:
        """The output of this cell.

        Args:
            inputs: Outputs of the cells that it reads, c_{k-1} last.
            code: The code of this cell, 0 or 1, or the weights of a mixture; it
                takes the gradient.
            drawn: The same code as plain values.
            probe: How operations that were not drawn serve alpha's gradient.
            offset: What is added to the code of this cell alone.
        """
        adapted = zip(self.inputs, inputs, strict=True)
        sources: list[Tensor] = [self.get_submodule(name)(value) for name, value in adapted]
        for edges in self.space.edges_of:
            if self.mixture:
                weights = code if offset is None else code + offset
                sources.append(self._mixed_node(sources, edges, weights))
            else:
                sources.append(self._node(sources, edges, code, drawn, probe, offset))
        return gather(sources[self.space.inputs :], self.space.output, self.space.nodes)

    def _mixed_node(
        self, sources: list[Tensor], edges: range, code: Float[Tensor, "E K"]
    ) -> Float[Tensor, "B C h w"]:
        """sum over edges and operations of w_k o_k(x) (DARTS, Eq. 2); ``none`` adds nothing."""
        total = zeros_like_strided(sources[0], self.stride)
        for edge in edges:
            source = sources[self.space.edges[edge].source]
            operations = cast(MixedEdge, self.edges[edge])
            for name, operation in operations.items():
                total = total + code[edge, self.space.operations.index(name)] * operation(source)
        return total

    def _node(
        self,
        sources: list[Tensor],
        edges: range,
        code: Float[Tensor, "E K"],
        drawn: list[list[bool]],
        probe: Probe | None,
        offset: Float[Tensor, "E K"] | None,
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
                    value = operation(source)
                    values.append(value if offset is None else (1 + offset[edge, k]) * value)
                elif probe is not None and probe.includes(self.kind, edge, k):
                    undrawn.append(_undrawn((row, k), operation, source, probe))
        zeros = partial(zeros_like_strided, sources[0].detach(), self.stride)
        return coded_sum(code[edges.start : edges.stop], positions, values, undrawn, zeros)


def _undrawn(position: Position, operation: nn.Module, source: Tensor, probe: Probe) -> Undrawn:
    batch = len(source)
    images = probe.images(batch)
    part = source.detach()[:images]
    return Undrawn(position, operation, part, probe.weight * batch / images)
