"""Parameters and multiply-adds of a derived network, counted without building it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from engine.domain.catalog import Catalog, Layer, OperationCard
from engine.domain.genotype import Genotype
from engine.domain.skeleton import (
    ASPP_RATES,
    CellPlace,
    cell_places,
    check_cells,
    gathered_nodes,
    stem_plan,
)
from engine.domain.space import SearchSpace

Head = Literal["classes", "pixels"]


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
        head: ``classes`` scores an image, ``pixels`` every pixel (DeepLab v3).
        aspp_channels: Channels A of the head for pixels.
        output_stride: Largest reduction of a feature map; 0 for no limit.
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
    head: Head = "classes"
    aspp_channels: int = 64
    output_stride: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as keyword arguments of a network; those of a head for pixels if it is one."""
        common = {
            "in_channels": self.in_channels,
            "classes": self.classes,
            "channels": self.channels,
            "cells": self.cells,
            "stem_stride": self.stem_stride,
        }
        if self.head == "classes":
            return common
        return common | {
            "head": self.head,
            "aspp_channels": self.aspp_channels,
            "output_stride": self.output_stride,
            "image_size": (self.height, self.width),
        }


@dataclass(frozen=True)
class Cost:
    """Trainable parameters, and multiply-adds of one image."""

    parameters: int = 0
    multiply_adds: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)


@dataclass(frozen=True)
class CostPart:
    """What one part of a network costs.

    Attributes:
        cell: Number of the cell from the input on; None outside the cells.
        part: ``stem``, ``head``, ``adapters``, ``block``, or an operation's name;
            in a language model also ``embedding``, ``decoder`` and ``first``.
        cost: Its parameters and multiply-adds.
        source: Of an operation: the source number of its edge.
        target: Of an operation: the target number.
    """

    cell: int | None
    part: str
    cost: Cost
    source: int | None = None
    target: int | None = None


def total_of(parts: Iterable[CostPart]) -> Cost:
    """The cost of all these parts together."""
    return sum((part.cost for part in parts), Cost())


def network_cost(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> Cost:
    """Cost of stem, cells and head; convolutions and linear layers count.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    return total_of(network_parts(genotype, catalog, shape))


def places_of(space: SearchSpace, shape: NetworkShape) -> list[CellPlace]:
    """Where the cells of such a network stand.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    limit = shape.output_stride if shape.head == "pixels" else 0
    check_cells(space, shape.cells, stem_stride=shape.stem_stride, output_stride=limit)
    return cell_places(
        channels=shape.channels,
        cells=shape.cells,
        nodes=space.nodes,
        output=space.output,
        skeleton=space.skeleton,
        stem_stride=shape.stem_stride,
        output_stride=limit,
    )


def network_parts(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> list[CostPart]:
    """The cost of a network part by part, from its input to its output.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    space = genotype.space
    cards = {name: catalog.operation(name) for name in space.operations}
    places = places_of(space, shape)
    parts = [CostPart(None, "stem", _stem_cost(space.skeleton, shape))]
    for number, place in enumerate(places):
        sides = (shape.height, shape.width)
        last, area = (prod(map(grid.side, sides)) for grid in (place.last_grid, place.grid))
        if place.before:
            parts.append(CostPart(number, "adapters", _adapter_cost(place, last, shape.affine)))
        if place.widens:
            parts.append(CostPart(number, "block", _block_cost(place, area, shape.affine)))
        parts += _cell_parts(genotype, cards, place, number, area, shape.affine)
    features = gathered_nodes(space.nodes, space.output) * places[-1].channels
    return [*parts, CostPart(None, "head", _head_cost(space, features, area, shape))]


def _head_cost(space: SearchSpace, features: int, area: int, shape: NetworkShape) -> Cost:
    """Cost of what turns the last ``features`` channels into scores."""
    total = Cost(2 * features if shape.affine and space.skeleton == "stages" else 0)
    if shape.head == "pixels":
        return total + _pixel_head_cost(features, area, shape)
    return total + Cost((features + 1) * shape.classes, features * shape.classes)


def _stem_cost(skeleton: str, shape: NetworkShape) -> Cost:
    """Cost of the stem's convolutions."""
    total, inputs, height, width = Cost(), shape.in_channels, shape.height, shape.width
    plan = stem_plan(shape.channels, skeleton=skeleton, stem_stride=shape.stem_stride)
    for outputs, stride in plan:
        height, width = -(-height // stride), -(-width // stride)
        total += _conv(inputs, outputs, Layer(3, norm=True), height * width, shape.affine)
        inputs = outputs
    return total


def _pixel_head_cost(features: int, area: int, shape: NetworkShape) -> Cost:
    """Cost of the DeepLab v3 head on ``area`` pixels; see the head for its parts."""
    channels = shape.aspp_channels
    total = _conv(features, channels, Layer(1, norm=True), area, shape.affine)
    for _ in ASPP_RATES:
        total += _conv(features, channels, Layer(3, norm=True), area, shape.affine)
    total += _conv(features, channels, Layer(1), 1, shape.affine) + Cost(channels)
    gathered = (2 + len(ASPP_RATES)) * channels
    total += _conv(gathered, channels, Layer(1, norm=True), area, shape.affine)
    return total + Cost((channels + 1) * shape.classes, channels * shape.classes * area)


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


def _cell_parts(
    genotype: Genotype,
    cards: Mapping[str, OperationCard],
    place: CellPlace,
    number: int,
    area: int,
    affine: bool,
) -> Iterator[CostPart]:
    """Cost of the operations of one cell, all of which end in ``area`` pixels."""
    for node, genes in enumerate(genotype.cells[place.kind]):
        for gene in genes:
            strided = place.reduces and gene.source < genotype.space.inputs
            layers = _layers(cards[gene.operation], strided=strided)
            costs = (_conv(place.channels, place.channels, one, area, affine) for one in layers)
            yield CostPart(
                number,
                gene.operation,
                sum(costs, Cost()),
                source=gene.source,
                target=genotype.space.inputs + node,
            )


def _layers(card: OperationCard, *, strided: bool) -> tuple[Layer, ...]:
    if strided and card.strided_layers is not None:
        return card.strided_layers
    return card.layers


def _conv(inputs: int, outputs: int, layer: Layer, area: int, affine: bool) -> Cost:
    """Cost of a convolution that gives ``area`` pixels, and of its normalisation."""
    weights = layer.kernel**2 * (outputs if layer.depthwise else inputs * outputs)
    return Cost(weights + (2 * outputs if layer.norm and affine else 0), weights * area)
