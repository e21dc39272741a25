"""The Ensemble Gumbel-Softmax: from alphas to a binary code with a gradient.

Sources: Chang et al., *DATA: Differentiable ArchiTecture Approximation*,
NeurIPS 2019 (below "the paper"). Sizes: ``M`` draws, ``R`` rows, ``K`` items
of a row, ``E`` edges. All noise is drawn on the CPU from an explicit
generator, so that the same seed gives the same code on every device.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from engine.domain.snapshot import Masks
from engine.domain.space import Scope, SearchSpace
from engine.model.item_masks import mask_tensor

Route = Literal["even", "first", "or"]
Normalisation = Literal["softmax", "relu"]

OUTSIDE = float("-inf")
"""Alpha of a place that fills up a short row; its probability is exactly 0."""


def log_probabilities(
    alpha: Float[Tensor, "R K"], normalisation: Normalisation
) -> Float[Tensor, "R K"]:
    """Logarithms of the probabilities that alphas stand for.

    ``softmax``: p_k = exp(alpha_k) / sum_j exp(alpha_j), the paper's Eq. 4.
    ``relu``:    p_k = max(alpha_k, 0) / sum_j max(alpha_j, 0). An alpha at or
    below 0 has probability 0 and a zero gradient, so that it never recovers;
    a row without any positive alpha is uniform, with a zero gradient.

    Args:
        alpha: One row a probability vector; -inf marks a place outside it.
        normalisation: Which of the two.

    Returns:
        log p; -inf where p is 0.
    """
    if normalisation == "softmax":
        return functional.log_softmax(alpha, dim=-1)
    dead = (alpha <= 0).all(dim=-1, keepdim=True)
    alpha = torch.where(dead, torch.where(alpha == OUTSIDE, OUTSIDE, 1.0), alpha)
    positive = alpha > 0
    # The inner `where` keeps log away from 0, whose infinite slope would turn
    # the outer one's zero gradient into NaN.
    share = torch.where(positive, alpha, 1.0).log() - alpha.relu().sum(-1, keepdim=True).log()
    return torch.where(positive, share, OUTSIDE)


def gumbel_noise(shape: Sequence[int], generator: torch.Generator) -> Float[Tensor, "..."]:
    """Standard Gumbel noise G = -log(E), E exponential, as float64 on the CPU.

    The argmax of log p + G is a draw from p (paper, Eq. 7).
    """
    return -torch.empty(tuple(shape), dtype=torch.float64).exponential_(generator=generator).log()


def ensemble_gumbel(
    log_p: Float[Tensor, "R K"],
    *,
    noise: Float[Tensor, "M R K"],
    temperature: float,
    route: Route,
) -> Float[Tensor, "R K"]:
    """Choose a set of items in each row, with a gradient through the choice.

    Each of the M draws is one hard Gumbel-Softmax sample; an item is kept if
    any draw picked it (paper, Definition 1)::

        z, y = gumbel_draws(log p, G, tau)          M draws      (Eq. 7 and 8)
        b    = max_m z_m                            the code          (Def. 1)
        s    = sum_m w_m y_m                        where the gradient goes

    and the result is b forward, s backward (straight-through). The weights w
    are the route; see :func:`route_weights`.

    Args:
        log_p: Logarithms of probabilities, one row a distribution.
        noise: Standard Gumbel noise, one layer a draw.
        temperature: Softness tau of the backward pass; it plays no part forward.
        route: Which draws carry the gradient.

    Returns:
        Codes, exactly 0 or 1 forward, between 1 and min(M, K) ones a row. Item
        k is 1 with probability 1 - (1 - p_k) ** M.

    Raises:
        ValueError: If ``temperature`` is not above 0 or there is no draw.
    """
    if len(noise) < 1:
        raise ValueError("noise holds no draw; at least 1 is needed")
    drawn, relaxed = gumbel_draws(log_p, noise, temperature)
    soft = (route_weights(drawn, route) * relaxed).sum(dim=0)
    return drawn.amax(dim=0) + (soft - soft.detach())


def gumbel_draws(
    log_p: Float[Tensor, "R K"], noise: Float[Tensor, "M R K"], temperature: float
) -> tuple[Float[Tensor, "M R K"], Float[Tensor, "M R K"]]:
    """Draws from p, and their relaxations that carry a gradient::

        z_m = one_hot(argmax(log p + G_m))          the draw          (Eq. 7)
        y_m = softmax((log p + G_m) / tau)          its relaxation    (Eq. 8)

    As tau tends to 0, y tends to z; as tau grows, y tends to 1 / K.

    Raises:
        ValueError: If ``temperature`` is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    perturbed = log_p + noise
    drawn = functional.one_hot(perturbed.argmax(dim=-1), log_p.shape[-1]).to(log_p.dtype)
    return drawn, functional.softmax(perturbed / temperature, dim=-1)


def route_weights(drawn: Float[Tensor, "M R K"], route: Route) -> Float[Tensor, "M R K"]:
    """The weight of each draw in the gradient of each item.

    ``even``:  equal shares among the draws that equal the maximum: those that
    chose the item, or all M where none did. The same mean as ``first`` with
    less variance.
    ``first``: the first draw that chose the item, or draw 0 where none did.
    ``or``:    the derivative of the logical or, prod_{m' != m} (1 - z_m'):
    the mean gradient tends to that of P(b_k = 1) as tau tends to 0, which the
    other two miss for M > 1.

    Args:
        drawn: The one-hot draws z.
        route: Which of the three; they agree at M = 1.
    """
    hits = drawn.sum(dim=0)
    if route == "or":
        return (hits - drawn == 0).to(drawn.dtype)
    if route == "even":
        tied = (drawn == drawn.amax(dim=0)).to(drawn.dtype)
        return tied / tied.sum(dim=0)
    weights = drawn * (drawn.cumsum(dim=0) == 1)
    weights[0] += hits == 0
    return weights


class CodeSampler:
    """Draws the binary code of one cell kind from its alphas.

    Args:
        space: Says which edges meet in which node.
        draws: Number of draws M, at least 1.
        scope: ``edge``: each edge's K operations are one row. ``node``: all
            (edge, operation) pairs that enter a node are one row, so that at
            most M operations are kept a node. Shorter rows are filled up with
            -inf.
        route: Which draws carry the gradient.
        normalisation: How alphas become probabilities.
        banned: One bit mask an edge: items that do not exist for this sampler.
            Their probability is exactly 0, they are never drawn, and no
            gradient reaches their alphas; the noise of the others is the same
            as without a ban. None bans nothing.

    Raises:
        ValueError: If ``draws`` is below 1, or a row has nothing left.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        draws: int,
        scope: Scope,
        route: Route,
        normalisation: Normalisation,
        banned: Masks | None = None,
    ) -> None:
        if draws < 1:
            raise ValueError(f"draws is {draws}; it must be at least 1")
        self.draws = draws
        self.route = route
        self.normalisation = normalisation
        self.operations = len(space.operations)
        lengths = torch.tensor([len(edges) for edges in space.rows(scope)]) * self.operations
        self._inside = torch.arange(int(lengths.max())) < lengths[:, None]
        self._place = self._inside.flatten().nonzero().flatten()
        self._allowed = ~mask_tensor(banned or (0,) * len(space.edges), self.operations).flatten()
        allowed = torch.zeros(self._inside.numel(), dtype=torch.bool)
        allowed[self._place] = self._allowed
        if not allowed.view(self._inside.shape).any(dim=1).all():
            raise ValueError("a row has nothing left to draw")

    def probabilities(self, alpha: Float[Tensor, "E K"]) -> Float[Tensor, "E K"]:
        """Probability of each operation in one draw; each row of the scope sums to 1."""
        return self._to_edges(log_probabilities(self._to_rows(alpha), self.normalisation).exp())

    def draw(
        self, alpha: Float[Tensor, "E K"], temperature: float, generator: torch.Generator
    ) -> Float[Tensor, "E K"]:
        """One code, exactly 0 or 1, with a gradient to ``alpha``.

        Raises:
            ValueError: If ``temperature`` is not above 0.
        """
        log_p = log_probabilities(self._to_rows(alpha), self.normalisation)
        noise = gumbel_noise((self.draws, *log_p.shape), generator).to(alpha)
        code = ensemble_gumbel(log_p, noise=noise, temperature=temperature, route=self.route)
        return self._to_edges(code)

    def _to_rows(self, alpha: Float[Tensor, "E K"]) -> Float[Tensor, "R W"]:
        """One row a distribution; a row's edges are neighbours, so order is kept."""
        rows = alpha.new_full((self._inside.numel(),), OUTSIDE)
        items = alpha.flatten().masked_fill(~self._allowed.to(alpha.device), OUTSIDE)
        rows = rows.index_copy(0, self._place.to(alpha.device), items)
        return rows.view(self._inside.shape)

    def _to_edges(self, rows: Float[Tensor, "R W"]) -> Float[Tensor, "E K"]:
        return rows.flatten()[self._place.to(rows.device)].view(-1, self.operations)


class MixtureSampler(CodeSampler):
    """DARTS's stand-in for a code: the probabilities themselves weigh all operations.

    Args:
        space: Says which operations an edge has.
        normalisation: How alphas become probabilities.
        banned: One bit mask an edge: items whose weight is exactly 0.
    """

    def __init__(
        self, space: SearchSpace, *, normalisation: Normalisation, banned: Masks | None = None
    ) -> None:
        super().__init__(
            space,
            draws=1,
            scope="edge",
            route="even",
            normalisation=normalisation,
            banned=banned,
        )

    def draw(
        self, alpha: Float[Tensor, "E K"], temperature: float, generator: torch.Generator
    ) -> Float[Tensor, "E K"]:
        """The mixture weights p_k of each edge (DARTS, Eq. 2); nothing is random."""
        del temperature, generator
        return self.probabilities(alpha)
