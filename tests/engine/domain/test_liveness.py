"""What is alive, against reachability in the graph of the whole network."""

from random import Random

import networkx as nx
import pytest

from benchmarks.liveness_fuzz import random_cells, random_genotype
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Gene, Genotype, plain_nodes
from engine.domain.liveness import CellLiveness, NetworkLiveness
from engine.domain.pruning import check_connected, liveness_of, pruning_of
from engine.domain.published import PUBLISHED
from engine.domain.skeleton import cell_kinds
from engine.spaces import SPACES
from tests.engine.domain.genotypes import older_input_only

DARTS, NB201, RNN = SPACES["darts"], SPACES["nb201"], SPACES["rnn"]


def unrolled(genotype: Genotype, cells: int) -> nx.DiGraph:
    """Every input, operation, node and cell of a network, from "image" to "scores"."""
    space, nodes = genotype.space, plain_nodes(genotype)
    graph = nx.DiGraph()
    graph.add_nodes_from(["image", "scores"])
    for number in range(-space.inputs, 0):
        graph.add_edge("image", ("output", number))
    for number, kind in enumerate(cell_kinds(cells, space.skeleton)):
        for source in range(space.inputs):
            graph.add_edge(("output", number - space.inputs + source), (number, source))
        for node, genes in enumerate(nodes[kind]):
            graph.add_node((number, space.inputs + node))
            for name, source in genes:
                operation = (number, node, name, source)
                graph.add_edge((number, source), operation)
                graph.add_edge(operation, (number, space.inputs + node))
        last = space.nodes - 1
        for node in range(space.nodes):
            if space.output != "last" or node == last:
                graph.add_edge((number, space.inputs + node), ("output", number))
    graph.add_edge(("output", len(cell_kinds(cells, space.skeleton)) - 1), "scores")
    return graph


def expected(genotype: Genotype, cells: int) -> NetworkLiveness:
    """The same from paths in the graph."""
    graph, space, nodes = unrolled(genotype, cells), genotype.space, plain_nodes(genotype)
    fed = {"image", *nx.descendants(graph, "image")}
    read = {"scores", *nx.ancestors(graph, "scores")}
    alive = fed & read

    def cell(number: int, kind: str) -> CellLiveness:
        inputs = space.inputs
        ends = range(inputs, inputs + space.nodes)
        return CellLiveness(
            genes=tuple(
                tuple(kept for kept in genes if (number, node, *kept) in alive)
                for node, genes in enumerate(nodes[kind])
            ),
            inputs=tuple(s for s in range(inputs) if (number, s) in alive),
            joined=tuple(
                end - inputs
                for end in ends
                if (number, end) in alive and graph.has_edge((number, end), ("output", number))
            ),
            fed=frozenset(s for s in range(inputs + space.nodes) if (number, s) in fed),
            read=frozenset(s for s in range(inputs + space.nodes) if (number, s) in read),
            is_read=("output", number) in read,
        )

    kinds = cell_kinds(cells, space.skeleton)
    stem = tuple(("output", number) in alive for number in range(-space.inputs, 0))
    return NetworkLiveness(tuple(cell(*each) for each in enumerate(kinds)), stem)


@pytest.mark.parametrize("seed", range(8))
def test_alive_is_what_lies_on_a_path_from_the_image_to_the_scores(seed):
    stream = Random(seed)
    for _ in range(80):
        genotype = random_genotype(stream)
        cells = random_cells(stream, genotype.space)
        assert liveness_of(genotype, cells) == expected(genotype, cells)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
@pytest.mark.parametrize("cells", [8, 14, 20])
def test_published_cells_are_alive_as_a_whole(name, cells):
    genotype = PUBLISHED[name].genotype(DARTS)
    parts = pruning_of(genotype, cells)
    assert (parts.dead_operations, parts.dead_cells, parts.sentences) == (0, 0, ())
    assert all(not (kind.inputs or kind.nodes or kind.note) for kind in parts.kinds.values())
    nodes, alive = plain_nodes(genotype), liveness_of(genotype, cells)
    for kind, cell in zip(cell_kinds(cells, "cells"), alive.cells, strict=True):
        assert [list(genes) for genes in cell.genes] == nodes[kind]


def test_cells_that_read_the_older_input_only_leave_every_other_cell_dead():
    liveness = liveness_of(older_input_only(), 6)
    assert [cell.is_alive for cell in liveness.cells] == [False, True] * 3
    assert [cell.inputs for cell in liveness.cells] == [(), (0,)] * 3
    assert liveness.stem == (False, True)
    parts = pruning_of(older_input_only(), 6)
    assert parts.sentences == (
        "8 of 16 operations are dead: in reduction cells no later cell reads this cell.",
        "3 of 6 cells are dead: no later cell reads this cell.",
    )
    assert parts.kinds["normal"].note == (
        "1 of 4 normal cells is dead: no later cell reads this cell."
    )
    assert parts.kinds["reduction"].note == (
        "2 of 2 reduction cells are dead: no later cell reads this cell."
    )
    assert parts.kinds["normal"].inputs == {1: "nothing reads this input"}
    assert not parts.kinds["normal"].operations


def test_each_reason_is_said():
    cell = (
        frozenset(),
        frozenset({Gene(2, "skip_connect")}),
        frozenset({Gene(3, "max_pool_3x3"), Gene(1, "skip_connect")}),
    )
    genotype = Genotype(DARTS.with_nodes(3), dict.fromkeys(("normal", "reduction"), cell))
    parts = pruning_of(genotype, 3)
    dead = parts.kinds["normal"]
    assert dead.nodes == {0: "node 0 keeps nothing", 1: "nothing reaches node 1"}
    assert dead.operations == {
        (1, ("skip_connect", 2)): "node 0 keeps nothing",
        (2, ("max_pool_3x3", 3)): "nothing reaches node 1",
    }
    assert dead.inputs == {0: "nothing reads this input"}
    assert parts.sentences == (
        "Nodes that keep nothing: 0 (normal), 0 (reduction).",
        "4 of 6 operations are dead: node 0 keeps nothing, nothing reaches node 1.",
    )


def test_a_cell_that_gives_nothing_is_named_by_those_that_read_it():
    normal = (frozenset({Gene(0, "skip_connect"), Gene(1, "max_pool_3x3")}),)
    genotype = Genotype(DARTS.with_nodes(1), {"normal": normal, "reduction": (frozenset(),)})
    parts = pruning_of(genotype, 3)
    assert parts.cells == (
        "no later cell reads this cell",
        "no later cell reads this cell",
        "nothing reaches its output",
    )
    assert not parts.is_connected
    longer = liveness_of(genotype, 8)
    alive = [number for number, cell in enumerate(longer.cells) if cell.is_alive]
    assert alive == [0, 1, 3, 4, 6, 7]
    assert {reason for reason in pruning_of(genotype, 8).cells if reason} == {
        "nothing reaches its output"
    }
    assert longer.cells[3].inputs == (0,)
    assert longer.cells[4].inputs == (1,)


def test_a_kind_that_the_network_does_not_have_is_dead():
    parts = pruning_of(PUBLISHED["data_m4"].genotype(DARTS), 2)
    reasons = set(parts.kinds["normal"].operations.values())
    assert reasons == {"the network has no normal cell"}
    assert not parts.kinds["reduction"].operations


def test_with_the_last_node_as_output_only_what_leads_there_is_alive():
    cell = (
        frozenset({Gene(0, "nor_conv_3x3")}),
        frozenset({Gene(0, "nor_conv_1x1"), Gene(1, "skip_connect")}),
        frozenset({Gene(1, "avg_pool_3x3")}),
    )
    genotype = Genotype(NB201, {"cell": cell})
    parts = pruning_of(genotype, 6)
    assert parts.kinds["cell"].nodes == {1: "node 1 does not lead to the output"}
    assert parts.sentences == ("2 of 4 operations are dead: node 1 does not lead to the output.",)


def test_a_recurrent_node_is_alive_if_it_depends_on_the_first_state():
    cell = (
        frozenset({Gene(0, "tanh")}),
        frozenset(),
        frozenset({Gene(2, "relu"), Gene(1, "identity")}),
        frozenset({Gene(2, "sigmoid")}),
    )
    parts = pruning_of(Genotype(RNN.with_nodes(4), {"recurrent": cell}), 8)
    assert set(parts.kinds["recurrent"].operations) == {(2, ("relu", 2)), (3, ("sigmoid", 2))}
    assert parts.kinds["recurrent"].nodes == {
        1: "node 1 keeps nothing",
        3: "nothing reaches node 3",
    }
    assert len(parts.cells) == 1


def test_an_architecture_that_connects_nothing_is_rejected():
    nothing = Genotype(DARTS.with_nodes(1), dict.fromkeys(DARTS.cell_kinds, (frozenset(),)))
    with pytest.raises(InvalidGenotype) as refusal:
        check_connected(nothing, 8)
    assert str(refusal.value) == (
        "Asked for the network of this architecture with 8 cells; found no path from the image to "
        "the scores, so nothing in it could learn; allowed is an architecture in which kept "
        "operations lead from the input to the output; choose another architecture, or keep an "
        "operation that reads an input of the cell."
    )
    assert "No path leads from the input to the scores." in pruning_of(nothing, 8).sentences
    assert liveness_of(nothing, 8, keep_dead=True).is_connected
    check_connected(older_input_only(), 1)


def test_everything_counts_where_dead_parts_are_kept():
    genotype = older_input_only()
    liveness = liveness_of(genotype, 4, keep_dead=True)
    assert liveness.stem == (True, True)
    assert all(cell.inputs == (0, 1) and cell.joined == (0, 1, 2, 3) for cell in liveness.cells)
    assert all(cell.genes == liveness.cells[0].genes for cell in liveness.cells)
