"""What stands around the cells, the same in the supernet and in its child.

Parts of this file's source go into the module that a person can download.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import torch
from torch import Tensor, cat, nn

from engine.domain.skeleton import CellPlace, stem_plan
from engine.operations.blocks import (
    FactorizedReduce,
    NormStyle,
    ReLUConvNorm,
    ResidualBlock,
    norm,
)
from engine.operations.dilation import dilate


class Stem(nn.Sequential):
    """The convolutions before the first cell; see :func:`stem_plan`.

    Args:
        in_channels: Channels of the image.
        channels: Channels C of the first cell.
        stem_stride: By how much the stem reduces the image.
        skeleton: Where the cells stand.
        style: Style of normalisation.
        last_is_read: Whether a cell reads the last convolution. If none does and
            the first cell's inputs differ, that convolution is left out.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stem_stride: int,
        skeleton: str,
        style: NormStyle,
        *,
        last_is_read: bool = True,
    ) -> None:
        layers: list[nn.Module] = []
        plan = stem_plan(
            channels, skeleton=skeleton, stem_stride=stem_stride, last_is_read=last_is_read
        )
        for outputs, stride in plan:
            convolution = nn.Conv2d(in_channels, outputs, 3, stride=stride, padding=1, bias=False)
            layers += [*([nn.ReLU()] if layers else []), convolution, norm(outputs, style)]
            in_channels = outputs
        super().__init__(*layers)
        self.second = 5 if len(plan) > 2 else len(layers)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """c_{k-2} and c_{k-1} of the first cell: of three convolutions the second and the third."""
        before = last = images
        for number, layer in enumerate(self, start=1):
            last = layer(last)
            if number == self.second:
                before = last
        return before, last


def style_in(skeleton: str, style: NormStyle) -> NormStyle:
    """The style inside the cells: no normalisation after pooling in NAS-Bench-201."""
    return replace(style, pools=skeleton != "stages")


INPUTS = ("before", "last")
"""Names of the inputs of a cell that reads two: c_{k-2} and c_{k-1}."""


def adapters(
    place: CellPlace, style: NormStyle, read: Sequence[int] | None = None
) -> dict[str, nn.Module]:
    """What brings a cell's inputs to C channels and one resolution, by input.

    ``before`` reads c_{k-2} and ``last`` c_{k-1}; a cell of one input reads
    c_{k-1} alone, which has C channels already, or a residual block gives it
    those.

    Args:
        place: Where the cell stands in the network.
        style: Style of normalisation.
        read: Numbers of the inputs that are read; None for all of them.
    """
    names = INPUTS[-place.inputs :]
    wanted = names if read is None else [names[number] for number in read]
    return {name: _adapter(place, style, name) for name in wanted}


def _adapter(place: CellPlace, style: NormStyle, name: str) -> nn.Module:
    if place.inputs == 1:
        block = ResidualBlock(place.last, place.channels, style) if place.widens else nn.Identity()
        if place.widens and place.grid.spacing > 1:
            dilate(block, place.last_grid.spacing)
        return block
    if name == "last":
        return ReLUConvNorm(place.last, place.channels, style)
    if not place.after_reduction:
        return ReLUConvNorm(place.before, place.channels, style)
    reduced = FactorizedReduce(place.before, place.channels, style)
    if place.last_grid.spacing > 1:
        dilate(reduced, place.before_grid.spacing)
    return reduced


def fit(operation: nn.Module, place: CellPlace, *, reads_input: bool) -> nn.Module:
    """An operation of a cell, dilated where a reduction has lost its stride."""
    if place.grid.spacing > 1:
        dilate(
            operation, (place.last_grid if reads_input and place.reduces else place.grid).spacing
        )
    return operation


def gather(nodes: Sequence[Tensor], output: str, count: int) -> Tensor:
    """A cell's output: its nodes side by side along the channels, their mean, or the last.

    Args:
        nodes: Values of the nodes that make the output.
        output: How they do.
        count: Nodes N of the cell; a mean is over all of them, those that are
            left out being zero.
    """
    if output == "concat":
        return cat(list(nodes), dim=1)
    return nodes[-1] if output == "last" else reduce(torch.add, nodes) / count


def closing(channels: int, style: NormStyle, skeleton: str) -> nn.Sequential:
    """What follows the last cell: normalisation and ReLU after stages, else nothing."""
    return nn.Sequential(*([norm(channels, style), nn.ReLU()] if skeleton == "stages" else []))
