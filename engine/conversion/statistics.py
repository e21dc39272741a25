"""Batch normalisations of a searched network, made independent of the batch.

In a search they take mean and variance from the batch itself. A network to
take home has to answer the same to an image whatever stands beside it, so that
both are measured once, on training data, and then stay.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Moments:
    """Mean and variance of what one normalisation sees, over equally weighted batches."""

    def __init__(self, norm: _BatchNorm) -> None:
        self.norm = norm
        self.count = 0
        self.mean_sum = torch.zeros(norm.num_features, dtype=torch.float64)
        self.square_sum = torch.zeros(norm.num_features, dtype=torch.float64)
        self.hook = norm.register_forward_pre_hook(self._take)

    def _take(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        axes = [axis for axis in range(inputs[0].dim()) if axis != 1]
        variance, mean = torch.var_mean(inputs[0].detach().double(), axes, correction=0)
        self.count += 1
        self.mean_sum += mean.cpu()
        self.square_sum += (variance + mean.square()).cpu()

    def write(self) -> None:
        """Into the running statistics; the variance includes that between batches."""
        mean = self.mean_sum / self.count
        variance = (self.square_sum / self.count - mean.square()).clamp_min(0)
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        self.norm.running_mean.copy_(mean)
        self.norm.running_var.copy_(variance)


def fix_statistics(network: nn.Module, batches: Iterable[Any]) -> int:
    """Measure all running statistics anew and leave the network in evaluation mode.

    While measuring, each batch is normalised by its own statistics, as in the
    search. With a single batch the network then answers to it exactly as the
    searched one does. Dropout is off.

    Args:
        network: Its normalisations keep running statistics.
        batches: Inputs of the network; each counts the same.

    Returns:
        The number of batches.
    """
    network.eval()
    moments = [_Moments(module) for module in network.modules() if isinstance(module, _BatchNorm)]
    for each in moments:
        each.norm.train()
    count = 0
    with torch.no_grad():
        for batch in batches:
            network(batch)
            count += 1
    for each in moments:
        each.hook.remove()
        if each.count:
            each.write()
    network.eval()
    return count
