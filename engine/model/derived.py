"""The derived network: the cells of a genotype with nothing else beside them.

The names of its parameters are those of the supernet, so that weights can be
copied by name. The source of this file goes into the module that a person can
download, apart from what needs the engine.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from engine.domain.genotype import Genotype, plain_nodes
from engine.domain.skeleton import CellPlace, aspp_rates, cell_places, check_cells, gathered_nodes
from engine.model.heads import classify, head_for
from engine.model.skeleton import Stem, adapters, closing, fit, gather, style_in
from engine.model.supernet import Supernet
from engine.operations.blocks import EVALUATION, NormStyle, zeros_like_strided
from engine.operations.table import OPERATIONS

Nodes = Sequence[Sequence[tuple[str, int]]]
"""Per intermediate node, the (operation, source) pairs that it sums."""

Build = Callable[[int, int, NormStyle], nn.Module]
"""Makes an operation from channels, stride and style."""


class FixedCell(nn.Module):
    """One cell; a node that keeps nothing is zero.

    Args:
        nodes: What each node sums.
        operations: Builders by name.
        place: Where the cell stands in the network.
        style: Style of normalisation.
        output: How its nodes become its output: ``concat``, ``mean`` or ``last``.
    """

    def __init__(
        self,
        nodes: Nodes,
        operations: Mapping[str, Build],
        place: CellPlace,
        style: NormStyle,
        output: str,
    ) -> None:
        super().__init__()
        self.stride = place.stride
        inputs = adapters(place, style)
        self.inputs = tuple(inputs)
        for name, adapter in inputs.items():
            self.add_module(name, adapter)
        self.nodes = nodes
        self.output = output
        edges: dict[str, nn.ModuleDict] = {}
        for node, genes in enumerate(nodes):
            for name, source in genes:
                reads_input = source < len(inputs)
                stride = 2 if place.reduces and reads_input else 1
                operation = operations[name](place.channels, stride, style)
                fit(operation, place, reads_input=reads_input)
                edge = edge_name(node, source, len(inputs))
                edges.setdefault(edge, nn.ModuleDict())[name] = operation
        self.edges = nn.ModuleDict(edges)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """The cell's output from those of the cells that it reads, c_{k-1} last."""
        adapted = zip(self.inputs, inputs, strict=True)
        sources: list[Tensor] = [self.get_submodule(name)(value) for name, value in adapted]
        for node, genes in enumerate(self.nodes):
            total = zeros_like_strided(sources[0], self.stride)
            for name, source in genes:
                edge = cast(nn.ModuleDict, self.edges[edge_name(node, source, len(inputs))])
                total = total + edge[name](sources[source])
            sources.append(total)
        return gather(sources[len(inputs) :], self.output)


def edge_name(node: int, source: int, inputs: int) -> str:
    """Number of an edge in the search space: by node, then by source."""
    return str(node * inputs + node * (node - 1) // 2 + source)


class CellNetwork(nn.Module):
    """Stem, cells and classifier, from plain values.

    Args:
        nodes: What each node sums, for each kind of cell.
        operations: Builders by name.
        in_channels: Channels of the image.
        classes: Number of classes.
        channels: Channels C of the first cell; doubled at each reduction.
        cells: Number of cells.
        stem_stride: By how much the stem reduces the image.
        style: Style of normalisation.
        skeleton: Where the cells stand: ``cells`` or ``stages``.
        output: How a cell's nodes become its output: ``concat``, ``mean`` or
            ``last``.
        head: ``classes`` scores the image, ``pixels`` each of its pixels.
        aspp_channels: Channels of the head for pixels.
        output_stride: With the head for pixels, largest reduction of a feature
            map, kept by dilation; 0 for no limit.
        image_size: Height and width that the head for pixels is made for.
        head_dropout: Dropout of the head for pixels.
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
        skeleton: str = "cells",
        output: str = "concat",
        head: str = "classes",
        aspp_channels: int = 64,
        output_stride: int = 0,
        image_size: Sequence[int] = (1, 1),
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        count = len(next(iter(nodes.values())))
        places = cell_places(
            channels=channels,
            cells=cells,
            nodes=count,
            output=output,
            skeleton=skeleton,
            stem_stride=stem_stride,
            output_stride=output_stride,
        )
        self.stem = Stem(in_channels, channels, stem_stride, skeleton, style)
        self.cells = nn.ModuleList(
            FixedCell(nodes[place.kind], operations, place, style_in(skeleton, style), output)
            for place in places
        )
        features = gathered_nodes(count, output) * places[-1].channels
        self.closing = closing(features, style, skeleton)
        self.classifier = head_for(
            features,
            classes,
            head=head,
            channels=aspp_channels,
            rates=aspp_rates(image_size, places[-1].grid.scale),
            style=style,
            dropout=head_dropout,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores [B, classes], or [B, classes, H, W], of images [B, in_channels, H, W]."""
        before, last = self.stem(images)
        for cell in cast(Iterable[FixedCell], self.cells):
            before, last = last, cell((before, last)[-len(cell.inputs) :])
        return classify(self.classifier, self.closing(last), images.shape[2:])


def load_weights(network: nn.Module, shared: Mapping[str, Tensor]) -> None:
    """Copy the weights of a supernet, or of a trained network, by name into one of its cells.

    Scales, shifts and running statistics of normalisations stay as they are
    where there are none to copy: a supernet has none.

    Raises:
        KeyError: The other lacks a weight of the network.
    """
    own = network.state_dict()
    norms = {
        f"{prefix}.{name}"
        for prefix, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for name in module.state_dict()
    }
    kept = norms - shared.keys()
    network.load_state_dict({name: own[name] if name in kept else shared[name] for name in own})


class DerivedNetwork(CellNetwork):
    """The network of a genotype.

    Args:
        genotype: Its cells; its space says where they stand.
        style: Style of normalisation; EVALUATION to train it from scratch,
            SEARCH to measure it with weights inherited from a supernet.

    The other arguments are those of :class:`CellNetwork`.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
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
        head: str = "classes",
        aspp_channels: int = 64,
        output_stride: int = 0,
        image_size: Sequence[int] = (1, 1),
        head_dropout: float = 0.0,
    ) -> None:
        check_cells(genotype.space, cells, stem_stride=stem_stride, output_stride=output_stride)
        super().__init__(
            plain_nodes(genotype),
            {name: OPERATIONS[name].build for name in genotype.space.operations},
            in_channels=in_channels,
            classes=classes,
            channels=channels,
            cells=cells,
            stem_stride=stem_stride,
            style=style,
            skeleton=genotype.space.skeleton,
            output=genotype.space.output,
            head=head,
            aspp_channels=aspp_channels,
            output_stride=output_stride,
            image_size=image_size,
            head_dropout=head_dropout,
        )


def inherit_weights(derived: DerivedNetwork, supernet: Supernet) -> None:
    """Copy the supernet's shared weights into its child; see :func:`load_weights`.

    With style SEARCH the child then answers as the supernet does under the
    genotype's code.
    """
    load_weights(derived, supernet.state_dict())
