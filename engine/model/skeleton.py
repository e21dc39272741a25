"""What stands around the cells, the same in the supernet and in its child.

Parts of this file's source go into the module that a person can download.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import torch
from torch import Tensor, cat, nn

from engine.domain.skeleton import CellPlace
from engine.operations.blocks import (
    FactorizedReduce,
    NormStyle,
    ReLUConvNorm,
    ResidualBlock,
    norm,
)


def style_in(skeleton: str, style: NormStyle) -> NormStyle:
    """The style inside the cells: no normalisation after pooling in NAS-Bench-201."""
    return replace(style, pools=skeleton != "stages")


def adapters(place: CellPlace, style: NormStyle) -> dict[str, nn.Module]:
    """What brings a cell's inputs to C channels and one resolution, by input.

    ``before`` reads c_{k-2} and ``last`` c_{k-1}; a cell without ``before``
    reads c_{k-1} alone, which has C channels already, or a residual block
    gives it those.
    """
    if not place.before:
        block = ResidualBlock(place.last, place.channels, style) if place.widens else nn.Identity()
        return {"last": block}
    before = FactorizedReduce if place.after_reduction else ReLUConvNorm
    return {
        "before": before(place.before, place.channels, style),
        "last": ReLUConvNorm(place.last, place.channels, style),
    }


def gather(nodes: Sequence[Tensor], output: str) -> Tensor:
    """A cell's output: its nodes side by side along the channels, their mean, or the last."""
    if output == "concat":
        return cat(list(nodes), dim=1)
    return nodes[-1] if output == "last" else reduce(torch.add, nodes) / len(nodes)


def closing(channels: int, style: NormStyle, skeleton: str) -> nn.Sequential:
    """What follows the last cell: normalisation and ReLU after stages, else nothing."""
    return nn.Sequential(*([norm(channels, style), nn.ReLU()] if skeleton == "stages" else []))
