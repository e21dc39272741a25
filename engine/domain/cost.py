"""Parameters and multiply-adds of a derived network, counted without building it."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.catalog import Catalog, Layer, OperationCard
from engine.domain.genotype import Cell, Genotype


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


def network_cost(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> Cost:
    """Cost of stem, cells and classifier; convolutions and the linear layer count."""
    cards = {name: catalog.operation(name) for name in genotype.space.operations}
    height, width = (
        _halved(shape.height, shape.stem_stride),
        _halved(shape.width, shape.stem_stride),
    )
    stem = STEM_MULTIPLIER * shape.channels
    total = _conv(shape.in_channels, stem, Layer(3, norm=True), height * width, shape.affine)
    before_last = last = stem
    channels, was_reduced, skip_area = shape.channels, False, height * width
    for index in range(shape.cells):
        reduces = index in reduction_positions(shape.cells)
        channels = channels * 2 if reduces else channels
        area = height * width
        point = Layer(1, norm=True)
        total += _conv(before_last, channels, point, area, shape.affine)
        total += _conv(last, channels, point, area, shape.affine)
        out_height, out_width = (
            (_halved(height, 2), _halved(width, 2)) if reduces else (height, width)
        )
        kind = "reduction" if reduces else "normal"
        total += _cell_cost(
            genotype.cells[kind], cards, channels, (area, out_height * out_width), reduces, shape
        )
        before_last, last = last, genotype.space.nodes * channels
        height, width, was_reduced, skip_area = out_height, out_width, reduces, area
    return total + Cost(last * shape.classes + shape.classes, last * shape.classes)


def _cell_cost(
    cell: Cell,
    cards: Mapping[str, OperationCard],
    channels: int,
    areas: tuple[int, int],
    reduces: bool,
    shape: NetworkShape,
) -> Cost:
    area_before, area_after = areas
    total = Cost()
    for genes in cell:
        for gene in genes:
            strided = reduces and gene.source < 2
            for layer in _layers(cards[gene.operation], strided):
                total += _conv(channels, channels, layer, area_after, shape.affine)
    return total


def _layers(card: OperationCard, strided: bool) -> tuple[Layer, ...]:
    if strided and card.strided_layers is not None:
        return card.strided_layers
    return card.layers


def _conv(inputs: int, outputs: int, layer: Layer, area: int, affine: bool) -> Cost:
    weights = layer.kernel**2 * (outputs if layer.depthwise else inputs * outputs)
    return Cost(weights + (2 * outputs if layer.norm and affine else 0), weights * area)


def _halved(size: int, stride: int) -> int:
    return -(-size // stride)
