"""The derived cells as graphs: only what was kept."""

from collections.abc import Mapping
from typing import Any

from app.components.cell_player import cell_title
from app.components.loading import StaticComponent
from app.figures.palette import operation_colours
from engine.domain.catalog import Catalog
from engine.domain.genotype import Genotype, to_masks
from engine.domain.genotype_diff import EdgeDiff, GenotypeDiff
from engine.domain.snapshot import operations_in
from engine.export.layout import cell_layout

_cells = StaticComponent("egs_derived_cell", "derived_cell.js", room=570)


def derived_data(genotype: Genotype, catalog: Catalog, *, cells: int) -> dict[str, Any]:
    """What is drawn: the layout, and for each edge the columns that were kept."""
    space = genotype.space
    colours = operation_colours(space.operations)
    cards = [catalog.operation(name) for name in space.operations]
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
            }
            for kind, masks in to_masks(genotype).items()
        ],
    }


CHANGES: Mapping[str, str] = {
    "both": "kept by both",
    "added": "+ only in the second",
    "removed": "− only in the first",
    "changed": "an edge that both use, not in the same way",
}
"""What lines mean where two cells are compared."""


def difference_data(diff: GenotypeDiff, catalog: Catalog, *, cells: int) -> dict[str, Any]:
    """Both cells in one drawing: what both keep, what is added, what is removed."""
    space = diff.space
    names = list(dict.fromkeys([*space.operations, *(n for e in diff.edges for n in _names(e))]))
    colours = operation_colours(names)
    cards = [catalog.operation(name) for name in names]
    by_place = {(edge.kind, edge.edge): edge for edge in diff.edges}
    rows = {
        kind: [by_place.get((kind, number)) for number in range(len(space.edges))]
        for kind in space.cell_kinds
    }
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
            }
            for kind, edges in rows.items()
        ],
    }


def _names(edge: EdgeDiff | None) -> tuple[str, ...]:
    return () if edge is None else (*edge.kept, *edge.removed, *edge.added)


def _marks(edge: EdgeDiff | None) -> list[str]:
    if edge is None:
        return []
    return [""] * len(edge.kept) + ["−"] * len(edge.removed) + ["+"] * len(edge.added)


def derived_cells(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the drawing."""
    _cells(data, key=key)
