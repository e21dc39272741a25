"""How well one draw's gradient points along the true one, for each route, by enumeration.

A row of K = 8 items with peaked random probabilities and a smooth non-linear
loss of its code. The true gradient sums over all 255 codes with their exact
probabilities; each route gives the gradient of single draws. Reported per route
and M: the mean cosine of a single draw's gradient with the true one, and the
cosine of their mean (1 where there is no bias of direction).

    python -m benchmarks.route_cosines [--out benchmarks/raw/route_cosines.json]
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from engine.domain.chances import set_probability
from engine.domain.snapshot import operations_in
from engine.model.estimator import ensemble_gumbel, gumbel_noise

ITEMS = 8
PROBLEMS = 20
DRAWS_EACH = 500
ROUTES = [
    ("inclusion", 1.0),
    ("zgr", 1.0),
    ("even", 1.0),
    ("even", 5.0),
    ("or", 1.0),
    ("or", 0.3),
]
RAW = Path(__file__).parent / "raw" / "route_cosines.json"

Loss = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure every route and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RAW)
    out = parser.parse_args().out
    rows = [
        {"route": route, "temperature": tau, "draws": draws, **measured(route, tau, draws)}
        for draws in (1, 4, 7)
        for route, tau in ROUTES
    ]
    for row in rows:
        print(row)
    settings = {"items": ITEMS, "problems": PROBLEMS, "draws_each": DRAWS_EACH}
    written = {"kind": "route_cosines", **settings, "rows": rows}
    out.write_text(json.dumps(written, indent=1) + "\n")


def measured(route: str, temperature: float, draws: int) -> dict[str, float]:
    """Cosines of one route, averaged over the problems."""
    single, together = [], []
    for problem in range(PROBLEMS):
        random = torch.Generator().manual_seed(problem)
        alpha = 1.5 * torch.randn(ITEMS, generator=random, dtype=torch.float64)
        loss = random_loss(random)
        true = true_gradient(alpha, draws, loss)
        found = drawn_gradients(alpha, draws, loss, route, temperature, random)
        single.append(torch.cosine_similarity(found, true[None]).mean().item())
        together.append(torch.cosine_similarity(found.mean(0), true, dim=0).item())
    return {"single": math.fsum(single) / PROBLEMS, "mean": math.fsum(together) / PROBLEMS}


def random_loss(random: torch.Generator) -> Loss:
    """A smooth loss in which items help, hurt, and stand in for each other."""
    pull = torch.randn(ITEMS, generator=random, dtype=torch.float64)
    mixed = torch.randn(ITEMS, ITEMS, generator=random, dtype=torch.float64) / ITEMS**0.5

    def loss(code: Tensor) -> Tensor:
        return code @ pull + torch.tanh(code @ mixed).square().sum(-1)

    return loss


def true_gradient(alpha: Tensor, draws: int, loss: Loss) -> Tensor:
    """d/dalpha of the mean loss over all codes, by central differences."""
    codes = [mask for mask in range(1, 1 << ITEMS) if mask.bit_count() <= draws]
    values = {mask: float(loss(code_of(mask))) for mask in codes}

    def mean(alpha: Tensor) -> float:
        p = alpha.softmax(-1).tolist()
        return math.fsum(
            set_probability([p[k] for k in operations_in(mask)], draws) * value
            for mask, value in values.items()
        )

    step = 1e-5 * torch.eye(ITEMS, dtype=torch.float64)
    return torch.tensor(
        [(mean(alpha + one) - mean(alpha - one)) / 2e-5 for one in step], dtype=torch.float64
    )


def code_of(mask: int) -> Tensor:
    """A bit mask as a code."""
    return torch.tensor([float(mask >> k & 1) for k in range(ITEMS)], dtype=torch.float64)


def drawn_gradients(
    alpha: Tensor,
    draws: int,
    loss: Loss,
    route: str,
    temperature: float,
    random: torch.Generator,
) -> Tensor:
    """The gradients of many single codes, [draws, K]."""
    leaf = alpha.expand(DRAWS_EACH, -1).clone().requires_grad_()
    noise = gumbel_noise((draws, DRAWS_EACH, ITEMS), random)
    code = ensemble_gumbel(leaf.log_softmax(-1), noise=noise, temperature=temperature, route=route)
    loss(code).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


if __name__ == "__main__":
    main()
