"""Liveness: which parts of a network lie on a path from its input to its scores.

A node is *fed* if it keeps an operation whose source is fed. The inputs of a
cell are fed if the cell, or the stem, that they come from gives something. A
cell is *read* if it is the last one, or if an operation that leads to the
scores reads it. Within a cell that is read, every node is read if the output
joins all nodes (``concat``, ``mean``); if the output is the last node, only
what leads to that node is. An operation is *alive* if its source is fed and its
node is read; everything else is *dead*.

Cells of one kind can be alive at one place of a network and dead at another, so
liveness is a function of the cells and of their kinds in the network's order. A
recurrent cell is a network of one cell with one input.

This file imports nothing but the standard library: its source goes, word for
word, into the plain module that a person can download.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Kept = tuple[str, int]
"""A kept operation and its source; the inputs of a cell are sources 0, 1, …, then its nodes."""

CellNodes = Sequence[Sequence[Kept]]
"""Per intermediate node, the operations that it keeps."""


@dataclass(frozen=True)
class CellLiveness:
    """The parts of one cell that are alive.

    Attributes:
        genes: Per node, its alive (operation, source) pairs, in the given order.
        inputs: Numbers of the inputs that an alive operation reads.
        joined: Numbers of the nodes that make the output; none in a dead cell.
        fed: Sources that depend on the network's input, alive or not.
        read: Sources that lead to the scores, alive or not.
        is_read: Whether an operation that leads to the scores reads the cell, or
            it is the last one.
    """

    genes: tuple[tuple[Kept, ...], ...]
    inputs: tuple[int, ...]
    joined: tuple[int, ...]
    fed: frozenset[int]
    read: frozenset[int]
    is_read: bool

    @property
    def is_alive(self) -> bool:
        """Whether the cell lies on a path from the network's input to its scores."""
        return bool(self.joined)


@dataclass(frozen=True)
class NetworkLiveness:
    """The parts of a network that are alive.

    Attributes:
        cells: One per cell, from the input on.
        stem: Per output of the stem, c_{k-1} of the first cell last, whether an
            alive operation reads it.
    """

    cells: tuple[CellLiveness, ...]
    stem: tuple[bool, ...]

    @property
    def is_connected(self) -> bool:
        """Whether any path leads from the network's input to its scores."""
        return self.cells[-1].is_alive


def network_liveness(
    nodes: Mapping[str, CellNodes], kinds: Sequence[str], *, inputs: int, output: str
) -> NetworkLiveness:
    """Find what is alive in a network of cells.

    Args:
        nodes: Per cell kind, what each node keeps.
        kinds: Kinds of the cells, from the network's input on.
        inputs: Inputs of a cell: 2 if it reads the two cells before it, else 1.
        output: How the nodes become the cell's output: ``concat``, ``mean`` or
            ``last``.
    """
    row = [nodes[kind] for kind in kinds]
    fed = _fed_sources(row, inputs, output)
    is_read = [False] * (inputs + len(row))
    is_read[-1] = True
    cells: list[CellLiveness] = []
    for number in reversed(range(len(row))):
        cell = _cell_liveness(
            row[number], fed[number], inputs, output, is_read=is_read[inputs + number]
        )
        cells.insert(0, cell)
        for source in range(inputs):
            is_read[number + source] |= source in cell.read
    return NetworkLiveness(tuple(cells), tuple(is_read[:inputs]))


def unpruned(
    nodes: Mapping[str, CellNodes], kinds: Sequence[str], *, inputs: int, output: str
) -> NetworkLiveness:
    """Describe the same network with all of its parts, as if all of them were alive.

    Nodes that keep nothing are joined too; they are zero.
    """
    cells = []
    for cell in (nodes[kind] for kind in kinds):
        everything = frozenset(range(inputs + len(cell)))
        cells.append(
            CellLiveness(
                genes=tuple(tuple(genes) for genes in cell),
                inputs=tuple(range(inputs)),
                joined=tuple(end - inputs for end in _ends(cell, inputs, output)),
                fed=everything,
                read=everything,
                is_read=True,
            )
        )
    return NetworkLiveness(tuple(cells), (True,) * inputs)


def _fed_sources(cells: Sequence[CellNodes], inputs: int, output: str) -> list[frozenset[int]]:
    """Per cell, the sources that depend on the network's input."""
    gives = [True] * inputs
    found = []
    for nodes in cells:
        fed = {source for source in range(inputs) if gives[len(gives) - inputs + source]}
        for node, genes in enumerate(nodes):
            if any(source in fed for _, source in genes):
                fed.add(inputs + node)
        found.append(frozenset(fed))
        gives.append(not fed.isdisjoint(_ends(nodes, inputs, output)))
    return found


def _cell_liveness(
    nodes: CellNodes, fed: frozenset[int], inputs: int, output: str, *, is_read: bool
) -> CellLiveness:
    """What is alive in a cell, given the sources that are fed and whether the cell is read."""
    read = _read_sources(nodes, inputs, output) if is_read else frozenset[int]()
    alive = fed & read
    return CellLiveness(
        genes=tuple(
            tuple(kept for kept in genes if kept[1] in fed and node in read)
            for node, genes in enumerate(nodes, start=inputs)
        ),
        inputs=tuple(source for source in range(inputs) if source in alive),
        joined=tuple(end - inputs for end in _ends(nodes, inputs, output) if end in alive),
        fed=fed,
        read=read,
        is_read=is_read,
    )


def _read_sources(nodes: CellNodes, inputs: int, output: str) -> frozenset[int]:
    """The sources of a cell that lead to its output."""
    read = set(_ends(nodes, inputs, output))
    for node, genes in reversed(list(enumerate(nodes, start=inputs))):
        if node in read:
            read.update(source for _, source in genes)
    return frozenset(read)


def _ends(nodes: CellNodes, inputs: int, output: str) -> range:
    """The nodes, as sources, that a cell's output is made of."""
    end = inputs + len(nodes)
    return range(end - 1 if output == "last" else inputs, end)


def cell_reason(cell: CellLiveness) -> str:
    """Say why a cell is dead; empty if it is alive."""
    if cell.is_alive:
        return ""
    return "nothing reaches its output" if cell.is_read else "no later cell reads this cell"


def input_reason(cell: CellLiveness, source: int, inputs: int) -> str:
    """Say why an input is not read; empty if it is.

    Args:
        cell: The liveness of the cell.
        source: Number of the input.
        inputs: How many inputs the cell has.
    """
    if source in cell.inputs:
        return ""
    if source not in cell.fed:
        return f"the cell {'before' if source == inputs - 1 else 'two before'} gives nothing"
    return cell_reason(cell) or "nothing reads this input"


def node_reason(cell: CellLiveness, nodes: CellNodes, node: int, inputs: int) -> str:
    """Say why a node is dead; empty if it is alive.

    Args:
        cell: The liveness of the cell.
        nodes: What each node of the cell keeps.
        node: Number of the node.
        inputs: How many inputs the cell has.
    """
    if cell.genes[node]:
        return ""
    if not nodes[node]:
        return f"node {node} keeps nothing"
    if inputs + node not in cell.fed:
        return f"nothing reaches node {node}"
    return cell_reason(cell) if not cell.is_read else f"node {node} does not lead to the output"


def gene_reason(cell: CellLiveness, nodes: CellNodes, node: int, source: int, inputs: int) -> str:
    """Say why the operations of a node that read a source are dead; empty if they are alive.

    Args:
        cell: The liveness of the cell.
        nodes: What each node of the cell keeps.
        node: Number of the node.
        source: The source that the operations read.
        inputs: How many inputs the cell has.
    """
    if source in cell.fed:
        return node_reason(cell, nodes, node, inputs)
    if source < inputs:
        return input_reason(cell, source, inputs)
    return node_reason(cell, nodes, source - inputs, inputs)
