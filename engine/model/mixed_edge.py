"""One edge of the supernet: every candidate operation side by side."""

from collections.abc import Sequence

from torch import nn

from engine.domain.space import NONE
from engine.operations.blocks import NormStyle
from engine.operations.depthwise import with_quick_backward
from engine.operations.pooling import hasten
from engine.operations.table import OPERATIONS


class MixedEdge(nn.ModuleDict):
    """The candidate operations of one edge by name; what is drawn of them is run.

    ``none`` has no module: its value and its gradient are zero, and it is
    never run.

    Args:
        names: Operations to build.
        channels: Channels C in and out.
        stride: 2 on the inputs of a reduction cell, else 1.
        style: Style of normalisation.
    """

    def __init__(self, names: Sequence[str], channels: int, stride: int, style: NormStyle) -> None:
        super().__init__(
            {
                name: with_quick_backward(hasten(OPERATIONS[name].build(channels, stride, style)))
                for name in names
                if name != NONE
            }
        )
