"""Variational dropout: one mask for a whole window of text (Gal & Ghahramani 2016).

All masks come from an explicit generator on the CPU, so that a resumed search
draws the same ones on every device.

This file imports nothing but torch: its source goes, word for word, into the
plain module that a person can download.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dropouts:
    """Shares that are set to zero while training; the rest is scaled up.

    Attributes:
        words: Of the vocabulary: the vectors of these tokens are zero wherever
            they stand in the window (Merity et al. 2017, embedding dropout).
        inputs: Of the embedded tokens' entries, per stream.
        hidden: Of the entries of every state that a linear map reads, per stream.
        outputs: Of the entries of the cell's output before the decoder, per stream.
    """

    words: float = 0.0
    inputs: float = 0.0
    hidden: float = 0.0
    outputs: float = 0.0


def dropout_mask(
    shape: tuple[int, ...], rate: float, random: torch.Generator | None, like: Tensor
) -> Tensor | None:
    """A mask of 0 and 1 / (1 - rate) with mean 1; None where nothing is dropped.

    Args:
        shape: Shape of the mask.
        rate: Share of zeros, at least 0 and below 1.
        random: Source of the mask; None drops nothing.
        like: A tensor of the wanted type and device.
    """
    if random is None or rate == 0:
        return None
    kept = torch.rand(shape, generator=random) >= rate
    return kept.to(like) / (1 - rate)


def masked(values: Tensor, mask: Tensor | None) -> Tensor:
    """The values times the mask, if there is one."""
    return values if mask is None else values * mask
