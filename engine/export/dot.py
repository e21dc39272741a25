"""The cells as DOT, for Graphviz."""

from typing import Any

import pydot

from engine.domain.catalog import Card, Catalog
from engine.domain.genotype import Genotype
from engine.export.colours import GREY, operation_colours
from engine.export.exporter import TEXT, Exporter
from engine.export.genotype_graph import OUTPUT, genotype_graph


def draw_dot(genotype: Genotype, catalog: Catalog, cells: int | None = None) -> bytes:
    """A directed graph with one cluster per cell kind, UTF-8; what is dead is grey and dotted."""
    graph = genotype_graph(genotype, catalog, cells)
    dot = pydot.Dot(quoted(genotype.space.name), graph_type="digraph", rankdir="LR")
    dot.set_node_defaults(shape="box", style="rounded")
    clusters = {
        kind: pydot.Subgraph(f"cluster_{number}", label=quoted(f"{kind} cell"))
        for number, kind in enumerate(genotype.space.cell_kinds)
    }
    for name, attributes in graph.nodes(data=True):
        values = _quoted_values(attributes, "label", "role")
        values |= _faded(attributes, "rounded,dotted")
        clusters[attributes["cell"]].add_node(pydot.Node(quoted(name), **values))
    colours = operation_colours(genotype.space.operations)
    for source, target, attributes in graph.edges(data=True):
        clusters[graph.nodes[source]["cell"]].add_edge(_edge(source, target, attributes, colours))
    for cluster in clusters.values():
        dot.add_subgraph(cluster)
    return dot.to_string().encode()


def _edge(
    source: str, target: str, attributes: dict[str, str], colours: dict[str, str]
) -> pydot.Edge:
    values = _quoted_values(attributes, "operation", "label", "family")
    values["color"] = quoted(colours.get(attributes["operation"], GREY))
    if attributes["family"] == OUTPUT:
        values["style"] = "dashed"
    values |= _faded(attributes, "dotted")
    return pydot.Edge(quoted(source), quoted(target), **values)


def _faded(attributes: dict[str, str], style: str) -> dict[str, str]:
    """How a dead part looks, with the reason as its tooltip; nothing for one that is alive."""
    if not attributes["dead"]:
        return {}
    return {
        "color": quoted(GREY),
        "fontcolor": quoted(GREY),
        "style": quoted(style),
        "tooltip": quoted(attributes["dead"]),
    }


def _quoted_values(attributes: dict[str, str], *names: str) -> dict[str, Any]:
    return {name: quoted(attributes[name]) for name in names}


def quoted(text: str) -> str:
    """``text`` between quotation marks, so that DOT takes every character as it is."""
    plain = " ".join(text.splitlines())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


DOT = Exporter(
    Card(
        "dot",
        "Graph (DOT)",
        "The cells as a graph that Graphviz draws.",
        group=TEXT,
    ),
    extension=".dot",
    media_type="text/vnd.graphviz",
    draw=draw_dot,
)
