"""The health of a search as text, for pages, reports and the command line."""

from app.epochs import ends_of_epochs
from app.studio import Studio
from engine.domain.config import SearchConfig
from engine.domain.diagnosis import examine
from engine.domain.errors import NotFound
from engine.domain.health import CellTopology, Health, cell_label
from engine.domain.run import FINAL, Run
from engine.domain.space import in_line

STEADY_TREND = 0.001
"""Change of entropy per tenth of a search below which it is called steady."""

EXPLANATION = (
    "Entropy: 1 is uniform, 0 is decided. Trend: change per tenth of the search. Lead: of the "
    "likeliest operation of a row over the second. Unchanged: share of the kept operations that "
    "stayed over the last tenth of the search."
)
TOPOLOGY_EXPLANATION = (
    "Depth: operations on the longest path through the derived cell. Width: nodes that read the "
    "inputs only. Shares: what the probability of all operations but none reads; the curves below "
    "show them over time."
)


def health_of(studio: Studio, run: Run, step: int | None = None) -> Health | None:
    """The health of a search at a step, or now; None if there is nothing to judge."""
    config = run.config
    if not isinstance(config, SearchConfig):
        return None
    try:
        space = studio.space(run)
    except NotFound:
        return None
    ends = ends_of_epochs(studio, run)
    known = [one for one in ends if step is None or one.step <= step]
    ended = run.state in FINAL and len(known) == len(ends)
    return examine(space, config, known, ended=ended)


def health_lines(health: Health) -> list[str]:
    """Everything about a health, for a terminal."""
    return [
        f"{health.verdict.label}. {health.headline}",
        measures(health),
        *topology_lines(health),
        *(f"{one.text} {one.advice}" for one in health.findings),
    ]


def moment_text(health: Health) -> str:
    """The moment that a health speaks of."""
    return f"Epoch {health.epoch} of {health.epochs}, step {health.step:,}"


def measures(health: Health) -> str:
    """What was measured of the probabilities, in one line."""
    parts = [
        moment_text(health),
        f"entropy {health.entropy:.2f}{_trend_text(health.trend)}",
        f"lead {health.margin:.0%}",
        f"skips {health.skip_share:.0%}",
        f"none {health.none_share:.0%}",
        f"temperature {health.temperature:.2f}",
    ]
    if health.steady is not None:
        parts.append(f"{health.steady:.0%} of operations unchanged")
    return " · ".join(parts)


def topology_lines(health: Health) -> list[str]:
    """Depth, width and sources of each cell kind, one line each."""
    return [_topology_text(cell) for cell in health.cells]


def _topology_text(cell: CellTopology) -> str:
    label = cell_label(cell.kind)
    sources = ", ".join(f"{one.share:.0%} on {in_line(one.source)}" for one in cell.sources)
    return (
        f"{label[0].upper()}{label[1:]}: depth {cell.shape.depth:.0f}, "
        f"width {cell.shape.width:.0f}; {sources}"
    )


def _trend_text(trend: float | None) -> str:
    if trend is None:
        return ""
    if abs(trend) < STEADY_TREND:
        return ", steady"
    return f", {'falling' if trend < 0 else 'rising'} {abs(trend):.3f}"
