"""Parameters and multiply-adds of a real module, by running it."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine.domain.cost import Cost


def measure_cost(network: nn.Module, *, in_channels: int, height: int, width: int) -> Cost:
    """Trainable parameters, and multiply-adds of one image.

    Counts what :func:`engine.domain.cost.network_cost` computes, and is what
    that formula is tested against.
    """
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    like = next(network.parameters())
    images = torch.zeros(2, in_channels, height, width, dtype=like.dtype, device=like.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    # Two floating-point operations a multiply-add, and two images, since batch
    # statistics need more than one value.
    return Cost(parameters, counter.get_total_flops() // 4)
