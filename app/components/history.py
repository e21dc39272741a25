"""A search over time: edges × time, the curve of an edge, and the operations at each node."""

from collections.abc import Mapping
from typing import Any

from app.components.cell_player import cell_title
from app.components.loading import StaticComponent
from app.figures.palette import NODE_COLOURS, SEQUENTIAL, SEQUENTIAL_DARK, operation_colours
from engine.domain.catalog import Catalog
from engine.domain.run import Run
from engine.domain.space import SearchSpace
from engine.export.layout import edge_titles

_history = StaticComponent("egs_history", "history.js", room=650)


def history_data(
    run: Run, space: SearchSpace, catalog: Catalog, *, dark: bool = False
) -> dict[str, Any]:
    """What names and colours the drawing; the moments themselves come from the player.

    Args:
        run: The search.
        space: Its search space.
        catalog: For the labels of operations.
        dark: Whether the page is dark.
    """
    colours = operation_colours(space.operations)
    cards = [catalog.operation(name) for name in space.operations]
    return {
        "run": run.uid,
        "kinds": list(space.cell_kinds),
        "titles": [cell_title(kind, run.config.cells).split(",")[0] for kind in space.cell_kinds],
        "edges": list(edge_titles(space)),
        "nodes": [
            {
                "label": space.source_label(space.inputs + node),
                "edges": list(members),
                "colour": NODE_COLOURS[node % len(NODE_COLOURS)],
            }
            for node, members in enumerate(space.edges_of)
            if run.search.method == "egs"
        ],
        "operations": [
            {
                "label": card.label,
                "short": card.short,
                "colour": colours[card.name],
                "none": number == space.none_index,
            }
            for number, card in enumerate(cards)
        ],
        "scope": run.search.scope,
        "draws": run.search.draws,
        "colours": list(SEQUENTIAL_DARK if dark else SEQUENTIAL),
    }


def history(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the drawing; it follows the player of the same run."""
    _history(data, key=key)
