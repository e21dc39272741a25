"""Edge probabilities at one moment: gather the values, then draw them."""

from collections.abc import Mapping
from dataclasses import dataclass

import plotly.graph_objects as go

from app.figures.palette import SEQUENTIAL, SEQUENTIAL_DARK
from engine.domain.catalog import Catalog
from engine.domain.snapshot import Rows, Snapshot, operations_in
from engine.domain.space import Scope, SearchSpace
from engine.export.layout import edge_titles

ROW_PIXELS, FRAME_PIXELS = 25, 150


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
        scope: What sums to 1: ``node`` or ``edge``.
    """

    kind: str
    step: int
    edges: tuple[str, ...]
    operations: tuple[str, ...]
    probabilities: Rows
    drawn: tuple[tuple[bool, ...], ...]
    scope: Scope

    @property
    def normalisation(self) -> str:
        """In words, which cells of the map sum to 1."""
        if self.scope == "node":
            return "all edges into a node sum to 1"
        return "each row sums to 1"


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


def edge_heatmap(values: EdgeHeatmap, *, dark: bool = False) -> go.Figure:
    """Draw one heat map; a dot marks what the code drawn at that step has on."""
    colours = SEQUENTIAL_DARK if dark else SEQUENTIAL
    marks = [["●" if on else "" for on in row] for row in values.drawn]
    figure = go.Figure(
        go.Heatmap(
            z=[list(row) for row in values.probabilities],
            x=list(values.operations),
            y=[plain_edge(edge) for edge in values.edges],
            zmin=0,
            colorscale=[
                [number / (len(colours) - 1), colour] for number, colour in enumerate(colours)
            ],
            colorbar={"thickness": 10, "tickformat": ".0%", "outlinewidth": 0},
            text=marks,
            texttemplate="%{text}",
            xgap=2,
            ygap=2,
            hovertemplate="%{y}, %{x}: %{z:.1%}<extra></extra>",
        )
    )
    figure.update_layout(
        title={
            "text": f"{values.kind.capitalize()} cell, step {values.step:,}"
            f"<br><span style='font-size:12px;font-weight:400'>{values.normalisation}</span>",
            "font": {"size": 14},
        },
        height=FRAME_PIXELS + ROW_PIXELS * len(values.edges),
        margin={"l": 8, "r": 8, "t": 56, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, ticks="")
    figure.update_xaxes(side="bottom", automargin=True, showgrid=False, tickangle=-35)
    return figure


def plain_edge(title: str) -> str:
    """An edge's title with subscripts as plotly draws them."""
    return title.replace("_{", "<sub>").replace("}", "</sub>")


def _drawn(
    space: SearchSpace, codes: Mapping[str, tuple[int, ...]], kind: str
) -> tuple[tuple[bool, ...], ...]:
    columns = range(len(space.operations))
    on = [set(operations_in(mask)) for mask in codes[kind]]
    return tuple(tuple(column in row for column in columns) for row in on)
