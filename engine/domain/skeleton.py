"""Skeletons: where the cells of a network stand, and what reaches them.

``cells``: a row of cells, each of which reads the two before it; those at one
and two thirds of the depth reduce (DARTS). ``stages``: three stages of equal
cells, each of which reads the one before it, with a residual block of stride 2
between the stages (NAS-Bench-201).

This file imports nothing but the standard library and the domain: parts of
its source go, word for word, into the plain module that a person can download.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.errors import InvalidConfig
from engine.domain.space import SearchSpace

STEM_MULTIPLIER = 3

STAGES = 3


def reduction_positions(cells: int) -> frozenset[int]:
    """Indices of the reduction cells: one and two thirds of the depth."""
    return frozenset({cells // 3, 2 * cells // 3})


def stage_positions(cells: int) -> frozenset[int]:
    """Indices of the cells that a residual block of stride 2 comes before.

    Raises:
        ValueError: The stages cannot be equal.
    """
    if cells % STAGES:
        raise ValueError(f"cells is {cells}; three equal stages need a multiple of 3")
    return frozenset({cells // 3, 2 * cells // 3})


def cell_kinds(cells: int, skeleton: str) -> list[str]:
    """Return the kinds of all cells of a network, from its input on.

    Raises:
        ValueError: The number of cells does not fit the skeleton.
    """
    if skeleton == "recurrent":
        return ["recurrent"]
    if skeleton == "stages":
        stage_positions(cells)
        return ["cell"] * cells
    reductions = reduction_positions(cells)
    return ["reduction" if index in reductions else "normal" for index in range(cells)]


@dataclass(frozen=True)
class Grid:
    """The pixels of a feature map among those of the image.

    Attributes:
        scale: By how much it is smaller than the image.
        spacing: Pixels of it between two that a network without dilation would
            have: 1, or 2, 4, … after reductions that lost their stride.
    """

    scale: int
    spacing: int = 1

    def reduced(self, output_stride: int) -> "Grid":
        """The grid after a reduction; one that may become no coarser is spaced instead."""
        if output_stride and 2 * self.scale > output_stride:
            return Grid(self.scale, 2 * self.spacing)
        return Grid(2 * self.scale, self.spacing)

    def side(self, pixels: int) -> int:
        """Pixels of the map along a side of the image."""
        return -(-pixels // self.scale)


@dataclass(frozen=True)
class CellPlace:
    """Where a cell stands in the network, and what reaches it.

    Attributes:
        kind: Kind of the cell.
        inputs: How many cells it can read: 2, or the last one only.
        before: Channels of the cell before the last, c_{k-2}; 0 if it gives
            nothing or cells read the last one only.
        last: Channels of the last cell, c_{k-1}; 0 if it gives nothing.
        channels: Channels C of this cell's nodes.
        before_grid: Grid of c_{k-2}.
        last_grid: Grid of c_{k-1}.
        grid: Grid of this cell's nodes.
        reduces: Whether this cell is a reduction: its inputs' edges have
            stride 2, unless the grid says that it is lost.
        after_reduction: Whether c_{k-2} comes from before a reduction whose
            result is c_{k-1}.
        widens: Whether a residual block of stride 2 comes first, which doubles
            the channels.
    """

    kind: str
    inputs: int
    before: int
    last: int
    channels: int
    before_grid: Grid
    last_grid: Grid
    grid: Grid
    reduces: bool = False
    after_reduction: bool = False
    widens: bool = False

    @property
    def stride(self) -> int:
        """By how much the edges from the inputs reduce."""
        return self.grid.scale // self.last_grid.scale if self.reduces else 1


def stem_plan(
    channels: int, *, skeleton: str, stem_stride: int, last_is_read: bool = True
) -> list[tuple[int, int]]:
    """Channels and stride of the stem's 3x3 convolutions, one after the other.

    A stride of 1 or 2 takes one convolution to 3 C channels (C in a skeleton
    of stages). A stride of 4 takes two, of 8 three, of stride 2 each, to C / 2
    and C channels: DARTS's stem for ImageNet, where the first cell reads the
    last two of three. The last of three is left out unless a cell reads it.
    """
    if stem_stride > 2:
        plan = [(max(1, channels // 2), 2), *[(channels, 2)] * (stem_stride.bit_length() - 2)]
        return plan if last_is_read or len(plan) == 2 else plan[:-1]
    return [(channels if skeleton == "stages" else STEM_MULTIPLIER * channels, stem_stride)]


def gathered_nodes(nodes: int, output: str) -> int:
    """How many nodes a cell's output holds side by side, of ``nodes`` that make it."""
    return nodes if output == "concat" else min(nodes, 1)


def cell_places(
    *,
    channels: int,
    cells: int,
    nodes: int,
    output: str = "concat",
    skeleton: str = "cells",
    stem_stride: int = 1,
    output_stride: int = 0,
    joined: Sequence[int] | None = None,
) -> list[CellPlace]:
    """All cells of a network, from the stem on.

    Args:
        channels: Channels C of the first cell; doubled at each reduction.
        cells: Number of cells.
        nodes: Intermediate nodes N of a cell.
        output: How they become the cell's output: ``concat`` gives N C
            channels, ``mean`` and ``last`` give C.
        skeleton: ``cells`` or ``stages``.
        stem_stride: By how much the stem reduces the image.
        output_stride: Largest scale of a feature map; reductions beyond it
            lose their stride. 0 for no limit.
        joined: Per cell, how many of its nodes make its output; None for all
            of them.

    Raises:
        ValueError: The number of cells does not fit the skeleton.
    """
    staged = skeleton == "stages"
    positions = stage_positions(cells) if staged else reduction_positions(cells)
    kinds = cell_kinds(cells, skeleton)
    joined = [nodes] * cells if joined is None else joined
    stem = stem_plan(channels, skeleton=skeleton, stem_stride=stem_stride)
    last = before = stem[-1][0]
    last_grid = before_grid = Grid(stem_stride)
    after_reduction = len(stem) > 2
    if after_reduction:
        before_grid = Grid(stem_stride // 2)
    places = []
    for index in range(cells):
        halves = index in positions
        channels = 2 * channels if halves else channels
        grid = last_grid.reduced(output_stride) if halves else last_grid
        place = CellPlace(
            kind=kinds[index],
            inputs=1 if staged else 2,
            before=0 if staged else before,
            last=last,
            channels=channels,
            before_grid=before_grid,
            last_grid=last_grid,
            grid=grid,
            reduces=halves and not staged,
            after_reduction=after_reduction and not staged,
            widens=halves and staged,
        )
        places.append(place)
        given = gathered_nodes(joined[index], output) * channels
        before, last, after_reduction = last, given, halves
        before_grid, last_grid = last_grid, grid
    return places


ASPP_RATES = (6, 12, 18)
"""Dilations of DeepLab v3's head on a feature map of 33 x 33 pixels (513 / 16)."""


def aspp_rates(image_size: Sequence[int], scale: int) -> tuple[int, ...]:
    """The same dilations for another feature map, in proportion to its shorter side.

    DeepLab v3 doubles them at half the output stride, on 65 pixels, as here.
    """
    side = min(-(-pixels // scale) for pixels in image_size)
    return tuple(max(1, round(rate * (side - 1) / 32)) for rate in ASPP_RATES)


def check_cells(
    space: SearchSpace, cells: int, *, stem_stride: int = 1, output_stride: int = 0
) -> None:
    """Refuse numbers that the space's skeleton cannot have.

    Raises:
        InvalidConfig: Three equal stages cannot be made of so many cells, or
            the stem alone exceeds the output stride.
    """
    if space.skeleton == "stages" and cells % STAGES:
        raise InvalidConfig(
            asked=f"cells = {cells} in the space {space.name!r}",
            found="three equal stages",
            allowed="a multiple of 3",
            advice=f"choose cells = {STAGES * max(1, round(cells / STAGES))}",
        )
    if 0 < output_stride < stem_stride:
        raise InvalidConfig(
            asked=f"output_stride = {output_stride}",
            found=f"stem_stride = {stem_stride}, which is larger",
            allowed="an output stride that is not below that of the stem",
            advice="lower stem_stride or raise output_stride",
        )
