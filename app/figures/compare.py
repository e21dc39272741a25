"""Pictures of a comparison that stand still, as plotly figures.

Plotly is loaded by the functions that draw, so that what only gathers does
without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.domain.front import Better, non_dominated
from engine.export.colours import GREY, OKABE_ITO

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

RUN_COLOURS: tuple[str, ...] = (
    OKABE_ITO["blue"],
    OKABE_ITO["vermilion"],
    OKABE_ITO["green"],
    OKABE_ITO["pink"],
    OKABE_ITO["orange"],
    OKABE_ITO["violet"],
    OKABE_ITO["sky"],
    GREY,
)
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")
DASHES: tuple[tuple[int, ...], ...] = ((), (7, 4), (2, 3), (9, 3, 2, 3))
"""Lengths of line and gap in pixels; the first is a whole line."""

HEIGHT = 430
SCALE = [[0.0, "#aab4d0"], [0.5, "#4a59bd"], [1.0, "#d55e00"]]
SCALE_DARK = [[0.0, "#59627c"], [0.5, "#8a9cdd"], [1.0, "#ffae42"]]
MOST_TICKS = 6
"""Different numbers on an axis that all get a tick of their own."""


@dataclass(frozen=True)
class Look:
    """How one run is drawn everywhere on the page: colour, and a mark that says the same."""

    label: str
    colour: str
    dash: tuple[int, ...]
    symbol: str


def looks_of(labels: Sequence[str], groups: Sequence[str] | None = None) -> list[Look]:
    """A look for each run; runs of one group share the colour and differ in dash.

    Args:
        labels: What each run is called.
        groups: Such as the configurations of a study; None is a group each.
    """
    names = list(dict.fromkeys(groups or labels)) if groups else []
    looks, seen = [], dict.fromkeys(names, 0)
    for number, label in enumerate(labels):
        if groups:
            group = groups[number]
            colour, dash = names.index(group), seen[group]
            seen[group] += 1
        else:
            colour = dash = number
        looks.append(
            Look(
                label=label,
                colour=RUN_COLOURS[colour % len(RUN_COLOURS)],
                dash=DASHES[dash % len(DASHES)],
                symbol=SYMBOLS[colour % len(SYMBOLS)],
            )
        )
    return looks


@dataclass(frozen=True)
class FrontChart:
    """Cost and figure of many architectures, gathered for drawing.

    Attributes:
        costs: One a point.
        figures: One a point.
        owners: Number of the run in ``looks``, one a point.
        words: What a point is, one a point.
        looks: One a run.
        front: Places of the non-dominated points, cheapest first.
        cost_label: Title of the axis.
        figure_label: Title of the axis.
    """

    costs: tuple[float, ...]
    figures: tuple[float, ...]
    owners: tuple[int, ...]
    words: tuple[str, ...]
    looks: tuple[Look, ...]
    front: tuple[int, ...]
    cost_label: str
    figure_label: str


def gather_front(
    points: Sequence[tuple[int, float, float, str]],
    looks: Sequence[Look],
    better: Better,
    *,
    cost_label: str,
    figure_label: str,
) -> FrontChart:
    """Find the front of (number of the run, cost, figure, words)."""
    costs, figures = [point[1] for point in points], [point[2] for point in points]
    return FrontChart(
        costs=tuple(costs),
        figures=tuple(figures),
        owners=tuple(point[0] for point in points),
        words=tuple(point[3] for point in points),
        looks=tuple(looks),
        front=tuple(non_dominated(costs, figures, better)),
        cost_label=cost_label,
        figure_label=figure_label,
    )


def front_figure(chart: FrontChart, *, dark: bool) -> "Figure":
    """Draw all points, and the front as a line through larger, ringed ones."""
    import plotly.graph_objects as go

    ink = "#e8eaf0" if dark else "#1f2430"
    figure = go.Figure()
    for number, look in enumerate(chart.looks):
        mine = [i for i, owner in enumerate(chart.owners) if owner == number]
        if mine:
            figure.add_scatter(
                x=[chart.costs[i] for i in mine],
                y=[chart.figures[i] for i in mine],
                mode="markers",
                name=look.label,
                text=[chart.words[i] for i in mine],
                hovertemplate="%{text}<extra></extra>",
                marker={"color": look.colour, "symbol": look.symbol, "size": 8, "opacity": 0.65},
            )
    figure.add_scatter(
        x=[chart.costs[i] for i in chart.front],
        y=[chart.figures[i] for i in chart.front],
        mode="lines+markers",
        name="not beaten by any other",
        text=[chart.words[i] for i in chart.front],
        hovertemplate="%{text}<br>not beaten by any other<extra></extra>",
        line={"color": ink, "width": 1.6, "dash": "dot"},
        marker={"symbol": "circle-open", "size": 15, "color": ink, "line": {"width": 2}},
    )
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis={"title": chart.cost_label},
        yaxis={"title": chart.figure_label},
        legend={"orientation": "h", "y": -0.22},
    )
    return figure


@dataclass(frozen=True)
class Axis:
    """One axis of parallel coordinates: a value a run, as numbers with names for the ticks.

    Attributes:
        label: Title.
        values: One a run; None where a run has no value.
        ticks: Names of the numbers 0, 1, … where the values are words; empty
            where they are numbers.
    """

    label: str
    values: tuple[float | None, ...]
    ticks: tuple[str, ...] = ()


def axis_of(label: str, values: Sequence[Any], text: Mapping[Any, str] | None = None) -> Axis:
    """Numbers stay numbers; anything else becomes the place among its different words."""
    numbers = all(
        value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        for value in values
    )
    if numbers:
        return Axis(label, tuple(None if v is None else float(v) for v in values))
    words = [None if v is None else (text or {}).get(v, str(v)) for v in values]
    ticks = tuple(sorted({word for word in words if word is not None}))
    return Axis(label, tuple(None if w is None else float(ticks.index(w)) for w in words), ticks)


def parallel_figure(axes: Sequence[Axis], colour: Axis | None, *, dark: bool) -> "Figure":
    """Draw one line a run through all axes; a run that lacks a value is left out.

    Args:
        axes: From left to right.
        colour: The axis by whose values the lines are coloured.
        dark: Whether the page is dark.
    """
    import plotly.graph_objects as go

    whole = complete_runs(axes)
    dimensions = []
    for axis in axes:
        values = [_rounded(v) for v in (axis.values[i] for i in whole) if v is not None]
        dimension: dict[str, Any] = {"label": axis.label, "values": values}
        if not axis.ticks and len(set(values)) <= MOST_TICKS:
            dimension["tickvals"] = sorted(set(values))
        if axis.ticks:
            dimension |= {
                "tickvals": list(range(len(axis.ticks))),
                "ticktext": [tick[:24] for tick in axis.ticks],
                "range": [-0.3, len(axis.ticks) - 0.7],
            }
        dimensions.append(dimension)
    line: dict[str, Any] = {"color": RUN_COLOURS[0]}
    shades = [colour.values[i] for i in whole] if colour else []
    if colour and len(set(shades)) > 1:
        line = {
            "color": shades,
            "colorscale": SCALE_DARK if dark else SCALE,
            "showscale": True,
            "colorbar": {"title": {"text": colour.label, "side": "right"}, "thickness": 12},
        }
    ink = "#e8eaf0" if dark else "#1f2430"
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line=line,
            labelfont={"color": ink, "size": 12},
            tickfont={"color": ink, "size": 11},
            rangefont={"color": ink, "size": 10},
            labelangle=-18,
        )
    )
    figure.update_layout(height=HEIGHT, margin={"l": 60, "r": 60, "t": 90, "b": 30})
    return figure


def _rounded(value: float) -> float:
    """Four digits, as many as people read at the end of an axis."""
    return float(f"{value:.4g}")


def complete_runs(axes: Sequence[Axis]) -> list[int]:
    """Places of the runs that have a value on every axis."""
    count = len(axes[0].values) if axes else 0
    return [i for i in range(count) if all(axis.values[i] is not None for axis in axes)]
