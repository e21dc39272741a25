"""Parameters and multiply-adds of a derived network, counted without building it.

Only what is alive counts (:mod:`engine.domain.liveness`), since only that is
built. Multiply-adds are those of convolutions and linear layers; pooling,
normalisation, activations and sums add none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

from engine.domain.catalog import Catalog, Layer, OperationCard
from engine.domain.genotype import Genotype
from engine.domain.liveness import CellLiveness, NetworkLiveness
from engine.domain.pruning import liveness_of
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
        keep_dead: Whether the network has its dead parts too, as trainings had
            that were started before they were left out.
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
    keep_dead: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as keyword arguments of a network; those of a head for pixels if it is one."""
        common = {
            "in_channels": self.in_channels,
            "classes": self.classes,
            "channels": self.channels,
            "cells": self.cells,
            "stem_stride": self.stem_stride,
            **({"keep_dead": True} if self.keep_dead else {}),
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


@dataclass(frozen=True)
class DeadShare:
    """The parameters that a network would have if it were built with its dead parts.

    Attributes:
        dead: How many of them would be dead.
        of: How many there would be in all.
    """

    dead: int
    of: int

    @property
    def share(self) -> float:
        """The dead ones among all, from 0 to 1."""
        return self.dead / self.of if self.of else 0.0

    def text(self, *, left_out: bool = True) -> str:
        """Say how many parameters are dead; such as ``43 of 100 (43 %), left out``."""
        what = "left out" if left_out else "kept, as this training has had them from its start"
        return f"{self.dead:,} of {self.of:,} ({100 * self.share:.0f} %), {what}"


def dead_share(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> DeadShare:
    """Count the parameters that are dead in a network of all parts of a genotype.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    full, alive = (
        network_cost(genotype, catalog, replace(shape, keep_dead=keep_dead)).parameters
        for keep_dead in (True, False)
    )
    return DeadShare(full - alive, full)


def network_cost(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> Cost:
    """Cost of stem, cells and head, as far as they are alive.

    Multiply-adds are those of convolutions and linear layers; pooling and
    normalisation add none. A network in which no path leads from the image to
    the scores costs nothing.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    return total_of(network_parts(genotype, catalog, shape))


def places_of(
    space: SearchSpace, shape: NetworkShape, liveness: NetworkLiveness | None = None
) -> list[CellPlace]:
    """Where the cells of such a network stand.

    Args:
        space: The search space.
        shape: Everything beside the cells.
        liveness: What is alive; None counts the channels of all nodes.

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
        joined=[len(cell.joined) for cell in liveness.cells] if liveness else None,
    )


def network_parts(genotype: Genotype, catalog: Catalog, shape: NetworkShape) -> list[CostPart]:
    """The cost of a network part by part, from its input to its output.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    space = genotype.space
    places_of(space, shape)
    liveness = liveness_of(genotype, shape.cells, keep_dead=shape.keep_dead)
    if not liveness.is_connected:
        return [CostPart(None, "stem", Cost()), CostPart(None, "head", Cost())]
    cards = {name: catalog.operation(name) for name in space.operations}
    places = places_of(space, shape, liveness)
    parts = [CostPart(None, "stem", _stem_cost(space.skeleton, shape, liveness))]
    for number, (cell, place) in enumerate(zip(liveness.cells, places, strict=True)):
        sides = (shape.height, shape.width)
        last, area = (prod(map(grid.side, sides)) for grid in (place.last_grid, place.grid))
        if place.inputs > 1 and cell.inputs:
            cost = _adapter_cost(place, cell.inputs, last, shape.affine)
            parts.append(CostPart(number, "adapters", cost))
        if place.widens and cell.inputs:
            parts.append(CostPart(number, "block", _block_cost(place, area, shape.affine)))
        parts += _cell_parts(cell, cards, place, number, area, shape.affine)
    features = gathered_nodes(len(cell.joined), space.output) * place.channels
    return [*parts, CostPart(None, "head", _head_cost(space, features, area, shape))]


def _head_cost(space: SearchSpace, features: int, area: int, shape: NetworkShape) -> Cost:
    """Cost of what turns the last ``features`` channels into scores."""
    total = Cost(2 * features if shape.affine and space.skeleton == "stages" else 0)
    if shape.head == "pixels":
        return total + _pixel_head_cost(features, area, shape)
    return total + Cost((features + 1) * shape.classes, features * shape.classes)


def _stem_cost(skeleton: str, shape: NetworkShape, liveness: NetworkLiveness) -> Cost:
    """Cost of the stem's convolutions."""
    total, inputs, height, width = Cost(), shape.in_channels, shape.height, shape.width
    plan = stem_plan(
        shape.channels,
        skeleton=skeleton,
        stem_stride=shape.stem_stride,
        last_is_read=liveness.stem[-1],
    )
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


def _adapter_cost(place: CellPlace, read: Sequence[int], area: int, affine: bool) -> Cost:
    """Cost of bringing the inputs that are read to C channels on ``area`` pixels."""
    channels = (place.before, place.last)
    layer = Layer(1, norm=True)
    costs = (_conv(channels[source], place.channels, layer, area, affine) for source in read)
    return sum(costs, Cost())


def _block_cost(place: CellPlace, area: int, affine: bool) -> Cost:
    """Cost of a residual block that gives ``area`` pixels."""
    layer = Layer(3, norm=True)
    first = _conv(place.last, place.channels, layer, area, affine)
    second = _conv(place.channels, place.channels, layer, area, affine)
    return first + second + _conv(place.last, place.channels, Layer(1), area, affine)


def _cell_parts(
    cell: CellLiveness,
    cards: Mapping[str, OperationCard],
    place: CellPlace,
    number: int,
    area: int,
    affine: bool,
) -> Iterator[CostPart]:
    """Cost of the alive operations of one cell, all of which end in ``area`` pixels."""
    for node, genes in enumerate(cell.genes):
        for operation, source in genes:
            strided = place.reduces and source < place.inputs
            layers = _layers(cards[operation], strided=strided)
            costs = (_conv(place.channels, place.channels, one, area, affine) for one in layers)
            yield CostPart(
                number,
                operation,
                sum(costs, Cost()),
                source=source,
                target=place.inputs + node,
            )


def _layers(card: OperationCard, *, strided: bool) -> tuple[Layer, ...]:
    if strided and card.strided_layers is not None:
        return card.strided_layers
    return card.layers


def _conv(inputs: int, outputs: int, layer: Layer, area: int, affine: bool) -> Cost:
    """Cost of a convolution that gives ``area`` pixels, and of its normalisation."""
    weights = layer.kernel**2 * (outputs if layer.depthwise else inputs * outputs)
    return Cost(weights + (2 * outputs if layer.norm and affine else 0), weights * area)
