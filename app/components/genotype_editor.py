"""An architecture that can be changed by hand: a switch for each operation on each edge."""

from collections.abc import Mapping
from typing import Any

from app.components.cell_player import cell_title
from app.components.loading import StaticComponent
from app.figures.palette import operation_colours
from engine.domain.catalog import Catalog
from engine.domain.genotype import Genotype, to_masks
from engine.domain.snapshot import Masks
from engine.domain.space import NONE, SearchSpace
from engine.export.layout import edge_titles

_editor = StaticComponent("egs_genotype_editor", "genotype_editor.js", room=540)


def editor_data(genotype: Genotype, catalog: Catalog, *, cells: int) -> dict[str, Any]:
    """What is drawn at first, as plain values; ``none`` has no switch, since it keeps nothing."""
    space = genotype.space
    colours = operation_colours(space.operations)
    return {
        "edges": list(edge_titles(space)),
        "operations": [
            {
                "column": column,
                "short": catalog.operation(name).short,
                "label": catalog.operation(name).label,
                "colour": colours[name],
            }
            for column, name in enumerate(space.operations)
            if name != NONE
        ],
        "cells": [
            {"kind": kind, "title": cell_title(kind, cells), "masks": list(masks)}
            for kind, masks in to_masks(genotype).items()
        ],
    }


def genotype_editor(
    data: Mapping[str, Any], space: SearchSpace, *, key: str
) -> dict[str, Masks] | None:
    """Mount the editor; returns the code as it was changed, None as long as it was not.

    What the browser sends is checked as everything from outside.
    """
    result = _editor(data, key=key, default={"masks": None}, on_masks_change=_nothing)
    return checked_masks(space, result.masks)


def checked_masks(space: SearchSpace, given: Any) -> dict[str, Masks] | None:
    """Masks of every cell kind, if that is what was given."""
    if not isinstance(given, Mapping) or set(given) != set(space.cell_kinds):
        return None
    highest = 2 ** len(space.operations)
    found: dict[str, Masks] = {}
    for kind in space.cell_kinds:
        masks = [int(mask) for mask in given[kind] if isinstance(mask, int | float)]
        if len(masks) != len(space.edges) or not all(0 <= mask < highest for mask in masks):
            return None
        found[kind] = tuple(masks)
    return found


def _nothing() -> None:
    """Make Streamlit keep the state of the component."""
