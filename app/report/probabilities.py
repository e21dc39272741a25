"""Edge probabilities as tables of numbers on a scale of one colour."""

from app.figures.heatmap import EdgeHeatmap, edge_heatmaps
from app.figures.palette import SEQUENTIAL
from app.html_file import Html, escaped, joined
from app.report.facts import Facts
from app.report.sections import section
from engine.domain.genotype import to_masks
from engine.domain.space import in_line

DARK_FROM = 4
"""Colour of the scale from which on the number in it is white."""

NOTE = (
    "In per cent; the darker, the more probable. A bold number with a dot belongs to an operation "
    "that the derived architecture keeps."
)


def probabilities(facts: Facts) -> Html:
    """One table a kind of cell, at the end of the last epoch."""
    if facts.space is None or facts.catalog is None or facts.last is None or facts.genotype is None:
        return Html("")
    if not facts.last.probabilities:
        return Html("")
    kept = to_masks(facts.genotype)
    firsts = {edges.start for edges in facts.space.edges_of}
    maps = edge_heatmaps(facts.space, facts.catalog, facts.last, facts.run.search.scope)
    tables = [_table(one, kept[one.kind], firsts) for one in maps]
    kind = "pair" if len(tables) > 1 else "single"
    return section(
        "Edge probabilities",
        f'<p>{NOTE}</p><div class="{kind} heats">{joined(tables)}</div>',
        kind="unbroken",
    )


def _table(found: EdgeHeatmap, kept: tuple[int, ...], firsts: set[int]) -> Html:
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in found.operations)
    top = max(max(row) for row in found.probabilities) or 1.0
    rows = (
        f'<tr{_starts(edge in firsts)}><th scope="row">{escaped(in_line(title))}</th>'
        + "".join(
            _cell(probability, probability / top, is_kept=bool(kept[edge] >> k & 1))
            for k, probability in enumerate(found.probabilities[edge])
        )
        + "</tr>"
        for edge, title in enumerate(found.edges)
    )
    caption = f"<b>{escaped(found.title)}</b> {escaped(found.normalisation)}"
    return Html(
        f'<table class="heat"><caption>{caption}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{joined(rows, '')}</tbody></table>"
    )


def _starts(is_first: bool) -> str:
    """A line above the first edge into each node."""
    return ' class="first"' if is_first else ""


def _cell(probability: float, share: float, *, is_kept: bool) -> Html:
    number = round(share * (len(SEQUENTIAL) - 1))
    ink = "#ffffff" if number >= DARK_FROM else "#1d2433"
    text = escaped(percent_text(probability))
    words = f"<b>{text}•</b>" if is_kept else text
    return Html(f'<td style="background:{SEQUENTIAL[number]};color:{ink}">{words}</td>')


def percent_text(probability: float) -> str:
    """A probability in per cent with two digits."""
    percent = 100 * probability
    return f"{percent:.1f}" if percent < 9.95 else f"{percent:.0f}"
