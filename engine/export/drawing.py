"""What a picture of the cells shows: gathered here, drawn in ``svg.py``."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.domain.catalog import Catalog, OperationCard
from engine.domain.genotype import Genotype
from engine.export.colours import operation_colours
from engine.export.genotype_graph import kept_arcs
from engine.export.layout import CellLayout, PlacedEdge, PlacedNode, cell_layout

FAMILIES = ("conv", "pool", "skip", "activation")
"""Order of the families in the legend; others follow."""

TAG_HEIGHT = 17.0

JOINED = {
    "concat": "all nodes side by side along the channels",
    "mean": "mean of all nodes",
    "last": "the last node",
}
"""In words, how the nodes of a cell become its output."""


@dataclass(frozen=True)
class DrawnEdge:
    """An edge that keeps at least one operation.

    Attributes:
        place: Its curve and the point where its tags sit.
        operations: What it keeps, in column order.
    """

    place: PlacedEdge
    operations: tuple[OperationCard, ...]


@dataclass(frozen=True)
class DrawnCell:
    """One cell; coordinates are those of its layout.

    Attributes:
        title: Such as ``Normal cell``.
        layout: Where its nodes are.
        edges: Those that keep something.
        empty: Nodes that keep nothing, by id: they are zero.
        top: Smallest y in use.
        bottom: Largest y in use.
    """

    title: str
    layout: CellLayout
    edges: tuple[DrawnEdge, ...]
    empty: frozenset[str]
    top: float
    bottom: float


@dataclass(frozen=True)
class LegendEntry:
    """An operation that occurs, with its colour."""

    card: OperationCard
    colour: str


@dataclass(frozen=True)
class Drawing:
    """All cells of a genotype side by side, with legend and caption.

    Attributes:
        joined: How the nodes become the output, in words.
    """

    cells: tuple[DrawnCell, ...]
    legend: tuple[LegendEntry, ...]
    joined: str
    caption: str

    def colour(self, operation: str) -> str:
        """The colour of an operation that occurs."""
        return next(entry.colour for entry in self.legend if entry.card.name == operation)


def gather_drawing(genotype: Genotype, catalog: Catalog) -> Drawing:
    """Everything that the picture of a genotype shows.

    All cells get the same extent, so that their nodes stand on one line.
    """
    cells = [_drawn_cell(genotype, kind, catalog) for kind in genotype.space.cell_kinds]
    top, bottom = min(cell.top for cell in cells), max(cell.bottom for cell in cells)
    return Drawing(
        tuple(replace(cell, top=top, bottom=bottom) for cell in cells),
        tuple(_legend(genotype, cells)),
        JOINED[genotype.space.output],
        _caption(genotype),
    )


def _drawn_cell(genotype: Genotype, kind: str, catalog: Catalog) -> DrawnCell:
    layout = cell_layout(genotype.space)
    kept: dict[tuple[str, str], list[OperationCard]] = {}
    for arc in kept_arcs(genotype, kind, catalog):
        kept.setdefault((str(arc.source), str(arc.target)), []).append(arc.card)
    edges = tuple(
        DrawnEdge(place, tuple(kept[place.source, place.target]))
        for place in layout.edges
        if (place.source, place.target) in kept
    )
    fed = {edge.place.target for edge in edges}
    empty = frozenset(n.id for n in layout.nodes if n.kind == "node" and n.id not in fed)
    heights = [*_box_heights(layout.nodes), *_arc_heights(edges)]
    title = "Cell" if kind == "cell" else f"{kind.capitalize()} cell"
    return DrawnCell(title, layout, edges, empty, min(heights), max(heights))


def _box_heights(nodes: tuple[PlacedNode, ...]) -> Iterator[float]:
    for node in nodes:
        yield node.y - node.height
        yield node.y + node.height


def _arc_heights(edges: tuple[DrawnEdge, ...]) -> Iterator[float]:
    for edge in edges:
        half = len(edge.operations) * TAG_HEIGHT / 2 + 10
        yield edge.place.y - half
        yield edge.place.y + half


def _legend(genotype: Genotype, cells: list[DrawnCell]) -> list[LegendEntry]:
    """The operations that occur, by family, then in column order."""
    colours = operation_colours(genotype.space.operations)
    found = {card.name: card for cell in cells for edge in cell.edges for card in edge.operations}
    used = [found[name] for name in genotype.space.operations if name in found]
    order = {family: place for place, family in enumerate(FAMILIES)}
    used.sort(key=lambda card: order.get(card.family, len(order)))
    return [LegendEntry(card, colours[card.name]) for card in used]


def _caption(genotype: Genotype) -> str:
    """Where the cells come from, as far as it is known."""
    lineage = genotype.lineage
    parts = [str(lineage[key]) for key in ("source", "name") if lineage.get(key)]
    if "step" in lineage:
        parts.append(f"step {lineage['step']:,}")
    if genotype.rule is not None:
        parts.append(f"rule {genotype.rule.name}, M = {genotype.rule.draws}")
    return ", ".join(parts)
