"""Edge probabilities at one moment, gathered for the heat maps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.domain.catalog import Catalog
from engine.domain.snapshot import Rows, Snapshot, operations_in
from engine.domain.space import Scope, SearchSpace
from engine.export.layout import edge_titles

SUMS: Mapping[Scope, str] = {
    "node": "all edges into a node sum",
    "source": "each row from an input of the cell, and all edges from nodes into a node, sum",
    "edge": "each row sums",
}
"""Which cells of the map sum to 1, or to 0 where it shows a change, by scope."""


@dataclass(frozen=True)
class EdgeHeatmap:
    """What the heat map of one cell kind shows.

    Attributes:
        kind: Cell kind.
        step: Moment of the search.
        edges: Label of each row, in the order of the space.
        operations: Label of each column.
        probabilities: One row an edge, in the run's own normalisation.
        drawn: The same shape: whether the code drawn at that step has it on.
        scope: What sums to 1, as in the search.
        since: Where the map shows a change: the step from which on; None: the
            probabilities themselves.
    """

    kind: str
    step: int
    edges: tuple[str, ...]
    operations: tuple[str, ...]
    probabilities: Rows
    drawn: tuple[tuple[bool, ...], ...]
    scope: Scope
    since: int | None = None

    @property
    def name(self) -> str:
        """Which cell."""
        return "Cell" if self.kind == "cell" else f"{self.kind.capitalize()} cell"

    @property
    def title(self) -> str:
        """Which cell, and when."""
        if self.since is not None:
            return f"{self.name}, from step {self.since:,} to {self.step:,}"
        return f"{self.name}, step {self.step:,}"

    @property
    def normalisation(self) -> str:
        """In words, which cells of the map sum to 1, or to 0 of a change."""
        what = SUMS[self.scope]
        if self.since is not None:
            return f"change in percentage points; {what} to 0"
        return f"{what} to 1"


def edge_heatmaps(
    space: SearchSpace, catalog: Catalog, snapshot: Snapshot, scope: Scope
) -> tuple[EdgeHeatmap, ...]:
    """Gather one heat map for each cell kind of a snapshot."""
    labels = tuple(catalog.operation(name).short for name in space.operations)
    return tuple(
        EdgeHeatmap(
            kind=kind,
            step=snapshot.step,
            edges=edge_titles(space),
            operations=labels,
            probabilities=snapshot.probabilities[kind],
            drawn=_drawn(space, snapshot.codes, kind),
            scope=scope,
        )
        for kind in space.cell_kinds
    )


def edge_changes(
    space: SearchSpace, catalog: Catalog, now: Snapshot, then: Snapshot, scope: Scope
) -> tuple[EdgeHeatmap, ...]:
    """Probabilities at one moment minus those at another, one map for each cell kind."""
    return tuple(
        replace(
            values,
            since=then.step,
            probabilities=tuple(
                tuple(after - before for after, before in zip(row, old, strict=True))
                for row, old in zip(
                    values.probabilities, then.probabilities[values.kind], strict=True
                )
            ),
        )
        for values in edge_heatmaps(space, catalog, now, scope)
    )


def _drawn(
    space: SearchSpace, codes: Mapping[str, tuple[int, ...]], kind: str
) -> tuple[tuple[bool, ...], ...]:
    columns = range(len(space.operations))
    on = [set(operations_in(mask)) for mask in codes[kind]]
    return tuple(tuple(column in row for column in columns) for row in on)
