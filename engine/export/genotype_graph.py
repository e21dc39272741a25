"""The cells of a genotype as one graph: what GraphML, DOT and pictures show."""

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from engine.domain.catalog import Catalog, OperationCard
from engine.domain.genotype import Genotype, plain_nodes
from engine.domain.space import SearchSpace
from engine.export.layout import joined_nodes

OUTPUT = "output"


@dataclass(frozen=True)
class Arc:
    """A kept operation: it reads ``source`` and its result is summed at ``target``.

    Both are source numbers of the search space.
    """

    source: int
    target: int
    card: OperationCard


def kept_arcs(genotype: Genotype, kind: str, catalog: Catalog) -> tuple[Arc, ...]:
    """The operations of one cell by target, then by source, without ``none``."""
    first = genotype.space.inputs
    return tuple(
        Arc(source, first + node, catalog.operation(name))
        for node, genes in enumerate(plain_nodes(genotype)[kind])
        for name, source in genes
    )


def genotype_graph(genotype: Genotype, catalog: Catalog) -> nx.MultiDiGraph:
    """All cells side by side in one graph; every attribute is text or a number.

    Nodes are called ``<number of the cell kind>.<source number>`` or
    ``<number of the cell kind>.output`` and carry ``cell``, ``role`` (input,
    node or output), ``label`` and ``index`` (the source number; -1 for the
    output). Edges carry ``operation``, ``label`` and ``family``; those into
    the output have the space's rule of joining as operation and the family
    ``output``.
    """
    space = genotype.space
    graph = nx.MultiDiGraph(space=space.name, joined=space.output)
    for number, kind in enumerate(space.cell_kinds):
        graph.add_nodes_from(_nodes(space, number, kind))
        for arc in kept_arcs(genotype, kind, catalog):
            graph.add_edge(
                f"{number}.{arc.source}",
                f"{number}.{arc.target}",
                operation=arc.card.name,
                label=arc.card.label,
                family=arc.card.family,
            )
        for node in joined_nodes(space):
            graph.add_edge(
                f"{number}.{node}",
                f"{number}.{OUTPUT}",
                operation=space.output,
                label=space.output,
                family=OUTPUT,
            )
    return graph


def _nodes(
    space: SearchSpace, number: int, kind: str
) -> Iterable[tuple[str, dict[str, str | int]]]:
    for source in range(space.inputs + space.nodes):
        role = "input" if source < space.inputs else "node"
        label = space.source_label(source)
        yield (
            f"{number}.{source}",
            {"cell": kind, "role": role, "label": label, "index": source},
        )
    yield (
        f"{number}.{OUTPUT}",
        {"cell": kind, "role": OUTPUT, "label": "c_{k}", "index": -1},
    )
