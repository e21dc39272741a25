import ast
from collections import Counter
from dataclasses import replace

import networkx as nx
import pydot
import pytest

from engine.catalog import gather_catalog
from engine.domain.genotype import Gene, Genotype, read_genotype
from engine.domain.published import PUBLISHED
from engine.export import EXPORTERS
from engine.export.dot import draw_dot, quoted
from engine.export.genotype_graph import genotype_graph
from engine.export.graphml import draw_graphml
from engine.spaces import SPACES
from tests.engine.domain.genotypes import older_input_only

READING_DOT = pytest.mark.filterwarnings("ignore:.*deprecated - use:DeprecationWarning")
"""pydot's own reader, not what the studio uses, calls pyparsing by old names."""

CATALOG = gather_catalog()
DARTS = SPACES["darts"]
M7 = PUBLISHED["data_m7"].genotype(DARTS)


def genes_of(graph: nx.MultiDiGraph) -> Counter[tuple[str, str, str, str]]:
    """(cell, operation, source, target) of every edge that is an operation."""
    return Counter(
        (graph.nodes[a]["cell"], d["operation"], a.split(".")[1], b.split(".")[1])
        for a, b, d in graph.edges(data=True)
        if d["family"] != "output"
    )


def expected_genes(genotype: Genotype) -> Counter[tuple[str, str, str, str]]:
    return Counter(
        (kind, gene.operation, str(gene.source), str(node + genotype.space.inputs))
        for kind, cell in genotype.cells.items()
        for node, genes in enumerate(cell)
        for gene in genes
    )


def test_the_graph_has_an_edge_for_every_gene_and_no_other():
    assert genes_of(genotype_graph(M7, CATALOG)) == expected_genes(M7)


def test_graphml_is_read_back_by_networkx_with_roles_labels_and_families():
    graph = nx.parse_graphml(draw_graphml(M7, CATALOG).decode(), force_multigraph=True)
    assert genes_of(graph) == expected_genes(M7)
    assert Counter(role for _, role in graph.nodes(data="role")) == {
        "input": 4,
        "node": 8,
        "output": 2,
    }
    families = {d["operation"]: d["family"] for *_, d in graph.edges(data=True)}
    assert families["sep_conv_3x3"] == "conv"
    assert families["concat"] == "output"


@pytest.mark.parametrize("cells", [None, 6])
def test_graphml_says_of_every_part_why_it_is_dead(cells):
    content = draw_graphml(older_input_only(), CATALOG, cells).decode()
    graph = nx.parse_graphml(content, force_multigraph=True)
    kinds = graph.nodes(data="cell")
    dead = [(kinds[a], d["dead"]) for a, _, d in graph.edges(data=True) if d["dead"]]
    nodes = {name: reason for name, reason in graph.nodes(data="dead") if reason}
    if cells is None:
        assert (dead, nodes) == ([], {})
        return
    unread = "no later cell reads this cell"
    assert Counter(dead) == {("reduction", unread): 8 + 4}
    ends = [*map(str, range(6)), "output"]
    assert nodes == {
        "0.1": "nothing reads this input",
        **{f"1.{end}": unread for end in ends},
    }


def test_dot_draws_dead_parts_grey_with_their_reason():
    alive = draw_dot(older_input_only(), CATALOG).decode()
    dead = draw_dot(older_input_only(), CATALOG, 6).decode()
    assert "tooltip" not in alive
    assert dead.count('tooltip="no later cell reads this cell"') == 8 + 4 + 7
    assert dead.count('tooltip="nothing reads this input"') == 1


@READING_DOT
def test_dot_is_read_back_by_another_reader_with_one_cluster_a_cell():
    (dot,) = pydot.graph_from_dot_data(draw_dot(M7, CATALOG).decode())
    clusters = {c.get_label().strip('"'): c for c in dot.get_subgraphs()}
    assert set(clusters) == {"normal cell", "reduction cell"}
    found = Counter(
        (
            kind.removesuffix(" cell"),
            edge.get("operation").strip('"'),
            edge.get_source().strip('"').split(".")[1],
            edge.get_destination().strip('"').split(".")[1],
        )
        for kind, cluster in clusters.items()
        for edge in cluster.get_edges()
        if edge.get("family") != '"output"'
    )
    assert found == expected_genes(M7)


@READING_DOT
@pytest.mark.parametrize("text", ['a"b', "a\\", 'x"]; evil [label="', "two\nlines", "c:1", "é"])
def test_any_text_stays_inside_its_quotation_marks(text):
    dot = pydot.Dot("g")
    dot.add_node(pydot.Node('"n"', label=quoted(text)))
    (back,) = pydot.graph_from_dot_data(dot.to_string())
    assert [node.get_name() for node in back.get_nodes()] == ['"n"']
    plain = " ".join(text.splitlines()).replace("\\", "\\\\").replace('"', '\\"')
    assert back.get_nodes()[0].get_label() == f'"{plain}"'


def test_only_the_last_node_leads_to_an_output_that_is_the_last_node():
    space = replace(DARTS, output="last", nodes=3)
    cell = tuple(frozenset({Gene(0, "skip_connect")}) for _ in range(3))
    graph = genotype_graph(Genotype(space, {"normal": cell, "reduction": cell}), CATALOG)
    assert list(graph.predecessors("0.output")) == ["0.4"]


def test_the_tuple_is_python_that_the_studio_reads_back():
    content = EXPORTERS["tuple"].write(M7).decode()
    ast.parse(content)
    assert read_genotype(content, SPACES.values()).cells == M7.cells
