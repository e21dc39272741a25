"""Averaged stochastic gradient descent: the mean of the weights once they only wander.

Polyak & Juditsky 1992; the trigger is that of AWD-LSTM (Merity et al. 2017,
Algorithm 1, NT-ASGD). The gradient steps go on from the weights themselves;
only what is measured is the mean.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def stops_improving(losses: Sequence[float], patience: int) -> bool:
    """Whether the last loss is above the best one of more than ``patience`` losses before it.

    Args:
        losses: Validation losses so far, one an epoch.
        patience: The interval n of non-monotone checks, in epochs.
    """
    *before, last = losses
    return len(before) > patience and last > min(before[: len(before) - patience])


class WeightAverage:
    """The mean of all weights that it was shown::

        mean_n = mean_{n-1} + (w_n - mean_{n-1}) / n

    Args:
        weights: The mean so far, by name; it is copied.
        count: Of how many weights it is the mean.
    """

    def __init__(self, weights: Mapping[str, Tensor], count: int = 1) -> None:
        self.count = count
        self.mean = {name: weight.detach().clone() for name, weight in weights.items()}

    @torch.no_grad()
    def add(self, weights: Mapping[str, Tensor]) -> None:
        """Let the present weights count."""
        self.count += 1
        for name, mean in self.mean.items():
            mean.add_((weights[name] - mean) / self.count)
