"""Harmony of cells: weights with which the cells of a kind ask the same of their code.

Movahedi et al. 2023 (Lambda-DARTS, ICLR), "Lambda-DARTS: mitigating performance
collapse by harmonizing operation selection among cells".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from engine.model.network import SearchNetwork
from engine.model.probe import Probe
from engine.model.supernet import Supernet

DISTANCE = 0.3
"""Length of the finite difference's step, in units of a code.

The paper takes 1e-4 on its mixtures. Where operations are on or off, the
gradient jumps at the kinks of ReLU and max pooling, and the jumps of a batch
hide its slope in a short step, in double precision too: on digits (batch 64,
four cells) a step along the result of 1e-4 changed Lambda by nothing but
chance, one of 0.3 raised it on that batch and on others.
"""


class Harmony:
    """The penalty -weight x Lambda on the weights, Lambda the mean agreement of cells.

    Cells of a kind share one code. With r_l an offset to the code in cell l
    alone, and u_l = g_l / |g_l|::

        g_l    = dL / dr_l at r = 0
        Lambda = mean over pairs l < l' of cells of a kind of <u_l, u_l'>

    The gradient of Lambda to the weights w has second derivatives of L. They
    appear only along one direction of offsets d, the derivative of Lambda by
    the g_l with P the number of pairs, so that two more passes give them as a
    central difference of gradients (the paper's approximation as well)::

        d_l             = (1 / P) (I - u_l u_l^T) sum over l' of u_l' / |g_l|
        dLambda/dw      = sum over l of (d g_l / dw)^T d_l
                        ~ [dL/dw (r = +e d) - dL/dw (r = -e d)] / 2 e,  e = DISTANCE / |d|

    So the result is the slope of a loss that is smoothed over e d, not the
    exact derivative, which a network of ReLUs has almost everywhere but which
    says little of any finite step; where L is smooth, both agree to e squared.

    Differences from the paper. Its codes are mixtures, in which every
    operation has a share; ours are choices, and a step knows the operations
    that are on. Entries of g_l of the others are left out, so Lambda is that
    of the drawn network: exact for it, but silent on what undrawn operations
    would ask. As a mixture (method = darts) nothing is left out. Pairs of
    reduction cells count like others; the paper's program leaves them out.
    A cell with a gradient of zero agrees with none and is asked for nothing.

    It serves one step: first :meth:`answer`, then the backward pass of the loss,
    then :meth:`apply`.

    Args:
        network: The supernet.
        weight: Weight of the penalty.
        distance: Length of all offsets together, e |d|.
    """

    def __init__(self, network: Supernet, weight: float, *, distance: float = DISTANCE) -> None:
        self._network = network
        self._weight = weight
        self._distance = distance

    def answer(
        self,
        inputs: Any,
        codes: Mapping[str, Float[Tensor, "E K"]],
        probe: Probe | None = None,
    ) -> Any:
        """Return the network's answers, as they are, and let :meth:`apply` see every g_l.

        Args:
            inputs: A batch.
            codes: Per cell kind, the code of the step.
            probe: As for the network.
        """
        self._inputs = inputs
        self._codes = {kind: code.detach() for kind, code in codes.items()}
        self._offsets = [
            torch.zeros_like(self._codes[kind], requires_grad=True)
            for kind in self._network.kinds_of_cells
        ]
        return self._network(inputs, codes, probe, self._offsets)

    def apply(self, loss_of: Callable[[Any], Tensor]) -> Float[Tensor, ""]:
        """Add the penalty's gradient to the weights that have a gradient; return Lambda.

        Args:
            loss_of: From answers to the loss L of the batch at hand.
        """
        asked = [torch.zeros_like(r) if r.grad is None else r.grad for r in self._offsets]
        agreement, directions = agreement_of(asked, self._network.kinds_of_cells)
        length = torch.cat([one.flatten() for one in directions]).norm().item()
        if not 0 < length < float("inf"):
            return agreement
        step = self._distance / length
        weights = [one for one in self._network.weight_parameters() if one.grad is not None]

        def gradient(signed: float) -> Sequence[Tensor]:
            moved = [signed * one for one in directions]
            value = loss_of(self._network(self._inputs, self._codes, None, moved))
            return torch.autograd.grad(value, weights)

        for weight, ahead, behind in zip(weights, gradient(step), gradient(-step), strict=True):
            assert weight.grad is not None
            weight.grad -= self._weight * (ahead - behind) / (2 * step)
        return agreement


def harmony_of(network: SearchNetwork, weight: float) -> Harmony | None:
    """The penalty of one step; None where its weight is 0 or no two cells share a code."""
    if not weight or not isinstance(network, Supernet):
        return None
    kinds = network.kinds_of_cells
    return Harmony(network, weight) if len(set(kinds)) < len(kinds) else None


def agreement_of(
    gradients: Sequence[Float[Tensor, "E K"]], kinds: Sequence[str]
) -> tuple[Float[Tensor, ""], list[Float[Tensor, "E K"]]]:
    """Return Lambda and its derivatives by the g_l, the directions d_l of :class:`Harmony`.

    Args:
        gradients: g_l per cell.
        kinds: Kind of each cell, of which two at least are the same.
    """
    total, pairs = gradients[0].new_zeros(()), 0
    directions = [torch.zeros_like(one) for one in gradients]
    for kind in dict.fromkeys(kinds):
        cells = [number for number, own in enumerate(kinds) if own == kind]
        g = torch.stack([gradients[number].flatten() for number in cells])
        norms = g.norm(dim=1, keepdim=True)
        inverse = torch.where(norms > 0, 1 / norms, 0.0)
        u = g * inverse
        others = u.sum(dim=0) - u
        total = total + (u * others).sum() / 2
        pairs += len(cells) * (len(cells) - 1) // 2
        along = (u * others).sum(dim=1, keepdim=True)
        for number, d in zip(cells, (others - along * u) * inverse, strict=True):
            directions[number] = d.view_as(gradients[number])
    return total / pairs, [one / pairs for one in directions]
