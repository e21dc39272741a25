"""The derived cells as graphs: only what was kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.components.cell_player import cell_title
from app.components.loading import StaticComponent
from app.figures.palette import operation_colours
from engine.domain.catalog import Catalog
from engine.domain.genotype import Genotype, to_masks
from engine.domain.genotype_diff import EdgeDiff, GenotypeDiff
from engine.domain.pruning import ALIVE, PrunedKind, pruning_of
from engine.domain.snapshot import operations_in
from engine.domain.space import SearchSpace
from engine.export.drawing import dead_nodes
from engine.export.layout import cell_layout, joined_nodes

_cells = StaticComponent("egs_derived_cell", "derived_cell.js", room=570)


def derived_data(genotype: Genotype, catalog: Catalog, *, cells: int) -> dict[str, Any]:
    """What is drawn: the layout, for each edge the columns that were kept, and what is dead.

    Args:
        genotype: The cells.
        catalog: The labels of their operations.
        cells: Number of cells of the network, which says what is dead.
    """
    space = genotype.space
    colours = operation_colours(space.operations)
    cards = [catalog.operation(name) for name in space.operations]
    pruned = pruning_of(genotype, cells).kinds
    return {
        "layout": cell_layout(space).as_data(),
        "operations": [
            {"label": card.label, "short": card.short, "colour": colours[card.name]}
            for card in cards
        ],
        "cells": [
            {
                "title": cell_title(kind, cells),
                "kind": kind,
                "kept": [list(operations_in(mask)) for mask in masks],
                "dead": [
                    [
                        _reason(space, pruned[kind], number, space.operations[k])
                        for k in operations_in(mask)
                    ]
                    for number, mask in enumerate(masks)
                ],
                **_dead_places(space, pruned[kind], [bool(mask) for mask in masks]),
            }
            for kind, masks in to_masks(genotype).items()
        ],
    }


def _reason(space: SearchSpace, pruned: PrunedKind, edge: int, operation: str) -> str:
    """Why an operation of an edge is dead; empty if it is alive, or not kept."""
    place = space.edges[edge]
    return pruned.operations.get((place.target - space.inputs, (operation, place.source)), "")


def _dead_places(space: SearchSpace, pruned: PrunedKind, used: Sequence[bool]) -> dict[str, Any]:
    """The nodes that are dead, the paths of those that make the output, and a note on cells."""
    fed = {str(edge.target) for edge, is_used in zip(space.edges, used, strict=True) if is_used}
    dead = dead_nodes(space, pruned, fed)
    joined = zip(joined_nodes(space), cell_layout(space).outputs, strict=True)
    return {
        "deadNodes": dead,
        "outputs": [path for node, path in joined if str(node) not in dead],
        "note": pruned.note,
    }


CHANGES: Mapping[str, str] = {
    "both": "kept by both",
    "added": "+ only in the second",
    "removed": "− only in the first",
    "changed": "an edge that both use, not in the same way",
}
"""What lines mean where two cells are compared."""


def difference_data(
    diff: GenotypeDiff,
    catalog: Catalog,
    *,
    cells: int,
    pruned: tuple[Mapping[str, PrunedKind], Mapping[str, PrunedKind]] | None = None,
) -> dict[str, Any]:
    """Both cells in one drawing: what both keep, what is added, what is removed.

    Args:
        diff: The difference of two genotypes.
        catalog: The labels of their operations.
        cells: Number of cells of the second one's network.
        pruned: What is dead in the networks of the first and the second one. What
            both keep is drawn as dead if it is dead in both.
    """
    space = diff.space
    names = list(dict.fromkeys([*space.operations, *(n for e in diff.edges for n in _names(e))]))
    colours = operation_colours(names)
    cards = [catalog.operation(name) for name in names]
    by_place = {(edge.kind, edge.edge): edge for edge in diff.edges}
    rows = {
        kind: [by_place.get((kind, number)) for number in range(len(space.edges))]
        for kind in space.cell_kinds
    }
    first, second = pruned or (dict.fromkeys(space.cell_kinds, ALIVE),) * 2
    return {
        "layout": cell_layout(space).as_data(),
        "operations": [
            {"label": card.label, "short": card.short, "colour": colours[card.name]}
            for card in cards
        ],
        "words": dict(CHANGES),
        "cells": [
            {
                "title": cell_title(kind, cells),
                "kind": kind,
                "kept": [[names.index(name) for name in _names(edge)] for edge in edges],
                "marks": [_marks(edge) for edge in edges],
                "dead": [_reasons(space, edge, first[kind], second[kind]) for edge in edges],
                **_dead_places(space, ALIVE, [edge is not None for edge in edges]),
            }
            for kind, edges in rows.items()
        ],
    }


def _reasons(
    space: SearchSpace, edge: EdgeDiff | None, first: PrunedKind, second: PrunedKind
) -> list[str]:
    """Why the operations of an edge are dead in every cell that keeps them; empty if not so."""
    if edge is None:
        return []

    def reason(pruned: PrunedKind, name: str) -> str:
        return _reason(space, pruned, edge.edge, name)

    both = [reason(first, name) and reason(second, name) for name in edge.kept]
    removed = [reason(first, name) for name in edge.removed]
    return [*both, *removed, *(reason(second, name) for name in edge.added)]


def _names(edge: EdgeDiff | None) -> tuple[str, ...]:
    return () if edge is None else (*edge.kept, *edge.removed, *edge.added)


def _marks(edge: EdgeDiff | None) -> list[str]:
    if edge is None:
        return []
    return [""] * len(edge.kept) + ["−"] * len(edge.removed) + ["+"] * len(edge.added)


def derived_cells(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the drawing."""
    _cells(data, key=key)
