"""Pictures are compared as values: what is gathered, and where things lie."""

import json
import math
from dataclasses import replace

import pytest

from app.components.heatmap import heatmap_data
from app.figures.heatmap import edge_changes, edge_heatmaps
from app.figures.palette import (
    CURVE_COLOURS,
    DIVERGING,
    OPERATION_COLOURS,
    SEQUENTIAL,
    SEQUENTIAL_DARK,
    operation_colours,
)
from engine.domain.catalog import Catalog, OperationCard
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.export.layout import cell_graph, cell_layout, edge_titles
from engine.spaces import SPACES

SPACE = SPACES["darts"]
SIZES = range(1, 9)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_graph_has_the_edges_of_the_space_under_their_numbers():
    graph = cell_graph(SPACE)
    numbered = {
        index: (source, target)
        for source, target, index in graph.edges(data="index")
        if index is not None
    }
    assert numbered == {i: (e.source, e.target) for i, e in enumerate(SPACE.edges)}
    assert sorted(graph.predecessors("output")) == [2, 3, 4, 5]


@pytest.mark.parametrize("nodes", SIZES)
def test_layout_draws_every_edge_once_in_order(nodes: int):
    space = SPACE.with_nodes(nodes)
    layout = cell_layout(space)
    assert [edge.index for edge in layout.edges] == list(range(len(space.edges)))
    assert [edge.title for edge in layout.edges] == list(edge_titles(space))
    assert len(layout.outputs) == nodes


@pytest.mark.parametrize("nodes", SIZES)
def test_everything_lies_inside_the_drawing(nodes: int):
    layout = cell_layout(SPACE.with_nodes(nodes))
    for node in layout.nodes:
        assert 0 <= node.x - node.width / 2 <= node.x + node.width / 2 <= layout.width
        assert 0 <= node.y - node.height / 2 <= node.y + node.height / 2 <= layout.height
    for edge in layout.edges:
        assert 34 <= edge.x <= layout.width - 34
        assert 22 <= edge.y <= layout.height - 18


@pytest.mark.parametrize("nodes", SIZES)
def test_no_bar_lies_on_another_bar_or_on_a_node(nodes: int):
    layout = cell_layout(SPACE.with_nodes(nodes))
    for number, one in enumerate(layout.edges):
        for other in layout.edges[number + 1 :]:
            assert abs(one.x - other.x) >= 70 or abs(one.y - other.y) >= 24, (one, other)
        for node in layout.nodes:
            apart_x = abs(one.x - node.x) >= 34 + node.width / 2
            assert apart_x or abs(one.y - node.y) >= 14 + node.height / 2, (one, node)


def test_first_input_is_above_and_second_below():
    layout = cell_layout(SPACE)
    middle = layout.height / 2
    for edge, place in zip(SPACE.edges, layout.edges, strict=True):
        if edge.source < 2:
            assert (place.y < middle) == (edge.source == 0)


def test_layout_is_plain_data_without_surprises():
    data = cell_layout(SPACE).as_data()
    assert set(data) == {"width", "height", "nodes", "edges", "outputs"}
    assert data["nodes"][0]["label"] == "c"
    assert data["nodes"][0]["subscript"] == "k-2"
    assert all(math.isfinite(edge["x"] + edge["y"]) for edge in data["edges"])


def test_edges_are_titled_as_people_write_them():
    assert edge_titles(SPACE)[:3] == ("c_{k-2}→0", "c_{k-1}→0", "c_{k-2}→1")


def test_operations_have_colours_of_their_own():
    colours = operation_colours(SPACE.operations)
    assert list(colours) == list(SPACE.operations)
    assert len(set(colours.values())) == len(SPACE.operations)
    assert operation_colours(["none", "tanh", "relu"])["none"] == OPERATION_COLOURS["none"]
    assert len(set(operation_colours(["none", "tanh", "relu"]).values())) == 3


def test_scales_run_from_faint_to_strong_against_their_background():
    light = [luminance(colour) for colour in SEQUENTIAL]
    dark = [luminance(colour) for colour in SEQUENTIAL_DARK]
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)


def test_lines_stand_out_from_white_and_from_the_dark_page():
    for colour in CURVE_COLOURS.values():
        for page in ("#ffffff", "#11141c"):
            high, low = sorted((luminance(colour), luminance(page)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 2.4, (colour, page)


TINY = SearchSpace("tiny", "Tiny", ("normal",), 2, 1, ("none", "skip_connect"))
TINY_CATALOG = Catalog(
    (
        OperationCard("none", "None", "none", "none"),
        OperationCard("skip_connect", "Skip connection", "skip", "skip"),
    ),
    (TINY,),
    (),
    (),
)
MOMENT = Snapshot(
    step=40,
    epoch=1,
    kind=SnapshotKind.STEP,
    temperature=2.0,
    probabilities={"normal": ((0.1, 0.4), (0.2, 0.3))},
    codes={"normal": (0b10, 0b01)},
)


def test_heat_map_gathers_probabilities_codes_and_labels():
    (values,) = edge_heatmaps(TINY, TINY_CATALOG, MOMENT, "node")
    assert values.probabilities == ((0.1, 0.4), (0.2, 0.3))
    assert values.drawn == ((False, True), (True, False))
    assert values.operations == ("none", "skip")
    assert values.edges == ("c_{k-2}→0", "c_{k-1}→0")
    assert values.normalisation == "all edges into a node sum to 1"


def test_heat_map_states_its_normalisation_and_step():
    for scope, words in (("node", "all edges into a node"), ("edge", "each row")):
        (values,) = edge_heatmaps(TINY, TINY_CATALOG, MOMENT, scope)
        assert words in values.normalisation
        assert values.title == "Normal cell, step 40"


def test_heat_map_draws_what_was_gathered():
    maps = edge_heatmaps(TINY, TINY_CATALOG, MOMENT, "node")
    data = heatmap_data(maps)
    assert data["step"] == 40
    assert data["maps"][0]["probabilities"] == [[0.1, 0.4], [0.2, 0.3]]
    assert data["maps"][0]["drawn"] == [[False, True], [True, False]]
    assert data["maps"][0]["edges"] == ["c_{k-2}→0", "c_{k-1}→0"]
    json.dumps(data)


def test_heat_map_of_a_dark_page_has_the_dark_scale():
    maps = edge_heatmaps(TINY, TINY_CATALOG, MOMENT, "node")
    assert heatmap_data(maps, dark=True)["colours"] == list(SEQUENTIAL_DARK)
    assert heatmap_data(maps)["colours"] == list(SEQUENTIAL)


def test_a_change_is_one_table_minus_the_other_and_sums_to_zero():
    then = replace(
        MOMENT,
        step=MOMENT.step - 1,
        probabilities={
            kind: tuple(tuple(reversed(row)) for row in rows)
            for kind, rows in MOMENT.probabilities.items()
        },
    )
    (change,) = edge_changes(TINY, TINY_CATALOG, MOMENT, then, "node")
    for row, values in zip(MOMENT.probabilities[change.kind], change.probabilities, strict=True):
        assert values == pytest.approx([p - q for p, q in zip(row, reversed(row), strict=True)])
        assert sum(values) == pytest.approx(0)
    data = heatmap_data([change])
    assert data["signed"]
    assert data["colours"] == list(DIVERGING)
    assert f"from step {then.step:,} to {MOMENT.step:,}" in data["maps"][0]["title"]
    assert "sum to 0" in change.normalisation
    assert not heatmap_data(edge_heatmaps(TINY, TINY_CATALOG, MOMENT, "node"))["signed"]
