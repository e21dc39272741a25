"""The optimiser of a network's weights, as a configuration asks for it."""

from collections.abc import Iterable

import torch
from torch import nn

from engine.domain.run_config import RunConfig


def weight_optimiser(
    config: RunConfig, parameters: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    """SGD with momentum, or averaged SGD (Polyak & Juditsky 1992).

    Averaged SGD keeps in its state ``ax``, the mean of each weight over the
    steps so far (t0 = 0, no decay of the rate), which :func:`averages` reads.
    """
    if config.weight_optimiser == "asgd":
        return torch.optim.ASGD(
            parameters,
            lr=config.learning_rate,
            lambd=0.0,
            t0=0.0,
            weight_decay=config.weight_decay,
        )
    return torch.optim.SGD(
        parameters,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )


def averages(optimiser: torch.optim.Optimizer) -> dict[torch.Tensor, torch.Tensor]:
    """The averaged weights that an optimiser keeps; empty if it keeps none."""
    return {parameter: state["ax"] for parameter, state in optimiser.state.items() if "ax" in state}


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Use ``rate`` from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = rate
