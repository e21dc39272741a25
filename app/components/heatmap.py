"""Edge probabilities at one moment as heat maps, one a cell kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.components.loading import StaticComponent
from app.figures.heatmap import EdgeHeatmap
from app.figures.palette import SEQUENTIAL, SEQUENTIAL_DARK

_heatmaps = StaticComponent("egs_heatmap", "heatmap.js")


def heatmap_data(maps: Sequence[EdgeHeatmap], *, dark: bool = False) -> dict[str, Any]:
    """What is drawn, as plain values; a dot marks what the code drawn at that step has on."""
    return {
        "step": maps[0].step,
        "colours": list(SEQUENTIAL_DARK if dark else SEQUENTIAL),
        "maps": [
            {
                "kind": values.kind,
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


def heatmaps(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the heat maps."""
    _heatmaps(data, key=key)
