"""Parameters and multiply-adds of a derived network, counted without building it."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.catalog import Catalog, Layer, OperationCard
from engine.domain.genotype import Genotype
from engine.domain.skeleton import (
    CellPlace,
    cell_places,
    check_cells,
    gathered_nodes,
    stem_width,
)


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


def network_cost(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> Cost:
    """Cost of stem, cells and classifier; convolutions and the linear layer count.

    Raises:
        InvalidConfig: The number of cells does not fit the space's skeleton.
    """
    space = genotype.space
    check_cells(space, shape.cells)
    cards = {name: catalog.operation(name) for name in space.operations}
    height, width = (-(-size // shape.stem_stride) for size in (shape.height, shape.width))
    stem = stem_width(shape.channels, skeleton=space.skeleton)
    total = _conv(shape.in_channels, stem, Layer(3, norm=True), height * width, shape.affine)
    places = cell_places(
        channels=shape.channels,
        cells=shape.cells,
        nodes=space.nodes,
        output=space.output,
        skeleton=space.skeleton,
    )
    for place in places:
        if place.before:
            total += _adapter_cost(place, height * width, shape.affine)
        if place.reduces or place.widens:
            height, width = -(-height // 2), -(-width // 2)
        if place.widens:
            total += _block_cost(place, height * width, shape.affine)
        total += _cell_cost(genotype, cards, place, height * width, shape.affine)
    features = gathered_nodes(space.nodes, space.output) * places[-1].channels
    if space.skeleton == "stages":
        total += Cost(2 * features if shape.affine else 0)
    return total + Cost((features + 1) * shape.classes, features * shape.classes)


def _adapter_cost(place: CellPlace, area: int, affine: bool) -> Cost:
    """Cost of bringing both inputs to C channels on ``area`` pixels."""
    layer = Layer(1, norm=True)
    before = _conv(place.before, place.channels, layer, area, affine)
    return before + _conv(place.last, place.channels, layer, area, affine)


def _block_cost(place: CellPlace, area: int, affine: bool) -> Cost:
    """Cost of a residual block that gives ``area`` pixels."""
    layer = Layer(3, norm=True)
    first = _conv(place.last, place.channels, layer, area, affine)
    second = _conv(place.channels, place.channels, layer, area, affine)
    return first + second + _conv(place.last, place.channels, Layer(1), area, affine)


def _cell_cost(
    genotype: Genotype,
    cards: Mapping[str, OperationCard],
    place: CellPlace,
    area: int,
    affine: bool,
) -> Cost:
    """Cost of the operations of one cell, all of which end in ``area`` pixels."""
    genes = (gene for node in genotype.cells[place.kind] for gene in node)
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
