import pytest

from engine.domain.space import Edge, in_line
from engine.spaces import SPACES

DARTS = SPACES["darts"]


def test_the_darts_space_has_fourteen_edges_ordered_by_target_then_source():
    assert len(DARTS.edges) == 14
    assert list(DARTS.edges) == sorted(DARTS.edges, key=lambda edge: (edge.target, edge.source))
    assert DARTS.edges[:5] == (Edge(0, 2), Edge(1, 2), Edge(0, 3), Edge(1, 3), Edge(2, 3))


@pytest.mark.parametrize("nodes", [1, 2, 4, 12])
def test_edges_of_a_node_are_exactly_those_that_end_in_it(nodes):
    space = DARTS.with_nodes(nodes)
    for node, edges in enumerate(space.edges_of):
        ending = [e for e, edge in enumerate(space.edges) if edge.target == space.inputs + node]
        assert list(edges) == ending


@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_the_rows_of_a_scope_cover_each_edge_once_in_order(scope):
    covered = [edge for edges in DARTS.rows(scope) for edge in edges]
    assert covered == list(range(14))


def test_in_scope_source_nodes_share_a_row_and_each_input_has_its_own():
    assert DARTS.with_nodes(3).rows("source") == tuple(
        range(*ends) for ends in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 9)]
    )
    assert SPACES["nb201"].rows("source") == tuple(
        range(*ends) for ends in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 6)]
    )


def test_sources_are_named_as_people_write_them():
    assert [DARTS.source_label(s) for s in range(4)] == ["c_{k-2}", "c_{k-1}", "0", "1"]
    assert [SPACES["rnn"].source_label(s) for s in range(2)] == ["s_{0}", "0"]


@pytest.mark.parametrize(
    ("label", "line"), [("c_{k-2}", "cₖ₋₂"), ("s_{0}", "s₀"), ("c_{k-1}→0", "cₖ₋₁→0"), ("3", "3")]
)
def test_subscripts_become_characters_where_no_markup_is_drawn(label, line):
    assert in_line(label) == line


def test_none_is_the_first_operation_of_the_darts_space():
    assert DARTS.none_index == 0
