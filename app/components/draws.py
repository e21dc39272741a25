"""How often operations were drawn against their probabilities, as small multiples."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.components.loading import StaticComponent
from engine.domain.catalog import Catalog
from engine.domain.draws import DrawnOften, DrawRecord
from engine.domain.space import SearchSpace
from engine.export.layout import edge_titles

_draws = StaticComponent("egs_draws", "draws.js", room=460)


def draws_data(
    space: SearchSpace, catalog: Catalog, records: Sequence[DrawRecord]
) -> dict[str, Any]:
    """What is drawn, as plain values; counts as shares of the snapshots of the window."""
    return {
        "step": records[0].last_step,
        "edges": list(edge_titles(space)),
        "operations": [catalog.operation(name).short for name in space.operations],
        "records": [
            {
                "kind": record.kind,
                "title": title_of(record),
                "words": words_of(record),
                "rows": [
                    [_shares(entry, record.snapshots) for entry in row] for row in record.edges
                ],
                "nodes": [
                    {
                        "label": space.source_label(space.inputs + node.node),
                        "drawn": round(node.drawn, 3),
                        "expected": round(node.expected, 3),
                    }
                    for node in record.nodes
                ],
            }
            for record in records
        ],
    }


def title_of(record: DrawRecord) -> str:
    """Which cell, and over which steps."""
    name = "Cell" if record.kind == "cell" else f"{record.kind.capitalize()} cell"
    return f"{name}, {record.snapshots:,} codes of steps {record.first_step:,}–{record.last_step:,}"


def words_of(record: DrawRecord) -> str:
    """What the comparison comes to, in a sentence."""
    return f"{record.inside} of {record.entries} frequencies lie in their 95 % bands."


def draws(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the frequencies."""
    _draws(data, key=key)


def _shares(entry: DrawnOften, snapshots: int) -> list[float]:
    counts = (entry.count, entry.expected, entry.low, entry.high)
    return [round(count / snapshots, 4) for count in counts]
