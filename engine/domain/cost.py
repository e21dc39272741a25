"""Parameters and multiply-adds of a derived network, counted without building it."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.catalog import Catalog, Layer, OperationCard
from engine.domain.genotype import Genotype


@dataclass(frozen=True)
class NetworkShape:
    """Everything beside the genotype that fixes a network of cells.

    Attributes:
        channels: Channels C of the first cell; doubled at each reduction.
        cells: Number of cells.
        in_channels: Channels of the image.
        classes: Outputs of the classifier.
        height: Image height in pixels.
        width: Image width in pixels.
        stem_stride: By how much the stem reduces the image.
        affine: Whether batch normalisations carry 2 C parameters.
    """

    channels: int
    cells: int
    in_channels: int
    classes: int
    height: int
    width: int
    stem_stride: int = 1
    affine: bool = True


@dataclass(frozen=True)
class Cost:
    """Trainable parameters, and multiply-adds of one image."""

    parameters: int = 0
    multiply_adds: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)


STEM_MULTIPLIER = 3


def reduction_positions(cells: int) -> frozenset[int]:
    """Indices of the reduction cells: one and two thirds of the depth."""
    return frozenset({cells // 3, 2 * cells // 3})


@dataclass(frozen=True)
class CellPlace:
    """Where a cell stands in the network, and what reaches it.

    Attributes:
        before: Channels of the cell before the last, c_{k-2}.
        last: Channels of the last cell, c_{k-1}.
        channels: Channels C of this cell's nodes.
        reduces: Whether this cell halves the resolution.
        after_reduction: Whether c_{k-2} has twice the resolution of c_{k-1}.
    """

    before: int
    last: int
    channels: int
    reduces: bool
    after_reduction: bool


def cell_places(*, channels: int, cells: int, nodes: int) -> list[CellPlace]:
    """All cells of a network, from the stem on.

    Args:
        channels: Channels C of the first cell; doubled at each reduction.
        cells: Number of cells.
        nodes: Intermediate nodes N; a cell gives N C channels.
    """
    before = last = STEM_MULTIPLIER * channels
    after_reduction = False
    places = []
    for index in range(cells):
        reduces = index in reduction_positions(cells)
        channels = 2 * channels if reduces else channels
        places.append(CellPlace(before, last, channels, reduces, after_reduction))
        before, last, after_reduction = last, nodes * channels, reduces
    return places


def network_cost(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> Cost:
    """Cost of stem, cells and classifier; convolutions and the linear layer count."""
    cards = {name: catalog.operation(name) for name in genotype.space.operations}
    nodes = genotype.space.nodes
    height, width = (-(-size // shape.stem_stride) for size in (shape.height, shape.width))
    stem = STEM_MULTIPLIER * shape.channels
    total = _conv(shape.in_channels, stem, Layer(3, norm=True), height * width, shape.affine)
    places = cell_places(channels=shape.channels, cells=shape.cells, nodes=nodes)
    for place in places:
        for inputs in (place.before, place.last):
            layer = Layer(1, norm=True)
            total += _conv(inputs, place.channels, layer, height * width, shape.affine)
        if place.reduces:
            height, width = -(-height // 2), -(-width // 2)
        total += _cell_cost(genotype, cards, place, height * width, shape.affine)
    features = nodes * places[-1].channels
    return total + Cost((features + 1) * shape.classes, features * shape.classes)


def _cell_cost(
    genotype: Genotype,
    cards: Mapping[str, OperationCard],
    place: CellPlace,
    area: int,
    affine: bool,
) -> Cost:
    """Cost of the operations of one cell, all of which end in ``area`` pixels."""
    genes = (
        gene for node in genotype.cells["reduction" if place.reduces else "normal"] for gene in node
    )
    total = Cost()
    for gene in genes:
        strided = place.reduces and gene.source < genotype.space.inputs
        for layer in _layers(cards[gene.operation], strided=strided):
            total += _conv(place.channels, place.channels, layer, area, affine)
    return total


def _layers(card: OperationCard, *, strided: bool) -> tuple[Layer, ...]:
    if strided and card.strided_layers is not None:
        return card.strided_layers
    return card.layers


def _conv(inputs: int, outputs: int, layer: Layer, area: int, affine: bool) -> Cost:
    """Cost of a convolution that gives ``area`` pixels, and of its normalisation."""
    weights = layer.kernel**2 * (outputs if layer.depthwise else inputs * outputs)
    return Cost(weights + (2 * outputs if layer.norm and affine else 0), weights * area)
