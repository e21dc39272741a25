"""The derived network: the cells of a genotype with nothing else beside them.

The names of its parameters are those of the supernet, so that weights can be
copied by name. The source of this file goes into the module that a person can
download, apart from what needs the engine.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from torch import Tensor, cat, nn

from engine.domain.cost import STEM_MULTIPLIER, CellPlace, cell_places
from engine.domain.genotype import Genotype, plain_nodes
from engine.model.supernet import Supernet
from engine.operations.blocks import (
    EVALUATION,
    FactorizedReduce,
    NormStyle,
    ReLUConvNorm,
    norm,
    zeros_like_strided,
)
from engine.operations.table import OPERATIONS

Nodes = Sequence[Sequence[tuple[str, int]]]
"""Per intermediate node, the (operation, source) pairs that it sums."""

Build = Callable[[int, int, NormStyle], nn.Module]
"""Makes an operation from channels, stride and style."""

INPUTS = 2
"""A cell reads the outputs of the two cells before it: sources 0 and 1."""


class FixedCell(nn.Module):
    """One cell; a node that keeps nothing is zero.

    Args:
        nodes: What each node sums.
        operations: Builders by name.
        place: Where the cell stands in the network.
        style: Style of normalisation.
    """

    def __init__(
        self, nodes: Nodes, operations: Mapping[str, Build], place: CellPlace, style: NormStyle
    ) -> None:
        super().__init__()
        self.stride = 2 if place.reduces else 1
        adapt = FactorizedReduce if place.after_reduction else ReLUConvNorm
        self.before = adapt(place.before, place.channels, style)
        self.last = ReLUConvNorm(place.last, place.channels, style)
        self.nodes = nodes
        edges: dict[str, nn.ModuleDict] = {}
        for node, genes in enumerate(nodes):
            for name, source in genes:
                stride = self.stride if source < INPUTS else 1
                operation = operations[name](place.channels, stride, style)
                edges.setdefault(edge_name(node, source), nn.ModuleDict())[name] = operation
        self.edges = nn.ModuleDict(edges)

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """From c_{k-2} and c_{k-1} to the nodes, side by side along the channels."""
        sources = [self.before(before), self.last(last)]
        for node, genes in enumerate(self.nodes):
            total = zeros_like_strided(sources[0], self.stride)
            for name, source in genes:
                edge = cast(nn.ModuleDict, self.edges[edge_name(node, source)])
                total = total + edge[name](sources[source])
            sources.append(total)
        return cat(sources[INPUTS:], dim=1)


def edge_name(node: int, source: int) -> str:
    """Number of an edge in the search space: by node, then by source."""
    return str(node * INPUTS + node * (node - 1) // 2 + source)


class CellNetwork(nn.Module):
    """Stem, cells, global mean and classifier, from plain values.

    Args:
        nodes: What each node sums, for the kinds ``normal`` and ``reduction``.
        operations: Builders by name.
        in_channels: Channels of the image.
        classes: Number of classes.
        channels: Channels C of the first cell; doubled at each reduction.
        cells: Number of cells; those at one and two thirds of the depth reduce.
        stem_stride: By how much the first convolution reduces the image.
        style: Style of normalisation.
    """

    def __init__(
        self,
        nodes: Mapping[str, Nodes],
        operations: Mapping[str, Build],
        *,
        in_channels: int,
        classes: int,
        channels: int,
        cells: int,
        stem_stride: int,
        style: NormStyle,
    ) -> None:
        super().__init__()
        width = STEM_MULTIPLIER * channels
        count = len(nodes["normal"])
        places = cell_places(channels=channels, cells=cells, nodes=count)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, stride=stem_stride, padding=1, bias=False),
            norm(width, style),
        )
        self.cells = nn.ModuleList(
            FixedCell(nodes["reduction" if place.reduces else "normal"], operations, place, style)
            for place in places
        )
        self.classifier = nn.Linear(count * places[-1].channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [B, classes] of images [B, in_channels, H, W]."""
        before = last = self.stem(images)
        for cell in self.cells:
            before, last = last, cell(before, last)
        return self.classifier(last.mean(dim=(2, 3)))


def load_weights(network: nn.Module, shared: Mapping[str, Tensor]) -> None:
    """Copy a supernet's weights by name into a network of its cells.

    Scales, shifts and running statistics of normalisations stay as they are,
    since a supernet has none.

    Raises:
        KeyError: The supernet lacks a weight of the network.
    """
    own = network.state_dict()
    norms = {
        f"{prefix}.{name}"
        for prefix, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for name in module.state_dict()
    }
    network.load_state_dict({name: own[name] if name in norms else shared[name] for name in own})


class DerivedNetwork(CellNetwork):
    """The network of a genotype.

    Args:
        genotype: Its cells, of the kinds ``normal`` and ``reduction``.
        style: Style of normalisation; EVALUATION to train it from scratch,
            SEARCH to measure it with weights inherited from a supernet.

    The other arguments are those of :class:`CellNetwork`.
    """

    def __init__(
        self,
        genotype: Genotype,
        *,
        in_channels: int,
        classes: int,
        channels: int,
        cells: int,
        stem_stride: int,
        style: NormStyle = EVALUATION,
    ) -> None:
        super().__init__(
            plain_nodes(genotype),
            {name: OPERATIONS[name].build for name in genotype.space.operations},
            in_channels=in_channels,
            classes=classes,
            channels=channels,
            cells=cells,
            stem_stride=stem_stride,
            style=style,
        )


def inherit_weights(derived: DerivedNetwork, supernet: Supernet) -> None:
    """Copy the supernet's shared weights into its child; see :func:`load_weights`.

    With style SEARCH the child then answers as the supernet does under the
    genotype's code.
    """
    load_weights(derived, supernet.state_dict())
