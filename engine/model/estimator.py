"""The Ensemble Gumbel-Softmax: from alphas to a binary code with a gradient.

Sources: Chang et al., *DATA: Differentiable ArchiTecture Approximation*,
NeurIPS 2019 (below "the paper"). Sizes: ``M`` draws, ``R`` rows, ``K`` items
of a row. All noise is drawn on the CPU from an explicit
generator, so that the same seed gives the same code on every device.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Route = Literal["even", "first", "or", "zgr", "inclusion"]
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

        z_m = one_hot(argmax(log p + G_m))          M draws               (Eq. 7)
        b   = max_m z_m                             the code          (Def. 1)
        s   = :func:`soft_code`                     where the gradient goes

    and the result is b forward, s backward (straight-through).

    Args:
        log_p: Logarithms of probabilities, one row a distribution.
        noise: Standard Gumbel noise, one layer per draw.
        temperature: Softness tau of the backward pass; it plays no part forward.
        route: How the gradient reaches p.

    Returns:
        Codes, exactly 0 or 1 forward, between 1 and min(M, K) ones per row. Item
        k is 1 with probability 1 - (1 - p_k) ** M.

    Raises:
        ValueError: If ``temperature`` is not above 0 or there is no draw.
    """
    if len(noise) < 1:
        raise ValueError("noise holds no draw; at least 1 is needed")
    drawn = hard_draws(log_p, noise)
    if route == "inclusion":
        soft = inclusion(log_p, len(noise))
    else:
        soft = soft_code(log_p, noise, drawn, temperature=temperature, route=route)
    return straight_through(drawn.amax(dim=0), soft)


def straight_through(code: Float[Tensor, "R K"], soft: Float[Tensor, "R K"]) -> Tensor:
    """The code forward, the gradient of ``soft`` backward."""
    return code + (soft - soft.detach())


def hard_draws(
    logits: Float[Tensor, "*M R K"], noise: Float[Tensor, "M R K"]
) -> Float[Tensor, "M R K"]:
    """One-hot draws z = one_hot(argmax(log p + G)) (paper, Eq. 7)."""
    return functional.one_hot((logits + noise).argmax(dim=-1), noise.shape[-1]).to(noise.dtype)


def inclusion(log_p: Float[Tensor, "R K"], draws: int) -> Float[Tensor, "R K"]:
    """P(b_k = 1) = 1 - (1 - p_k) ** M: the mean of the code, without a temperature.

    Its derivative M (1 - p_k) ** (M - 1) dp_k makes the gradient's mean exact
    for every loss that is linear in the code (route ``inclusion``).
    """
    return 1 - (1 - log_p.exp()) ** draws


def soft_code(
    logits: Float[Tensor, "*M R K"],
    noise: Float[Tensor, "M R K"],
    drawn: Float[Tensor, "M R K"],
    *,
    temperature: float,
    route: Route,
) -> Float[Tensor, "R K"]:
    """Where the gradient of a drawn code goes: s = sum_m w_m y_m.

    The weights w are those of :func:`route_weights`; y_m is the relaxation of
    a draw::

        y_m = softmax((log p + G_m) / tau)          even, first, or       (Eq. 8)
        y_m = :func:`rao_blackwell`                 zgr

    Args:
        logits: Logarithms of probabilities, of all draws or of each.
        noise: The Gumbel noise that decided.
        drawn: The draws.
        temperature: Softness tau.
        route: Every route but ``inclusion``, which relaxes no draw.

    Raises:
        ValueError: If ``temperature`` is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    if route == "zgr":
        relaxed = rao_blackwell(logits.expand(noise.shape), drawn)
    else:
        relaxed = functional.softmax((logits + noise) / temperature, dim=-1)
    return (route_weights(drawn, route) * relaxed).sum(dim=0)


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
    return hard_draws(log_p, noise), functional.softmax((log_p + noise) / temperature, dim=-1)


def rao_blackwell(
    logits: Float[Tensor, "M R K"], drawn: Float[Tensor, "M R K"]
) -> Float[Tensor, "M R K"]:
    """A draw's relaxation with all noise but the draw averaged out, as tau tends to 0.

    Given that item i was drawn, the mean Jacobian of softmax((log p + G) / tau)
    tends to one that exchanges mass between i and each j != i only::

        d y_j / d log p_j =  p_j / 2        d y_j / d log p_i = -p_j / 2
        d y_i / d log p_i = (1 - p_i) / 2   d y_i / d log p_j = -p_j / 2

    This is the zero-temperature limit of Gumbel-Rao (Paulus et al. 2021;
    Shekhovtsov 2023), and the same as ReinMax (Liu et al. 2023) at temperature
    1. The value is 0; only the gradient counts.

    Args:
        logits: log p of each draw; -inf outside a row.
        drawn: The one-hot draws.
    """
    log_p = functional.log_softmax(logits, dim=-1)
    p = log_p.detach().exp()
    log_p = torch.where(p > 0, log_p, 0.0)
    mine = (drawn * log_p).sum(dim=-1, keepdim=True)
    mean = (p * log_p).sum(dim=-1, keepdim=True)
    return (drawn * (mine - mean) + p * (log_p - mine)) / 2


def route_weights(drawn: Float[Tensor, "M R K"], route: Route) -> Float[Tensor, "M R K"]:
    """The weight of each draw in the gradient of each item.

    ``even``:  equal shares among the draws that equal the maximum: those that
    chose the item, or all M where none did. The same mean as ``first`` with
    less variance.
    ``first``: the first draw that chose the item, or draw 0 where none did.
    ``or``, ``zgr``: the derivative of the logical or, prod_{m' != m} (1 - z_m'):
    the mean gradient is that of P(b_k = 1) for every temperature with ``zgr``,
    and as tau tends to 0 with ``or``; the other two miss it for M > 1.

    Args:
        drawn: The one-hot draws z.
        route: Which of them; they agree at M = 1.
    """
    hits = drawn.sum(dim=0)
    if route in ("or", "zgr"):
        return (hits - drawn == 0).to(drawn.dtype)
    if route == "even":
        tied = (drawn == drawn.amax(dim=0)).to(drawn.dtype)
        return tied / tied.sum(dim=0)
    weights = drawn * (drawn.cumsum(dim=0) == 1)
    weights[0] += hits == 0
    return weights
