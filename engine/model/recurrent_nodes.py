"""The value of a node of the recurrent supernet, and its code's gradient."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from engine.domain.space import NONE, SearchSpace
from engine.model.probe import Probe
from engine.model.recurrent_derived import RecurrentCell

KIND = "recurrent"

Streams = list[int] | slice
"""Which streams of a batch."""


class CodedNodes:
    """Each node is the mean of what a binary code draws, over one window of text.

    With n operations drawn, value v and the gradient delta of the node at a
    time step, the code's gradient is, drawn or not::

        d / d b_k = sum over time of <delta, o_k(s_i) - v> / n      n > 1
        d / d b_k = sum over time of <delta, o_k(s_i)>              n <= 1

    The first line is the derivative of a mean. With one operation it would be
    zero, and ``none``, which leaves the mean as it is, as good as any other;
    but without its only operation the node is not the mean but zero, which is
    what the second line says.

    What was not drawn passes no gradient on, so that its values are computed
    in the backward pass only; there all time steps are at hand, and each edge
    is one matrix product.

    Args:
        cell: The weights.
        activations: The functions by name.
        space: The search space.
        code: Entries 0 or 1.
        probe: How what was not drawn serves the code's gradient.
        mask: Dropout mask of the states.
        shape: Time steps T, streams B, units H.
    """

    def __init__(
        self,
        cell: RecurrentCell,
        activations: nn.ModuleDict,
        space: SearchSpace,
        *,
        code: Float[Tensor, "E K"],
        probe: Probe | None,
        mask: Float[Tensor, "B H"] | None,
        shape: tuple[int, int, int],
    ) -> None:
        self._cell = cell
        self._activations = activations
        self._last = space.nodes - 1
        self._mask = mask
        drawn = (code.detach() > 0.5).tolist()
        self._genes = [
            [
                (name, space.edges[edge].source)
                for edge in edges
                for k, name in enumerate(space.operations)
                if drawn[edge][k] and name != NONE
            ]
            for edges in space.edges_of
        ]
        self._past = _Past(
            cell,
            activations,
            space,
            drawn=drawn,
            counts=[len(genes) for genes in self._genes],
            probe=probe,
            mask=mask,
        )
        self._offsets = _make_offsets(self._past, code, shape) if code.requires_grad else None

    def __call__(self, node: int, time: int, states: Sequence[Tensor]) -> Float[Tensor, "B H"]:
        """The value of a node from the states before it."""
        mean = self._cell.mean_of(node, self._genes[node], states, self._mask, self._activations)
        if self._offsets is None:
            return mean
        if node == self._last:
            self._past.trace.append([state.detach() for state in states])
        return mean + self._offsets[node][time]


def _make_offsets(
    past: "_Past", code: Float[Tensor, "E K"], shape: tuple[int, int, int]
) -> list[tuple[Tensor, ...]]:
    """Per node and time step, zeros through which the code sees delta."""
    offsets = []
    for node, edges in enumerate(past.space.edges_of):
        rows = code[edges.start : edges.stop]
        zeros: Tensor = _CodeGradient.apply(rows, past.gradient_of(node), shape)
        offsets.append(zeros.unbind(0))
    return offsets


class _Past:
    """What the backward pass needs of the forward pass.

    It holds no tensor with a graph. The graph holds it: were one of the
    offsets reachable from here, graph and offsets would hold each other, and
    Python's collector cannot see the way through autograd, so that every
    window of text would stay in memory.

    Args:
        cell: The weights.
        activations: The functions by name.
        space: The search space.
        drawn: Per edge and operation, whether the code has it.
        counts: Per node, how many operations it keeps.
        probe: How what was not drawn serves the code's gradient.
        mask: Dropout mask of the states.
    """

    def __init__(
        self,
        cell: RecurrentCell,
        activations: nn.ModuleDict,
        space: SearchSpace,
        *,
        drawn: list[list[bool]],
        counts: list[int],
        probe: Probe | None,
        mask: Tensor | None,
    ) -> None:
        self._cell = cell
        self._activations = activations
        self.space = space
        self._drawn = drawn
        self._counts = counts
        self._probe = probe
        self._mask = mask
        self.trace: list[list[Tensor]] = []

    def gradient_of(self, node: int) -> Callable[[Tensor], Tensor]:
        """From the gradient that reaches a node at all times to that of its part of the code."""

        def gradient(delta: Tensor) -> Tensor:
            edges, all_streams = self.space.edges_of[node], delta.shape[1]
            products = delta.new_zeros(len(edges), len(self.space.operations))
            weights = torch.zeros_like(products)
            for row, edge in enumerate(edges):
                for columns, streams, weight in self._asked(edge, all_streams):
                    part = delta[:, streams]
                    found = self._inner_products(node, edge, columns, part, streams)
                    products[row, columns] = torch.stack(found) * (all_streams / part.shape[1])
                    weights[row, columns] = weight
            count = self._counts[node]
            if count > 1:
                drawn = products.new_tensor(self._drawn[edges.start : edges.stop])
                products = products - (products * drawn).sum() / count
            return weights * products / max(1, count)

        return gradient

    def _asked(self, edge: int, streams: int) -> Iterator[tuple[list[int], Streams, float]]:
        """Which operations of an edge are run, on which of so many streams, with what weight."""
        space, probe = self.space, self._probe
        columns = [k for k in range(len(space.operations)) if k != space.none_index]
        drawn = [k for k in columns if self._drawn[edge][k]]
        if drawn:
            yield drawn, slice(None), 1.0
        if probe is not None:
            rest = [k for k in columns if k not in drawn and probe.includes(KIND, edge, k)]
            if rest:
                yield rest, probe.streams(streams), probe.weight

    def _inner_products(
        self,
        node: int,
        edge: int,
        columns: list[int],
        delta: Float[Tensor, "T b H"],
        streams: Streams,
    ) -> list[Float[Tensor, ""]]:
        """<delta, o_k(s_i)> for some operations k of one edge, over all time steps of b streams."""
        source = self.space.edges[edge].source
        states = torch.stack([step[source][streams] for step in self.trace])
        mask = None if self._mask is None else self._mask[streams]
        gates, candidates = self._cell.project(node, states, mask)
        through = delta * gates
        bypass = torch.sum((delta - through) * states)
        names = [self.space.operations[k] for k in columns]
        return [bypass + torch.sum(through * self._activations[n](candidates)) for n in names]


class _CodeGradient(torch.autograd.Function):
    """Zeros [T, B, H]; the gradient that reaches them becomes the code's."""

    @staticmethod
    def forward(
        ctx: Any, code: Tensor, gradient: Callable[[Tensor], Tensor], shape: tuple[int, int, int]
    ) -> Tensor:
        ctx.gradient = gradient
        return code.new_zeros(shape)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None, None]:
        with torch.no_grad():
            return ctx.gradient(delta), None, None


class MixedNodes:
    """Each node is a weighted mean of all operations (DARTS, Eq. 2).

    The weights of ``none`` count in the sum of weights, which is divided by:
    the number of edges where each edge's weights sum to 1. DARTS writes the
    sum and normalises each state instead.

    Args:
        cell: The weights.
        activations: The functions by name.
        space: The search space.
        code: Weights, not all 0 at a node; they take their gradient by plain
            autograd, their sum taken as a constant.
        mask: Dropout mask of the states.
    """

    def __init__(
        self,
        cell: RecurrentCell,
        activations: nn.ModuleDict,
        space: SearchSpace,
        *,
        code: Float[Tensor, "E K"],
        mask: Float[Tensor, "B H"] | None,
    ) -> None:
        self._cell = cell
        self._mask = mask
        self._functions = [
            (k, activations[name]) for k, name in enumerate(space.operations) if name != NONE
        ]
        parts = [code[edges.start : edges.stop] for edges in space.edges_of]
        self._weights = [(part / part.detach().sum())[:, :, None, None] for part in parts]

    def __call__(self, node: int, _: int, states: Sequence[Tensor]) -> Float[Tensor, "B H"]:
        """sum_ik w_ik (s_i + sigmoid(c) (f_k(u) - s_i)) / sum_ik w_ik."""
        sources = torch.stack(list(states))
        gates, candidates = self._cell.project(node, sources, self._mask)
        total = torch.zeros_like(sources[0])
        for k, function in self._functions:
            values = torch.lerp(sources, function(candidates), gates)
            total = total + (self._weights[node][:, k] * values).sum(dim=0)
        return total
