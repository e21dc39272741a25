"""The cells of a genotype as one graph: what GraphML, DOT and pictures show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import networkx as nx

from engine.domain.catalog import Catalog, OperationCard
from engine.domain.genotype import Genotype, plain_nodes
from engine.domain.pruning import ALIVE, PrunedKind, pruning_of
from engine.domain.space import SearchSpace
from engine.export.layout import joined_nodes

OUTPUT = "output"


@dataclass(frozen=True)
class Arc:
    """A kept operation: it reads ``source`` and its result is summed at ``target``.

    Both are source numbers of the search space.

    Attributes:
        source: What it reads.
        target: The node that sums it.
        card: The operation.
        dead: Why it is dead wherever the cell stands; empty if it is alive.
    """

    source: int
    target: int
    card: OperationCard
    dead: str = ""


def pruned_kinds(genotype: Genotype, cells: int | None) -> Mapping[str, PrunedKind]:
    """By cell kind, what is dead in a network of so many cells; nothing if that is None."""
    if cells is None:
        return dict.fromkeys(genotype.space.cell_kinds, ALIVE)
    return pruning_of(genotype, cells).kinds


def kept_arcs(
    genotype: Genotype, kind: str, catalog: Catalog, pruned: PrunedKind = ALIVE
) -> tuple[Arc, ...]:
    """The operations of one cell by target, then by source, without ``none``."""
    first = genotype.space.inputs
    return tuple(
        Arc(
            source,
            first + node,
            catalog.operation(name),
            pruned.operations.get((node, (name, source)), ""),
        )
        for node, genes in enumerate(plain_nodes(genotype)[kind])
        for name, source in genes
    )


def genotype_graph(
    genotype: Genotype, catalog: Catalog, cells: int | None = None
) -> nx.MultiDiGraph:
    """All cells side by side in one graph; every attribute is text or a number.

    Nodes are called ``<number of the cell kind>.<source number>`` or
    ``<number of the cell kind>.output`` and carry ``cell``, ``role`` (input,
    node or output), ``label`` and ``index`` (the source number; -1 for the
    output). Edges carry ``operation``, ``label`` and ``family``; those into
    the output have the space's rule of joining as operation and the family
    ``output``. Both carry ``dead``: why they are on no path from the image to
    the scores wherever the cell stands in the network; empty if they are alive.

    Args:
        genotype: The cells.
        catalog: The labels of their operations.
        cells: Number of cells of the network; None if it is not known, and
            nothing is called dead.
    """
    space = genotype.space
    graph = nx.MultiDiGraph(space=space.name, joined=space.output)
    kinds = pruned_kinds(genotype, cells)
    for number, kind in enumerate(space.cell_kinds):
        pruned = kinds[kind]
        graph.add_nodes_from(_nodes(space, number, kind, pruned))
        for arc in kept_arcs(genotype, kind, catalog, pruned):
            graph.add_edge(
                f"{number}.{arc.source}",
                f"{number}.{arc.target}",
                operation=arc.card.name,
                label=arc.card.label,
                family=arc.card.family,
                dead=arc.dead,
            )
        for node in joined_nodes(space):
            graph.add_edge(
                f"{number}.{node}",
                f"{number}.{OUTPUT}",
                operation=space.output,
                label=space.output,
                family=OUTPUT,
                dead=pruned.source(node, space.inputs),
            )
    return graph


def _nodes(
    space: SearchSpace, number: int, kind: str, pruned: PrunedKind
) -> Iterable[tuple[str, dict[str, str | int]]]:
    for source in range(space.inputs + space.nodes):
        role = "input" if source < space.inputs else "node"
        label = space.source_label(source)
        yield (
            f"{number}.{source}",
            {
                "cell": kind,
                "role": role,
                "label": label,
                "index": source,
                "dead": pruned.source(source, space.inputs),
            },
        )
    yield (
        f"{number}.{OUTPUT}",
        {
            "cell": kind,
            "role": OUTPUT,
            "label": "c_{k}",
            "index": -1,
            "dead": pruned.output,
        },
    )
