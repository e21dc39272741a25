"""The derived network: what is alive of the cells of a genotype, with nothing else beside it.

The names of its parameters are those of the supernet, so that weights can be
copied by name. The source of this file goes into the module that a person can
download, apart from what needs the engine.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from engine.domain.genotype import Genotype, plain_nodes
from engine.domain.liveness import (
    CellLiveness,
    CellNodes,
    NetworkLiveness,
    network_liveness,
    unpruned,
)
from engine.domain.pruning import check_connected
from engine.domain.skeleton import (
    CellPlace,
    aspp_rates,
    cell_kinds,
    cell_places,
    check_cells,
    gathered_nodes,
)
from engine.model.heads import classify, head_for
from engine.model.skeleton import INPUTS, Stem, adapters, closing, fit, gather, style_in
from engine.model.supernet import Supernet
from engine.operations.blocks import EVALUATION, NormStyle, zeros_like_strided
from engine.operations.table import OPERATIONS

Build = Callable[[int, int, NormStyle], nn.Module]
"""Makes an operation from channels, stride and style."""

Join = tuple[int, list[int]]
"""The channels of all nodes of a cell, and which of them its output has."""


class FixedCell(nn.Module):
    """The alive parts of one cell.

    Args:
        liveness: What each node sums, which inputs are read, and which nodes
            make the output. A node that sums nothing is zero; nothing reads it,
            unless dead parts are kept.
        operations: Builders by name.
        place: Where the cell stands in the network.
        style: Style of normalisation.
        output: How its nodes become its output: ``concat``, ``mean`` or ``last``.
    """

    def __init__(
        self,
        liveness: CellLiveness,
        operations: Mapping[str, Build],
        place: CellPlace,
        style: NormStyle,
        output: str,
    ) -> None:
        super().__init__()
        self.stride = place.stride
        self.count = place.inputs
        self.inputs = {number: INPUTS[number - place.inputs] for number in liveness.inputs}
        for name, adapter in adapters(place, style, liveness.inputs).items():
            self.add_module(name, adapter)
        self.nodes = liveness.genes
        self.joined = liveness.joined
        self.output = output
        self.features = gathered_nodes(len(self.joined), output) * place.channels
        edges: dict[str, nn.ModuleDict] = {}
        for node, genes in enumerate(self.nodes):
            for name, source in genes:
                reads_input = source < self.count
                stride = 2 if place.reduces and reads_input else 1
                operation = operations[name](place.channels, stride, style)
                fit(operation, place, reads_input=reads_input)
                edge = edge_name(node, source, self.count)
                edges.setdefault(edge, nn.ModuleDict())[name] = operation
        self.edges = nn.ModuleDict(edges)

    def forward(self, before: Tensor | None, last: Tensor | None) -> Tensor:
        """The cell's output from c_{k-2} and c_{k-1}; None for one that gives nothing."""
        given = {"before": before, "last": last}
        sources: dict[int, Tensor] = {
            number: self.get_submodule(name)(given[name]) for number, name in self.inputs.items()
        }
        first = next(iter(sources.values()))
        for node, genes in enumerate(self.nodes):
            total = zeros_like_strided(first, self.stride)
            for name, source in genes:
                edge = cast(nn.ModuleDict, self.edges[edge_name(node, source, self.count)])
                total = total + edge[name](sources[source])
            sources[self.count + node] = total
        ends = [sources[self.count + node] for node in self.joined]
        return gather(ends, self.output, len(self.nodes))


def edge_name(node: int, source: int, inputs: int) -> str:
    """Number of an edge in the search space: by node, then by source."""
    return str(node * inputs + node * (node - 1) // 2 + source)


class CellNetwork(nn.Module):
    """Stem, cells and classifier, from plain values.

    Args:
        nodes: What each node sums, for each kind of cell, dead operations
            included.
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
        keep_dead: Whether to build also what lies on no path from the image to
            the scores.

    Attributes:
        cells: The alive cells by their number, from 0.
        depth: Number of cells, dead ones included.
        joins: By prefix of the weights that read the output of a cell, the
            channels that it has.

    Raises:
        ValueError: No path leads from the image to the scores.
    """

    def __init__(
        self,
        nodes: Mapping[str, CellNodes],
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
        keep_dead: bool = False,
    ) -> None:
        super().__init__()
        kinds = cell_kinds(cells, skeleton)
        inputs = 1 if skeleton == "stages" else 2
        find = unpruned if keep_dead else network_liveness
        liveness = find(nodes, kinds, inputs=inputs, output=output)
        if not liveness.is_connected:
            raise ValueError(f"no path leads from the image to the scores with {cells} cells")
        places = cell_places(
            channels=channels,
            cells=cells,
            nodes=len(nodes[kinds[0]]),
            output=output,
            skeleton=skeleton,
            stem_stride=stem_stride,
            output_stride=output_stride,
            joined=[len(cell.joined) for cell in liveness.cells],
        )
        self.depth = cells
        self.joins = joins_of(liveness, places, output)
        self.stem = Stem(
            in_channels, channels, stem_stride, skeleton, style, last_is_read=liveness.stem[-1]
        )
        self.cells = nn.ModuleDict(
            {
                str(number): FixedCell(cell, operations, place, style_in(skeleton, style), output)
                for number, (cell, place) in enumerate(zip(liveness.cells, places, strict=True))
                if cell.is_alive
            }
        )
        features = cast(FixedCell, self.cells[str(cells - 1)]).features
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
        for number in map(str, range(self.depth)):
            value = self.cells[number](before, last) if number in self.cells else None
            before, last = last, value
        return classify(self.classifier, self.closing(last), images.shape[2:])


def joins_of(
    liveness: NetworkLiveness, places: Sequence[CellPlace], output: str
) -> dict[str, Join]:
    """By prefix of the weights that read the output of a cell, the channels that it has.

    Only where nodes that are dead leave the concatenation; a supernet always
    has all of them.
    """
    joins: dict[str, Join] = {}
    for number, (cell, place) in enumerate(zip(liveness.cells, places, strict=True)):
        if output == "concat" and len(cell.joined) < len(cell.genes):
            size = place.channels
            channels = [node * size + channel for node in cell.joined for channel in range(size)]
            join = len(cell.genes) * size, channels
            joins[f"cells.{number + 1}.last."] = joins[f"cells.{number + 2}.before."] = join
            if cell is liveness.cells[-1]:
                joins["classifier."] = join
    return joins


def load_weights(network: CellNetwork, shared: Mapping[str, Tensor]) -> None:
    """Copy the weights of a supernet, or of a trained network, by name into one of its cells.

    Where dead nodes have left a concatenation, the weights that read it lose
    the channels of those nodes. Scales, shifts and running statistics of
    normalisations stay as they are where there are none to copy: a supernet has
    none.

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
    taken = {name: shared[name] for name in own if name not in kept}
    network.load_state_dict({**own, **fitted_weights(network, taken)})


def fitted_weights(network: CellNetwork, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network with all nodes, without the input channels that this one lacks."""
    own = network.state_dict()

    def fitted(name: str, weight: Tensor) -> Tensor:
        for prefix, (size, channels) in network.joins.items():
            if name.startswith(prefix) and weight.dim() > 1 and weight.shape[1] == size:
                return weight[:, channels] if own[name].shape[1] == len(channels) else weight
        return weight

    return {name: fitted(name, weight) for name, weight in weights.items() if name in own}


class DerivedNetwork(CellNetwork):
    """The network of a genotype.

    Args:
        genotype: Its cells; its space says where they stand.
        style: Style of normalisation; EVALUATION to train it from scratch,
            SEARCH to measure it with weights inherited from a supernet.

    The other arguments are those of :class:`CellNetwork`.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
        InvalidGenotype: No path leads from the image to the scores.
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
        keep_dead: bool = False,
    ) -> None:
        check_cells(genotype.space, cells, stem_stride=stem_stride, output_stride=output_stride)
        if not keep_dead:
            check_connected(genotype, cells)
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
            keep_dead=keep_dead,
        )


def inherit_weights(derived: DerivedNetwork, supernet: Supernet) -> None:
    """Copy the supernet's shared weights into its child; see :func:`load_weights`.

    With style SEARCH the child then answers as the supernet does under the
    genotype's code.
    """
    load_weights(derived, supernet.state_dict())
