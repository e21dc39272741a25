"""What a search looks like at one moment, as a picture: the frame of an animation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from engine.domain.catalog import Catalog
from engine.domain.snapshot import Rows, Snapshot
from engine.domain.space import NONE, SearchSpace
from engine.export.colours import operation_colours
from engine.export.layout import CellLayout, PlacedEdge, cell_layout
from engine.export.svg import FONT, INK, PALE, PAPER, curve, letters, node_box

HEADER, TITLE, MARGIN = 46.0, 26.0, 20.0
THINNEST, WIDEST = 1.2, 6.4
BAR = (68.0, 8.0)


@dataclass(frozen=True)
class Winner:
    """The operation that leads on an edge.

    Attributes:
        operation: Its name.
        probability: Its probability in the run's own normalisation.
        strength: The same over the largest of the cell, 0 to 1.
    """

    operation: str
    probability: float
    strength: float


def winners(space: SearchSpace, rows: Rows) -> list[Winner]:
    """The leading operation of each edge; of equal ones the first."""
    largest = max(max(row) for row in rows) or 1.0
    found = []
    for row in rows:
        best = row.index(max(row))
        found.append(Winner(space.operations[best], row[best], row[best] / largest))
    return found


def draw_moment(space: SearchSpace, catalog: Catalog, snapshot: Snapshot, *, title: str) -> str:
    """All cells one below the other, as SVG; colour and width say what leads and how clearly.

    Args:
        space: The search space.
        catalog: For the labels of operations.
        snapshot: The moment.
        title: What stands above, at the left; the step stands at the right.
    """
    layout = cell_layout(space)
    height = HEADER + len(space.cell_kinds) * (TITLE + layout.height) + MARGIN
    width = layout.width + 2 * MARGIN
    size = {"width": f"{width:.0f}", "height": f"{height:.0f}"}
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "font-family": FONT,
            **size,
        },
    )
    SubElement(svg, "rect", {**size, "fill": PAPER})
    letters(svg, title, MARGIN, 30, size=18, weight="bold")
    when = f"epoch {snapshot.epoch}, step {snapshot.step:,}"
    letters(svg, when, width - MARGIN, 30, size=15, fill=PALE, anchor="end")
    for number, kind in enumerate(space.cell_kinds):
        top = HEADER + number * (TITLE + layout.height)
        group = SubElement(svg, "g", transform=f"translate({MARGIN} {top:.1f})")
        if len(space.cell_kinds) > 1:
            name = "Cell" if kind == "cell" else f"{kind.capitalize()} cell"
            letters(group, name, 0, 16, size=15, weight="bold")
        inner = SubElement(group, "g", transform=f"translate(0 {TITLE})")
        _cell(inner, space, catalog, layout, snapshot.probabilities[kind])
    return tostring(svg, encoding="unicode")


def _cell(
    parent: Element, space: SearchSpace, catalog: Catalog, layout: CellLayout, rows: Rows
) -> None:
    colours = operation_colours(space.operations)
    for path in layout.outputs:
        curve(parent, path, PALE, dashed=True)
    leading = winners(space, rows)
    for edge in layout.edges:
        _edge(parent, edge, leading[edge.index], colours)
    for node in layout.nodes:
        node_box(parent, node)
    for edge in layout.edges:
        winner = leading[edge.index]
        group = SubElement(parent, "g", opacity=f"{0.3 + 0.7 * winner.strength:.2f}")
        _label(group, edge, winner, catalog)
        _bar(group, edge, rows[edge.index], [colours[name] for name in space.operations])


def _edge(parent: Element, edge: PlacedEdge, winner: Winner, colours: Mapping[str, str]) -> None:
    line = curve(parent, edge.path, colours[winner.operation], dashed=winner.operation == NONE)
    line.set("stroke-width", f"{THINNEST + (WIDEST - THINNEST) * winner.strength:.2f}")
    line.set("opacity", f"{0.25 + 0.75 * winner.strength:.2f}")


def _label(parent: Element, edge: PlacedEdge, winner: Winner, catalog: Catalog) -> None:
    words = f"{catalog.operation(winner.operation).short} {100 * winner.probability:.0f}%"
    letters(parent, words, edge.x, edge.y - 10, size=12, fill=INK, anchor="middle")


def _bar(parent: Element, edge: PlacedEdge, row: Sequence[float], colours: Sequence[str]) -> None:
    """The probabilities of an edge beside each other, as shares of the edge."""
    width, height = BAR
    total = sum(row)
    left = edge.x - width / 2
    for probability, colour in zip(row, colours, strict=True):
        part = width * probability / total if total else 0.0
        if part < 0.1:
            continue
        SubElement(
            parent,
            "rect",
            {
                "x": f"{left:.2f}",
                "y": f"{edge.y - height / 2:.1f}",
                "width": f"{part:.2f}",
                "height": f"{height:.0f}",
                "fill": colour,
            },
        )
        left += part
