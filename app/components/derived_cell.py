"""The derived cells as graphs: only what was kept."""

from collections.abc import Mapping
from typing import Any

from app.components.cell_player import cell_title
from app.components.loading import StaticComponent
from app.figures.palette import operation_colours
from engine.domain.catalog import Catalog
from engine.domain.genotype import Genotype, to_masks
from engine.domain.snapshot import operations_in
from engine.export.layout import cell_layout

_cells = StaticComponent("egs_derived_cell", "derived_cell.js")


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


def derived_cells(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the drawing."""
    _cells(data, key=key)
