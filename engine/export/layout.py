"""Where the nodes and edges of a cell are drawn: the arc layout.

Inputs are stacked at the left, intermediate nodes stand on one line, the
output is at the right. Edges of the first input are nested arcs above the
line, those of the second below; an edge between neighbours is straight, a
longer one an arc, from even nodes above, from odd nodes below. The topology of
a search never changes, so the layout is computed once and nothing jumps.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import networkx as nx

from engine.domain.space import SearchSpace

NODE_WIDTH, NODE_HEIGHT = 40.0, 32.0
INPUT_WIDTH = 58.0
FIRST_NODE_X, NODE_STEP = 238.0, 186.0
INPUT_X, INPUT_SPREAD = 44.0, 70.0
FIRST_ARC, ARC_STEP, INNER_ARC = 86.0, 31.0, 54.0
MARGIN = 36.0


@dataclass(frozen=True)
class PlacedNode:
    """A box: centre, size, and the parts of its label (``c`` with a subscript)."""

    id: str
    label: str
    subscript: str
    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class PlacedEdge:
    """A curve as SVG path data, and the point where its bar sits."""

    index: int
    source: str
    target: str
    title: str
    path: str
    x: float
    y: float


@dataclass(frozen=True)
class CellLayout:
    """The drawing of one cell in its own units, origin at the top left."""

    width: float
    height: float
    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    outputs: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Plain values for the browser."""
        return asdict(self)


def cell_graph(space: SearchSpace) -> nx.MultiDiGraph:
    """The cell as a graph: sources by number, the output as ``"output"``.

    Edges carry ``index``, their number in the space; those into the output
    carry none.
    """
    graph = nx.MultiDiGraph(name=space.name)
    for source in range(space.inputs + space.nodes):
        kind = "input" if source < space.inputs else "node"
        graph.add_node(source, label=space.source_label(source), kind=kind)
    graph.add_node("output", label="c_{k}", kind="output")
    for index, edge in enumerate(space.edges):
        graph.add_edge(edge.source, edge.target, index=index)
    for node in joined_nodes(space):
        graph.add_edge(node, "output")
    return graph


def joined_nodes(space: SearchSpace) -> range:
    """Source numbers of the nodes that the output of a cell is made of."""
    first, end = space.inputs, space.inputs + space.nodes
    return range(end - 1, end) if space.output == "last" else range(first, end)


def cell_layout(space: SearchSpace) -> CellLayout:
    """Place every node and edge of a cell of this space."""
    graph = cell_graph(space)
    reach = FIRST_ARC + ARC_STEP * (space.nodes - 1)
    middle = MARGIN + reach
    nodes = {number: _placed_node(graph, space, number, middle) for number in graph.nodes}
    edges = tuple(
        _placed_edge(space, nodes, source, target, index)
        for source, target, index in graph.edges(data="index")
        if index is not None
    )
    return CellLayout(
        width=nodes["output"].x + INPUT_WIDTH / 2 + 14,
        height=2 * middle,
        nodes=tuple(nodes.values()),
        edges=tuple(sorted(edges, key=lambda edge: edge.index)),
        outputs=tuple(_output_path(nodes, number) for number in graph.predecessors("output")),
    )


def edge_titles(space: SearchSpace) -> tuple[str, ...]:
    """How people write each edge, such as ``c_{k-2}→0``."""
    return tuple(
        f"{space.source_label(edge.source)}→{space.source_label(edge.target)}"
        for edge in space.edges
    )


def _placed_node(
    graph: nx.MultiDiGraph, space: SearchSpace, number: Any, middle: float
) -> PlacedNode:
    attributes: Mapping[str, str] = graph.nodes[number]
    kind = attributes["kind"]
    if kind == "input":
        offset = number - (space.inputs - 1) / 2
        x, y = INPUT_X, middle + 2 * INPUT_SPREAD * offset
    elif kind == "node":
        x, y = FIRST_NODE_X + NODE_STEP * (number - space.inputs), middle
    else:
        x, y = FIRST_NODE_X + NODE_STEP * (space.nodes - 1) + 132, middle
    label, _, subscript = attributes["label"].partition("_")
    width = NODE_WIDTH if kind == "node" else INPUT_WIDTH
    return PlacedNode(str(number), label, subscript.strip("{}"), kind, x, y, width, NODE_HEIGHT)


def _placed_edge(
    space: SearchSpace, nodes: Mapping[Any, PlacedNode], source: int, target: int, index: int
) -> PlacedEdge:
    start, end = nodes[source], nodes[target]
    title = edge_titles(space)[index]
    if source >= space.inputs and target == source + 1:
        left, right = start.x + start.width / 2, end.x - end.width / 2
        path = f"M{left:.1f} {start.y:.1f}L{right:.1f} {end.y:.1f}"
        return PlacedEdge(
            index, start.id, end.id, title, path, round((left + right) / 2, 1), start.y
        )
    points = (
        _input_arc(space, start, end, source, target)
        if source < space.inputs
        else _inner_arc(space, start, end, source, target)
    )
    x, y = _on_curve(points, 0.5)
    path = "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(
        *(number for point in points for number in point)
    )
    return PlacedEdge(index, start.id, end.id, title, path, round(x, 1), round(y, 1))


Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


def _input_arc(
    space: SearchSpace, start: PlacedNode, end: PlacedNode, source: int, target: int
) -> Curve:
    side = -1 if source % 2 == 0 else 1
    node = target - space.inputs
    left, foot = start.x + start.width / 2, end.y + side * end.height / 2
    apex = end.y + side * (FIRST_ARC + ARC_STEP * node)
    pull = _control_height(start.y, foot, apex)
    reach = end.x - left
    return (
        (left, start.y),
        (left + reach * (0.42 if node else 0.5), pull),
        (end.x, pull),
        (end.x, foot),
    )


def _inner_arc(
    space: SearchSpace, start: PlacedNode, end: PlacedNode, source: int, target: int
) -> Curve:
    side = -1 if (source - space.inputs) % 2 == 0 else 1
    span = target - source
    shift = NODE_WIDTH * 0.22
    head, foot = start.y + side * start.height / 2, end.y + side * end.height / 2
    pull = _control_height(head, foot, start.y + side * (INNER_ARC + 27 * (span - 2)))
    left, right = start.x + shift, end.x - shift
    return (left, head), (left + 18, pull), (right - 18, pull), (right, foot)


def _control_height(first: float, last: float, apex: float) -> float:
    """Height of both control points so that the middle of the curve is at ``apex``."""
    return (apex - 0.125 * (first + last)) / 0.75


def _on_curve(points: Curve, at: float) -> Point:
    weights = ((1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at**2 * (1 - at), at**3)
    x = sum(weight * point[0] for weight, point in zip(weights, points, strict=True))
    y = sum(weight * point[1] for weight, point in zip(weights, points, strict=True))
    return x, y


def _output_path(nodes: Mapping[Any, PlacedNode], number: Any) -> str:
    start, end = nodes[number], nodes["output"]
    left, right = start.x + start.width / 2, end.x - end.width / 2
    return f"M{left:.1f} {start.y:.1f}L{right:.1f} {end.y:.1f}"
