"""What a picture of the cells shows: gathered here, drawn in ``svg.py``."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.domain.catalog import Catalog, OperationCard
from engine.domain.genotype import Genotype
from engine.domain.pruning import PrunedKind
from engine.domain.space import SearchSpace
from engine.export.colours import operation_colours
from engine.export.genotype_graph import Arc, kept_arcs, pruned_kinds
from engine.export.layout import CellLayout, PlacedEdge, PlacedNode, cell_layout, joined_nodes

FAMILIES = ("conv", "pool", "skip", "activation")
"""Order of the families in the legend; others follow."""

TAG_HEIGHT = 17.0

JOINED = {
    "concat": "all nodes side by side along the channels",
    "mean": "mean of all nodes",
    "last": "the last node",
}
"""In text, how the nodes of a cell become its output."""


@dataclass(frozen=True)
class DrawnEdge:
    """An edge that keeps at least one operation.

    Attributes:
        place: Its curve and the point where its tags sit.
        operations: What it keeps, in column order.
        dead: Why each of them is dead; empty for those that are alive.
    """

    place: PlacedEdge
    operations: tuple[OperationCard, ...]
    dead: tuple[str, ...]


@dataclass(frozen=True)
class DrawnCell:
    """One cell; coordinates are those of its layout.

    Attributes:
        title: Such as ``Normal cell``.
        layout: Where its nodes are.
        outputs: Paths from the nodes that make the output.
        edges: Those that keep something.
        dead: By id, why inputs, nodes and the output are dead.
        note: About cells of the kind that are dead as a whole; may be empty.
        top: Smallest y in use.
        bottom: Largest y in use.
    """

    title: str
    layout: CellLayout
    outputs: tuple[str, ...]
    edges: tuple[DrawnEdge, ...]
    dead: Mapping[str, str]
    note: str
    top: float
    bottom: float

    @property
    def has_dead(self) -> bool:
        """Whether anything in it is dead."""
        return bool(self.dead or self.note or any(any(edge.dead) for edge in self.edges))


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


def gather_drawing(genotype: Genotype, catalog: Catalog, cells: int | None = None) -> Drawing:
    """Everything that the picture of a genotype shows.

    All cells get the same extent, so that their nodes stand on one line.

    Args:
        genotype: The cells.
        catalog: The labels of their operations.
        cells: Number of cells of the network, which says what is dead; None if
            it is not known.
    """
    pruned = pruned_kinds(genotype, cells)
    drawn = [
        _drawn_cell(genotype, kind, catalog, pruned[kind]) for kind in genotype.space.cell_kinds
    ]
    top, bottom = min(cell.top for cell in drawn), max(cell.bottom for cell in drawn)
    return Drawing(
        tuple(replace(cell, top=top, bottom=bottom) for cell in drawn),
        tuple(_legend(genotype, drawn)),
        JOINED[genotype.space.output],
        _caption(genotype),
    )


def _drawn_cell(genotype: Genotype, kind: str, catalog: Catalog, pruned: PrunedKind) -> DrawnCell:
    space = genotype.space
    layout = cell_layout(space)
    kept: dict[tuple[str, str], list[Arc]] = {}
    for arc in kept_arcs(genotype, kind, catalog, pruned):
        kept.setdefault((str(arc.source), str(arc.target)), []).append(arc)
    edges = tuple(
        DrawnEdge(place, tuple(arc.card for arc in arcs), tuple(arc.dead for arc in arcs))
        for place in layout.edges
        if (arcs := kept.get((place.source, place.target)))
    )
    heights = [*_box_heights(layout.nodes), *_arc_heights(edges)]
    joined = zip(joined_nodes(space), layout.outputs, strict=True)
    dead = dead_nodes(space, pruned, {edge.place.target for edge in edges})
    return DrawnCell(
        title="Cell" if kind == "cell" else f"{kind.capitalize()} cell",
        layout=layout,
        outputs=tuple(path for node, path in joined if str(node) not in dead),
        edges=edges,
        dead=dead,
        note=pruned.note,
        top=min(heights),
        bottom=max(heights),
    )


def dead_nodes(space: SearchSpace, pruned: PrunedKind, fed: Collection[str]) -> dict[str, str]:
    """By id, why inputs, nodes and the output are dead; nodes that keep nothing always are."""
    reasons = {"output": pruned.output} if pruned.output else {}
    for source in range(space.inputs + space.nodes):
        reason = pruned.source(source, space.inputs)
        if not reason and source >= space.inputs and str(source) not in fed:
            reason = f"node {source - space.inputs} keeps nothing"
        if reason:
            reasons[str(source)] = reason
    return reasons


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
