"""The value of a node: the sum of its chosen operations, and the code's gradient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Position = tuple[int, int]
"""(incoming edge, operation) within the code of a node."""


@dataclass(frozen=True)
class Undrawn:
    """An operation that was not drawn but is asked for its code's gradient.

    Attributes:
        position: Its place in the code of the node.
        operation: The module.
        source: What it would read, without a graph.
        weight: Factor of its gradient.
    """

    position: Position
    operation: Callable[[Tensor], Tensor]
    source: Float[Tensor, "b C H W"]
    weight: float


def coded_sum(
    code: Float[Tensor, "edges K"],
    positions: Sequence[Position],
    drawn: Sequence[Float[Tensor, "B C h w"]],
    undrawn: Sequence[Undrawn],
    zeros: Callable[[], Float[Tensor, "B C h w"]],
) -> Float[Tensor, "B C h w"]:
    """sum over edges and operations of b_k o_k(x), the paper's Eq. 2 and 3.

    The code b is 0 or 1, hence the value is the plain sum of the drawn
    operations. The product rule gives, for the gradient delta of the node::

        d / d o_k(x) = b_k delta           delta itself where drawn
        d / d b_k    = <delta, o_k(x)>     also where not drawn

    What was not drawn passes no gradient to its weights and its source, so
    that no graph is needed: its value is computed in the backward pass, used
    for the second line, and forgotten.

    Args:
        code: The node's part of the code; only its gradient is used here.
        positions: Where in the code each drawn value belongs.
        drawn: Values of the drawn operations.
        undrawn: What to evaluate in the backward pass; run only if ``code``
            asks for a gradient. A source that holds the first b images of the
            batch stands for all of them through its weight.
        zeros: Gives the value of a node for which nothing was drawn.
    """
    total: Tensor = _CodedSum.apply(code, positions, undrawn, zeros, *drawn)
    return total


class _CodedSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        code: Tensor,
        positions: Sequence[Position],
        undrawn: Sequence[Undrawn],
        zeros: Callable[[], Tensor],
        *drawn: Tensor,
    ) -> Tensor:
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(*drawn)
            ctx.code = code.detach()
            ctx.positions, ctx.undrawn = positions, undrawn
        ctx.count = len(drawn)
        return reduce(torch.add, drawn) if drawn else zeros()

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        of_code = _code_gradient(ctx, delta) if ctx.needs_input_grad[0] else None
        return (of_code, None, None, None, *[delta] * ctx.count)


def _code_gradient(ctx: Any, delta: Tensor) -> Tensor:
    """<delta, o_k(x)> for each item; by `sum`, since `dot` depends on where a tensor lies."""
    gradient = torch.zeros_like(ctx.code)
    for position, value in zip(ctx.positions, ctx.saved_tensors, strict=True):
        gradient[position] = torch.sum(delta * value)
    with torch.no_grad():
        for item in ctx.undrawn:
            value = item.operation(item.source)
            gradient[item.position] = item.weight * torch.sum(delta[: len(value)] * value)
    return gradient
