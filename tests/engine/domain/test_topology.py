"""Depth, width and sources of cells: read off codes, and expected against enumeration."""

from itertools import combinations, product
from math import prod

import networkx
import pytest

from engine.domain import topology
from engine.domain.chances import set_probability
from engine.domain.snapshot import Masks, Rows, operations_in
from engine.domain.soundness import is_sound
from engine.domain.space import Scope, SearchSpace
from engine.domain.topology import (
    SILENT,
    Shape,
    expected_depth,
    expected_shape,
    level_law,
    node_levels,
    shape_of,
    source_classes,
    source_shares,
    uniform_rows,
)
from engine.spaces import SPACES

TINY = SearchSpace("tiny", "Two nodes", ("normal",), 2, 2, ("none", "a", "b"))
CHAIN = SearchSpace("chain", "Last", ("cell",), 1, 3, ("none", "a"), "last", "stages")
BARE = SearchSpace("bare", "No none", ("normal",), 2, 2, ("a", "b"), "mean")
SCOPES: tuple[Scope, ...] = ("node", "source", "edge")


def some_rows(space: SearchSpace, scope: Scope, *, seed: int = 1) -> Rows:
    """Uneven probabilities in the normalisation of a scope."""
    rows: list[tuple[float, ...]] = []
    count = len(space.operations)
    for edges in space.rows(scope):
        weights = [1 + (7 * (seed + edge) + 3 * k) % 11 for edge in edges for k in range(count)]
        shares = [weight / sum(weights) for weight in weights]
        rows += (tuple(shares[n * count : (n + 1) * count]) for n in range(len(edges)))
    return tuple(rows)


def all_codes(
    space: SearchSpace, rows: Rows, draws: int, scope: Scope
) -> list[tuple[Masks, float]]:
    """Every code that M draws can give, with its probability."""
    per_row = []
    for edges in space.rows(scope):
        items = [(edge, k) for edge in edges for k in range(len(space.operations))]
        choices = []
        for size in range(1, min(draws, len(items)) + 1):
            for chosen in combinations(items, size):
                chance = set_probability([rows[edge][k] for edge, k in chosen], draws)
                choices.append((chosen, chance))
        per_row.append(choices)
    codes = []
    for picks in product(*per_row):
        masks = [0] * len(space.edges)
        for chosen, _ in picks:
            for edge, k in chosen:
                masks[edge] |= 1 << k
        codes.append((tuple(masks), prod(chance for _, chance in picks)))
    return codes


def mean_shape(space: SearchSpace, codes: list[tuple[Masks, float]]) -> Shape:
    shapes = [(shape_of(space, masks), chance) for masks, chance in codes]
    return Shape(
        *(
            sum(getattr(one, name) * c for one, c in shapes)
            for name in ("depth", "width", "silent")
        ),
        tuple(sum(one.operations[n] * c for one, c in shapes) for n in range(space.inputs)),
        sum(one.reads_last * c for one, c in shapes),
    )


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("draws", [1, 2, 3])
@pytest.mark.parametrize("space", [TINY, CHAIN, BARE], ids=lambda space: space.name)
def test_the_expected_topology_is_the_mean_over_all_codes(space, draws, sound, scope):
    rows = some_rows(space, scope)
    codes = all_codes(space, rows, draws, scope)
    assert sum(chance for _, chance in codes) == pytest.approx(1.0)
    if sound:
        codes = [(masks, chance) for masks, chance in codes if is_sound(space, masks)]
        total = sum(chance for _, chance in codes)
        codes = [(masks, chance / total) for masks, chance in codes]
    wanted, found = (
        mean_shape(space, codes),
        expected_shape(space, rows, draws=draws, scope=scope, sound=sound),
    )
    for name in ("depth", "width", "silent", "reads_last", "operations"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name)), name


@pytest.mark.parametrize("scope", SCOPES)
def test_one_hot_probabilities_have_the_topology_of_their_code(scope):
    space = SPACES["darts"]
    sources = {2: 1, 3: 2, 4: 0, 5: 4}
    chosen = {e: 4 for e, edge in enumerate(space.edges) if sources[edge.target] == edge.source}
    hot = {e: chosen.get(e) for e in range(len(space.edges))}
    hot |= {row.start: 0 for row in space.rows(scope) if not chosen.keys() & set(row)}
    rows = tuple(tuple(float(k == hot[e]) for k in range(8)) for e in hot)
    masks = tuple(1 << chosen[e] if e in chosen else 0 for e in hot)
    shape = shape_of(space, masks)
    assert shape == Shape(2.0, 2.0, 0.0, (1.0, 1.0), 1.0)
    assert expected_shape(space, rows, draws=4, scope=scope) == shape


def longest_path(space: SearchSpace, masks: Masks) -> int:
    """The depth by networkx, with the image and the output as nodes of the graph."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(["in", "out"])
    for source in range(space.inputs):
        graph.add_edge("in", source, weight=0)
    for edge, mask in zip(space.edges, masks, strict=True):
        if any(k != space.none_index for k in operations_in(mask)):
            graph.add_edge(edge.source, edge.target, weight=1)
    ends = range(space.inputs, space.inputs + space.nodes)
    for node in ends[-1:] if space.output == "last" else ends:
        graph.add_edge(node, "out", weight=0)
    reached = networkx.descendants(graph, "in") | {"in"}
    alive = graph.subgraph(reached)
    if "out" not in alive:
        return 0
    kept = networkx.ancestors(alive, "out") | {"out"}
    return networkx.dag_longest_path_length(alive.subgraph(kept))


@pytest.mark.parametrize("name", list(SPACES))
def test_the_depth_of_a_code_is_the_longest_path_of_its_graph(name):
    space = SPACES[name]
    bits = 1 << len(space.operations)
    for seed in range(200):
        step = 2 * seed + 1
        masks = tuple((step * (edge + 3) ** 2 + seed) % bits & (seed | 1) for edge in range(36))
        masks = masks[: len(space.edges)]
        assert shape_of(space, masks).depth == longest_path(space, masks)


def test_a_node_that_reads_only_silent_nodes_is_silent():
    masks = (0, 0, 0, 0, 2)
    assert node_levels(TINY, masks) == (SILENT, SILENT)
    assert shape_of(TINY, masks) == Shape(0.0, 0.0, 2.0, (0.0, 0.0), 0.0)


def test_none_carries_no_signal():
    assert node_levels(CHAIN, (2, 1, 2, 1, 1, 2)) == (1, 2, 3)
    assert node_levels(CHAIN, (1, 1, 2, 1, 1, 2)) == (SILENT, SILENT, SILENT)


@pytest.mark.parametrize("name", list(SPACES))
def test_uniform_shares_are_those_of_the_formulas(name):
    """Scope edge: the edges of a source; scope node: the mean over nodes of 1 / sources."""
    space = SPACES[name]
    by_edge = source_shares(space, uniform_rows(space, "edge"))
    assert by_edge[0] == pytest.approx(space.nodes / len(space.edges))
    by_node = source_shares(space, uniform_rows(space, "node"))
    harmonic = sum(1 / (space.inputs + n) for n in range(space.nodes)) / space.nodes
    assert by_node[0] == pytest.approx(harmonic)
    for shares in (by_edge, by_node):
        assert sum(shares) == pytest.approx(1.0)
        assert len(shares) == len(source_classes(space)) == space.inputs + 1


def test_the_classes_bear_the_names_that_people_read():
    assert source_classes(SPACES["darts"]) == ("c_{k-2}", "c_{k-1}", "nodes")
    assert source_classes(SPACES["nb201"]) == ("c_{k-1}", "nodes")
    assert source_classes(SPACES["rnn"]) == ("s_{0}", "nodes")


def test_banned_operations_have_no_share_at_uniform():
    everything_but_none = 0b110
    rows = uniform_rows(TINY, "node", (everything_but_none, 0, 0, 0, 0))
    assert rows[0] == (0.25, 0.0, 0.0)
    assert rows[1] == (0.25, 0.25, 0.25)
    assert source_shares(TINY, rows)[0] == pytest.approx((2 / 9) / (0.5 + 2 / 3))


def test_nothing_but_none_has_no_share():
    rows = tuple((1.0, 0.0, 0.0) for _ in TINY.edges)
    assert source_shares(TINY, rows) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("space", [SPACES["darts"], CHAIN], ids=lambda space: space.name)
def test_in_large_cells_drawn_codes_stand_for_the_law(space, sound, scope, monkeypatch):
    """The sample of a cell that is small enough agrees with the exact law within its error."""
    rows, options = some_rows(space, scope), {"draws": 2, "scope": scope, "sound": sound}
    exact = expected_shape(space, rows, **options)
    monkeypatch.setattr(topology, "EXACT_NODES", 2)
    sampled = expected_shape(space, rows, **options)
    assert sampled != exact
    for name in ("depth", "width", "silent", "reads_last"):
        assert getattr(sampled, name) == pytest.approx(getattr(exact, name), abs=0.25), name
    assert sampled == expected_shape(space, rows, **options)
    assert expected_depth(space, rows, **options) == sampled.depth


def test_samples_are_sound_where_hardly_any_code_is(monkeypatch):
    """c_{k-1} has one draw in a hundred million: trying again would take for ever."""
    hot = tuple(
        (0.0, 1e-8, 0.0)
        if edge.source == 1
        else (0.0, 1.0, 0.0)
        if edge.source == 0
        else (0.0,) * 3
        for edge in TINY.edges
    )
    monkeypatch.setattr(topology, "EXACT_NODES", 1)
    law = level_law(TINY, hot, draws=1, scope="node", sound=True)
    assert law == pytest.approx({((1, 1), True): 1.0})


@pytest.mark.parametrize("sound", [False, True])
def test_sound_codes_of_a_recurrent_cell_have_no_silent_node(sound):
    rows = uniform_rows(SPACES["rnn"], "node")
    shape = expected_shape(SPACES["rnn"], rows, draws=1, scope="node", sound=sound)
    assert (shape.silent == 0) is sound


def test_probabilities_that_leave_no_sound_code_have_the_topology_of_the_nearest_one():
    rows = tuple((1.0, 0.0) for _ in CHAIN.edges)
    shape = expected_shape(CHAIN, rows, draws=1, scope="edge", sound=True)
    assert shape.depth == pytest.approx(1.0)
    assert shape.operations == pytest.approx((1.0,))
    assert shape.silent == pytest.approx(2.0)


def test_the_law_sums_to_one():
    for scope in SCOPES:
        law = level_law(SPACES["darts"], some_rows(SPACES["darts"], scope), draws=4, scope=scope)
        assert sum(law.values()) == pytest.approx(1.0)
