"""Edge probabilities at one moment as heat maps, one a cell kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.components.loading import StaticComponent
from app.figures.heatmap import EdgeHeatmap
from app.figures.palette import DIVERGING, DIVERGING_DARK, SEQUENTIAL, SEQUENTIAL_DARK
from engine.domain.agreement import Agreement
from engine.domain.catalog import Catalog
from engine.export.layout import edge_titles

_heatmaps = StaticComponent("egs_heatmap", "heatmap.js", room=440)


def heatmap_data(
    maps: Sequence[EdgeHeatmap], *, run: str | None = None, dark: bool = False
) -> dict[str, Any]:
    """What is drawn, as plain values; a dot marks what the code drawn at that step has on.

    Args:
        maps: One a cell kind.
        run: Identity of the run whose timeline the maps follow.
        dark: Whether the page is dark.
    """
    signed = maps[0].since is not None
    plain = SEQUENTIAL_DARK if dark else SEQUENTIAL
    return {
        "run": run,
        "step": maps[0].step,
        "since": maps[0].since,
        "colours": list((DIVERGING_DARK if dark else DIVERGING) if signed else plain),
        "signed": signed,
        "maps": [
            {
                "kind": values.kind,
                "name": values.name,
                "title": values.title,
                "normalisation": values.normalisation,
                "edges": list(values.edges),
                "operations": list(values.operations),
                "probabilities": [list(row) for row in values.probabilities],
                "drawn": [list(row) for row in values.drawn],
            }
            for values in maps
        ],
    }


def agreement_data(found: Agreement, catalog: Catalog, *, dark: bool = False) -> dict[str, Any]:
    """Shares of runs as heat maps; a dot marks what all of them keep."""
    labels = [catalog.operation(name).short for name in found.space.operations]
    return {
        "step": found.count,
        "colours": list(SEQUENTIAL_DARK if dark else SEQUENTIAL),
        "mark": "kept by all",
        "top": 1,
        "maps": [
            {
                "kind": kind,
                "title": "Cell" if kind == "cell" else f"{kind.capitalize()} cell",
                "normalisation": f"share of {found.count} runs that keep it",
                "edges": list(edge_titles(found.space)),
                "operations": labels,
                "probabilities": [list(row) for row in rows],
                "drawn": [[share == 1.0 for share in row] for row in rows],
            }
            for kind, rows in found.shares.items()
        ],
    }


def heatmaps(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the heat maps."""
    _heatmaps(data, key=key)
