"""The cells as a torch-geometric graph, for predictors over architectures."""

from io import BytesIO

import networkx as nx
import torch
from torch import Tensor

from engine.conversion.child import Child
from engine.conversion.conversion import Conversion, Converted
from engine.domain.catalog import Card, Catalog
from engine.domain.genotype import Genotype
from engine.export.exporter import NETWORK
from engine.export.genotype_graph import OUTPUT, genotype_graph
from engine.operations.table import OPERATIONS

ROLES = ("input", "node", "output")


def convert_graph(child: Child) -> Converted:
    """``Data.to_dict()`` of the cells' graph, which ``weights_only=True`` loads.

    ``Data.from_dict(torch.load(file, weights_only=True))`` gives the graph.
    """
    from torch_geometric.data import Data

    data = Data.from_dict(graph_tensors(child.genotype, child.facts["dead"]["cells"]))
    data.validate(raise_on_error=True)
    file = BytesIO()
    torch.save(data.to_dict(), file)
    return Converted(file.getvalue(), {"nodes": data.num_nodes, "edges": data.num_edges})


def graph_tensors(genotype: Genotype, cells: int | None = None) -> dict[str, Tensor | list[str]]:
    """All cells in one graph.

    ``x`` [n, 3] is the role one-hot (input, node, output); ``cell`` [n] the
    number of the cell kind; ``position`` [n] the source number, -1 for the
    output; ``edge_index`` [2, m] runs along the data; ``edge_attr`` [m, K + 1]
    is the operation one-hot in the columns of the space, the last column for
    edges into the output. ``dead`` [n] and ``edge_dead`` [m] are true where a
    part lies on no path from the image to the scores wherever its cell stands.
    ``operations``, ``roles`` and ``cells`` name the columns and numbers.

    Args:
        genotype: The cells.
        cells: Number of cells of the network; None if it is not known, and
            nothing is called dead.
    """
    space = genotype.space
    cards = tuple(operation.card for operation in OPERATIONS.values())
    graph = nx.convert_node_labels_to_integers(
        genotype_graph(genotype, Catalog(cards, (), (), ()), cells), ordering="default"
    )
    columns = {name: k for k, name in enumerate(space.operations)}
    kinds = {kind: number for number, kind in enumerate(space.cell_kinds)}
    edges = list(graph.edges(data=True))
    chosen = [
        len(columns) if facts["family"] == OUTPUT else columns[facts["operation"]]
        for *_, facts in edges
    ]
    roles = [ROLES.index(role) for _, role in graph.nodes(data="role")]
    return {
        "x": one_hot(roles, len(ROLES)),
        "cell": whole([kinds[kind] for _, kind in graph.nodes(data="cell")]),
        "position": whole([index for _, index in graph.nodes(data="index")]),
        "edge_index": whole([[a for a, *_ in edges], [b for _, b, _ in edges]]),
        "edge_attr": one_hot(chosen, len(columns) + 1),
        "dead": torch.tensor([bool(why) for _, why in graph.nodes(data="dead")]),
        "edge_dead": torch.tensor([bool(facts["dead"]) for *_, facts in edges]),
        "operations": [*space.operations, "output"],
        "roles": list(ROLES),
        "cells": list(space.cell_kinds),
    }


def whole(numbers: list[int] | list[list[int]]) -> Tensor:
    """Whole numbers as int64."""
    return torch.tensor(numbers, dtype=torch.int64)


def one_hot(columns: list[int], count: int) -> Tensor:
    """One row a number, float32, with a 1 in its column."""
    return torch.nn.functional.one_hot(whole(columns), count).float()


GRAPH = Conversion(
    Card(
        "pyg",
        "Graph (torch-geometric)",
        "The cells as tensors of a torch-geometric Data with operations one-hot on the edges.",
        group=NETWORK,
        by_engine=True,
    ),
    extension="-graph.pt",
    media_type="application/octet-stream",
    convert=convert_graph,
)
