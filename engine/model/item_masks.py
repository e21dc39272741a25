"""Bit masks over the operations of edges as tensors."""

import torch
from jaxtyping import Bool
from torch import Tensor

from engine.domain.snapshot import Masks


def mask_tensor(masks: Masks, operations: int) -> Bool[Tensor, "E K"]:
    """True where bit k of an edge's mask is set.

    Args:
        masks: One bit mask an edge.
        operations: Number K of operations.
    """
    return torch.tensor([[bool(mask >> k & 1) for k in range(operations)] for mask in masks])
