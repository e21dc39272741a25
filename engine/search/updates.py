"""One step of the search: how weights and alphas move.

``joint`` follows the paper (Eq. 6): one forward and one backward pass move
both. ``alternating`` follows DARTS's first order: the alphas move on a batch
that the weights are not trained on, then the weights move.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from engine.model.network import SearchNetwork
from engine.model.probe import Probe
from engine.optimisation.loop import StepResult, clip_gradient
from engine.search.early_stopping import EarlyStopping
from engine.search.harmony import Harmony
from engine.tasks.task import Batch, Outputs

Codes = Mapping[str, Float[Tensor, "... E K"]]
"""Per cell kind, the code [E, K] that its cells share, or [cells, E, K] with one for each."""
Loss = Callable[[Any, Tensor], Tensor]

ALPHA_BETA_2 = 0.999
"""Adam's decay rate of the mean of squared gradients, for the alphas (method, section 5)."""


@dataclass(frozen=True)
class Optimisers:
    """One optimiser for the weights, one for the alphas, and the clip between.

    Attributes:
        weights: SGD over all weights.
        alphas: Adam over the architecture parameters.
        gradient_clip: Largest norm of the weights' gradient; 0 for none.
        held: Pairs of a tensor of alphas and a mask of what rests in it.
        penalty: Weight of the penalty on the alphas, see :meth:`penalise`.
        turn: Edges whose alphas move in the next step; None for all.
        stopping: Stops operations that only fit the training data; None stops
            none.
        harmony: Penalty on the weights of the next step; None for none.
    """

    weights: torch.optim.Optimizer
    alphas: torch.optim.Optimizer
    gradient_clip: float
    held: Sequence[tuple[nn.Parameter, Bool[Tensor, "E K"]]] = ()
    penalty: float = 0.0
    turn: range | None = None
    stopping: EarlyStopping | None = None
    harmony: Harmony | None = None

    def penalise(self) -> None:
        """Add the gradient of penalty x mean over edges of log sum_k exp(alpha_k) (β-DARTS)."""
        for group in self.alphas.param_groups:
            for alpha in group["params"]:
                if alpha.grad is not None:
                    alpha.grad += self.penalty * alpha.detach().softmax(-1) / len(alpha)

    def move_alphas(self) -> None:
        """One step of the alphas; what is held keeps its value to the last bit.

        Its gradient is 0, so that Adam's moments forget it; but moments and
        weight decay would move it nevertheless, hence its value is put back.
        """
        if self.penalty:
            self.penalise()
        before = []
        resting = self._resting()
        for alpha, rests in resting:
            if alpha.grad is not None:
                alpha.grad.masked_fill_(rests, 0.0)
            before.append(alpha.detach().clone())
        self.alphas.step()
        with torch.no_grad():
            for (alpha, rests), value in zip(resting, before, strict=True):
                alpha.copy_(torch.where(rests, value, alpha))

    def _resting(self) -> Sequence[tuple[nn.Parameter, Bool[Tensor, "E K"]]]:
        """What does not move in the next step: what is held, and all rows but the one in turn."""
        if self.turn is None:
            return self.held
        waits = {}
        for group in self.alphas.param_groups:
            for alpha in group["params"]:
                waits[alpha] = torch.ones_like(alpha, dtype=torch.bool)
                waits[alpha][self.turn.start : self.turn.stop] = False
        for alpha, rests in self.held:
            waits[alpha] = waits[alpha] | rests
        return list(waits.items())


def joint_step(
    supernet: SearchNetwork,
    optimisers: Optimisers,
    batch: Batch,
    codes: Codes,
    loss: Loss,
    probe: Probe | None,
) -> StepResult:
    """Move weights, and alphas where ``codes`` carry a gradient, on one batch."""
    inputs, targets = batch
    _clear(optimisers)
    harmony, figures = optimisers.harmony, {}
    outputs = (harmony.answer if harmony else supernet)(inputs, codes, probe)
    value = loss(outputs, targets)
    value.backward()
    if optimisers.stopping:
        optimisers.stopping.apply()
    if harmony:
        figures["cell_harmony"] = harmony.apply(lambda outputs: loss(outputs, targets))
    norm = clip_gradient(supernet.weight_parameters(), optimisers.gradient_clip)
    optimisers.weights.step()
    if any(code.requires_grad for code in codes.values()):
        optimisers.move_alphas()
    return StepResult(value.detach(), outputs.detach(), targets, norm, figures)


def alpha_step(
    supernet: SearchNetwork,
    optimisers: Optimisers,
    batch: Batch,
    codes: Codes,
    loss: Loss,
    probe: Probe | None,
) -> Outputs:
    """Move only the alphas. Returns the answers.

    Gradients are computed only of the weights that early stopping watches.
    """
    inputs, targets = batch
    _clear(optimisers)
    stopping = optimisers.stopping
    with _frozen(supernet, but=stopping.watched() if stopping else ()):
        outputs = supernet(inputs, codes, probe)
        loss(outputs, targets).backward()
    if stopping:
        stopping.note_validation()
    optimisers.move_alphas()
    return outputs.detach()


@contextmanager
def _frozen(supernet: SearchNetwork, *, but: Collection[nn.Parameter]) -> Iterator[None]:
    weights = [weight for weight in supernet.weight_parameters() if weight not in but]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _clear(optimisers: Optimisers) -> None:
    """Forget gradients; an operation that is not drawn keeps none, and does not move."""
    optimisers.weights.zero_grad(set_to_none=True)
    optimisers.alphas.zero_grad(set_to_none=True)
