"""What is left out of an architecture because it is dead, and why, in words.

See :mod:`engine.domain.liveness` for what that means.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype, plain_nodes
from engine.domain.liveness import (
    CellLiveness,
    Kept,
    NetworkLiveness,
    cell_reason,
    gene_reason,
    input_reason,
    network_liveness,
    node_reason,
    unpruned,
)
from engine.domain.skeleton import cell_kinds

Key = TypeVar("Key")


def liveness_of(genotype: Genotype, cells: int, *, keep_dead: bool = False) -> NetworkLiveness:
    """Return what is alive in the network of a genotype.

    Args:
        genotype: The cells.
        cells: Number of cells of the network; a recurrent network has one.
        keep_dead: Whether the dead parts are built too, so that everything counts.

    Raises:
        ValueError: The number of cells does not fit the skeleton.
    """
    space = genotype.space
    find = unpruned if keep_dead else network_liveness
    return find(
        plain_nodes(genotype),
        cell_kinds(cells, space.skeleton),
        inputs=space.inputs,
        output=space.output,
    )


def check_connected(genotype: Genotype, cells: int) -> None:
    """Make sure that a path leads from the input of a genotype's network to its scores.

    Raises:
        InvalidGenotype: None does, so that nothing in the network could learn.
    """
    if liveness_of(genotype, cells).is_connected:
        return
    recurrent = genotype.space.skeleton == "recurrent"
    size = "" if recurrent else f" with {cells} cell{'s' if cells > 1 else ''}"
    raise InvalidGenotype(
        asked=f"the network of this architecture{size}",
        found=f"no path from the {'text' if recurrent else 'image'} to the scores, so nothing "
        "in it could learn",
        allowed="an architecture in which kept operations lead from the input to the output",
        advice="choose another architecture, or keep an operation that reads an input of the cell",
    )


@dataclass(frozen=True)
class PrunedKind:
    """What is dead wherever a cell of one kind stands, with the reasons.

    Attributes:
        operations: By node and kept (operation, source).
        nodes: By number of the node.
        inputs: By number of the input.
        output: Why all cells of the kind are dead; empty if one is alive.
        note: About cells that are dead as a whole; empty if all are alive.
    """

    operations: Mapping[tuple[int, Kept], str]
    nodes: Mapping[int, str]
    inputs: Mapping[int, str]
    output: str = ""
    note: str = ""

    def source(self, number: int, inputs: int) -> str:
        """Why a source of the cell, of so many inputs, is dead; empty if it is alive."""
        if number < inputs:
            return self.inputs.get(number, "")
        return self.nodes.get(number - inputs, "")


ALIVE = PrunedKind({}, {}, {})
"""A kind of cell of which nothing is dead, or nothing is known."""


@dataclass(frozen=True)
class Pruning:
    """What is dead in the network of an architecture.

    Attributes:
        kinds: Per cell kind, what is dead at all of its places.
        operations: How many operations the cells keep.
        empty_nodes: (cell kind, node) of every node that keeps nothing.
        cells: Per cell of the network, why it is dead; empty if it is alive.
        is_connected: Whether any path leads from the input to the scores.
    """

    kinds: Mapping[str, PrunedKind]
    operations: int
    empty_nodes: tuple[tuple[str, int], ...]
    cells: tuple[str, ...]
    is_connected: bool

    @property
    def dead_operations(self) -> int:
        """How many of the operations are dead at all places."""
        return sum(len(kind.operations) for kind in self.kinds.values())

    @property
    def dead_cells(self) -> int:
        """How many of the cells are dead."""
        return sum(map(bool, self.cells))

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say what is dead and why; no sentence if everything is alive."""
        found = []
        if not self.is_connected:
            found.append("No path leads from the input to the scores.")
        if self.empty_nodes:
            nodes = ", ".join(self._of_kind(str(node), kind) for kind, node in self.empty_nodes)
            found.append(f"Nodes that keep nothing: {nodes}.")
        if self.dead_operations:
            found.append(
                f"{_share(self.dead_operations, self.operations, 'operation')} dead: "
                f"{self._operation_reasons()}."
            )
        if self.dead_cells:
            reasons = dict.fromkeys(filter(None, self.cells))
            found.append(
                f"{_share(self.dead_cells, len(self.cells), 'cell')} dead: {'; '.join(reasons)}."
            )
        return tuple(found)

    def as_data(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        return {
            "operations": self.operations,
            "dead_operations": self.dead_operations,
            "cells": len(self.cells),
            "dead_cells": self.dead_cells,
            "connected": self.is_connected,
            "reasons": list(self.sentences),
        }

    def _of_kind(self, text: str, kind: str) -> str:
        return f"{text} ({kind})" if len(self.kinds) > 1 else text

    def _operation_reasons(self) -> str:
        """The reasons by cell kind, or once if they are the same in all kinds."""
        by_kind = {
            kind: ", ".join(dict.fromkeys(dead.operations.values()))
            for kind, dead in self.kinds.items()
        }
        if len(set(by_kind.values())) == 1:
            return next(iter(by_kind.values()))
        return "; ".join(f"in {kind} cells {text}" for kind, text in by_kind.items() if text)


def pruning_of(genotype: Genotype, cells: int) -> Pruning:
    """Return what is dead in the network of a genotype.

    Args:
        genotype: The cells.
        cells: Number of cells of the network; a recurrent network has one.

    Raises:
        ValueError: The number of cells does not fit the skeleton.
    """
    liveness = liveness_of(genotype, cells)
    places: dict[str, list[CellLiveness]] = {kind: [] for kind in genotype.space.cell_kinds}
    for kind, cell in zip(cell_kinds(cells, genotype.space.skeleton), liveness.cells, strict=True):
        places[kind].append(cell)
    nodes = plain_nodes(genotype)
    return Pruning(
        kinds={
            kind: _pruned_kind(kind, found, nodes[kind], genotype.space.inputs)
            for kind, found in places.items()
        },
        operations=sum(len(genes) for cell in nodes.values() for genes in cell),
        empty_nodes=tuple(
            (kind, node)
            for kind, cell in nodes.items()
            for node, genes in enumerate(cell)
            if not genes
        ),
        cells=tuple(map(cell_reason, liveness.cells)),
        is_connected=liveness.is_connected,
    )


def _pruned_kind(
    kind: str, places: list[CellLiveness], nodes: list[list[Kept]], inputs: int
) -> PrunedKind:
    absent = f"the network has no {kind} cell"
    alive_first = sorted(places, key=lambda cell: not cell.is_alive)

    def common(reasons: Iterable[str]) -> str:
        """The first reason if the part is dead at every place, else none."""
        found = list(reasons)
        return "" if not all(found) else found[0] if found else absent

    operations = {
        (node, kept): common(
            gene_reason(cell, nodes, node, kept[1], inputs) for cell in alive_first
        )
        for node, genes in enumerate(nodes)
        for kept in genes
    }
    return PrunedKind(
        _stated(operations),
        _stated(
            {
                node: common(node_reason(cell, nodes, node, inputs) for cell in alive_first)
                for node in range(len(nodes))
            }
        ),
        _stated(
            {
                source: common(input_reason(cell, source, inputs) for cell in alive_first)
                for source in range(inputs)
            }
        ),
        output=common(cell_reason(cell) for cell in places),
        note=_note(kind, places),
    )


def _stated(reasons: Mapping[Key, str]) -> dict[Key, str]:
    return {part: reason for part, reason in reasons.items() if reason}


def _note(kind: str, places: list[CellLiveness]) -> str:
    reasons = [reason for reason in map(cell_reason, places) if reason]
    if not reasons:
        return ""
    named = "cell" if kind == "cell" else f"{kind} cell"
    return f"{_share(len(reasons), len(places), named)} dead: {'; '.join(dict.fromkeys(reasons))}."


def _share(count: int, of: int, noun: str) -> str:
    """Such as ``3 of 16 operations are``."""
    return f"{count} of {of} {noun}{'' if of == 1 else 's'} {'is' if count == 1 else 'are'}"
