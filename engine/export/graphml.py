"""The cells as GraphML, for networkx, Gephi, yEd and others."""

from io import BytesIO

import networkx as nx

from engine.domain.catalog import Card, Catalog
from engine.domain.genotype import Genotype
from engine.export.exporter import TEXT, Exporter
from engine.export.genotype_graph import genotype_graph


def draw_graphml(genotype: Genotype, catalog: Catalog, cells: int | None = None) -> bytes:
    """The graph of all cells as GraphML, UTF-8."""
    file = BytesIO()
    nx.write_graphml_xml(genotype_graph(genotype, catalog, cells), file, prettyprint=True)
    return file.getvalue() + b"\n"


GRAPHML = Exporter(
    Card(
        "graphml",
        "Graph (GraphML)",
        "The cells as a graph with roles and operations, for networkx, Gephi or yEd.",
        group=TEXT,
    ),
    extension=".graphml",
    media_type="application/graphml+xml",
    draw=draw_graphml,
)
