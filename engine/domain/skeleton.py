"""Skeletons: where the cells of a network stand, and what reaches them.

``cells``: a row of cells, each of which reads the two before it; those at one
and two thirds of the depth reduce (DARTS). ``stages``: three stages of equal
cells, each of which reads the one before it, with a residual block of stride 2
between the stages (NAS-Bench-201).

This file imports nothing but the standard library and the domain: parts of
its source go, word for word, into the plain module that a person can download.
"""

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


@dataclass(frozen=True)
class CellPlace:
    """Where a cell stands in the network, and what reaches it.

    Attributes:
        kind: Kind of the cell.
        before: Channels of the cell before the last, c_{k-2}; 0 where a cell
            reads the last one only.
        last: Channels of the last cell, c_{k-1}.
        channels: Channels C of this cell's nodes.
        reduces: Whether this cell is a reduction: its inputs' edges have
            stride 2.
        after_reduction: Whether c_{k-2} comes from before a reduction whose
            result is c_{k-1}.
        widens: Whether a residual block of stride 2 comes first, which doubles
            the channels.
    """

    kind: str
    before: int
    last: int
    channels: int
    reduces: bool = False
    after_reduction: bool = False
    widens: bool = False


def stem_width(channels: int, *, skeleton: str) -> int:
    """Channels that the stem gives."""
    return channels if skeleton == "stages" else STEM_MULTIPLIER * channels


def gathered_nodes(nodes: int, output: str) -> int:
    """How many nodes a cell's output holds side by side."""
    return nodes if output == "concat" else 1


def cell_places(
    *, channels: int, cells: int, nodes: int, output: str = "concat", skeleton: str = "cells"
) -> list[CellPlace]:
    """All cells of a network, from the stem on.

    Args:
        channels: Channels C of the first cell; doubled at each reduction.
        cells: Number of cells.
        nodes: Intermediate nodes N of a cell.
        output: How they become the cell's output: ``concat`` gives N C
            channels, ``mean`` and ``last`` give C.
        skeleton: ``cells`` or ``stages``.

    Raises:
        ValueError: The number of cells does not fit the skeleton.
    """
    gathered = gathered_nodes(nodes, output)
    before = last = stem_width(channels, skeleton=skeleton)
    if skeleton == "stages":
        places = []
        for index in range(cells):
            widens = index in stage_positions(cells)
            channels = 2 * channels if widens else channels
            places.append(CellPlace("cell", 0, last, channels, widens=widens))
            last = gathered * channels
        return places
    after_reduction = False
    places = []
    for index in range(cells):
        reduces = index in reduction_positions(cells)
        channels = 2 * channels if reduces else channels
        kind = "reduction" if reduces else "normal"
        places.append(CellPlace(kind, before, last, channels, reduces, after_reduction))
        before, last, after_reduction = last, gathered * channels, reduces
    return places


def check_cells(space: SearchSpace, cells: int) -> None:
    """Refuse a number of cells that does not fit the space's skeleton.

    Raises:
        InvalidConfig: Three equal stages cannot be made of so many cells.
    """
    if space.skeleton == "stages" and cells % STAGES:
        raise InvalidConfig(
            asked=f"cells = {cells} in the space {space.name!r}",
            found="three equal stages",
            allowed="a multiple of 3",
            advice=f"choose cells = {STAGES * max(1, round(cells / STAGES))}",
        )
