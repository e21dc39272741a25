"""Search spaces: which nodes, edges and operations a cell may have.

This module is the only owner of edge numbering. Sources 0 … inputs-1 are the
inputs of the cell; intermediate node n is source number inputs+n. Edges are
ordered by target, then by source, so that the edges of one node are contiguous.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from engine.domain.errors import InvalidConfig

Scope = Literal["node", "source", "edge"]
Output = Literal["concat", "mean", "last"]
Skeleton = Literal["cells", "stages", "recurrent"]

NONE = "none"
SUBSCRIPTS = str.maketrans("0123456789-kt", "₀₁₂₃₄₅₆₇₈₉₋ₖₜ")


@dataclass(frozen=True, order=True)
class Edge:
    """One possible connection, from source number to target number."""

    source: int
    target: int


@dataclass(frozen=True)
class SearchSpace:
    """The set of all cells that a search can find.

    Attributes:
        name: Stored name, never renamed.
        label: What people read.
        cell_kinds: Kinds of cell with architecture parameters of their own.
        inputs: Number of inputs of a cell.
        nodes: Number N of intermediate nodes.
        operations: Names of the K candidate operations, in column order.
        output: How the intermediate nodes become the output of the cell.
        skeleton: The network around the cells: ``cells``, a row of normal and
            reduction cells (DARTS); ``stages``, three stages of equal cells
            (NAS-Bench-201); ``recurrent``, one cell over a sequence.
    """

    name: str
    label: str
    cell_kinds: tuple[str, ...]
    inputs: int
    nodes: int
    operations: tuple[str, ...]
    output: Output = "concat"
    skeleton: Skeleton = "cells"

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All E edges in their fixed order."""
        return tuple(
            Edge(source, self.inputs + node)
            for node in range(self.nodes)
            for source in range(self.inputs + node)
        )

    @cached_property
    def edges_of(self) -> tuple[range, ...]:
        """For each intermediate node, the indices of its incoming edges."""
        starts = [node * self.inputs + node * (node - 1) // 2 for node in range(self.nodes + 1)]
        return tuple(range(starts[node], starts[node + 1]) for node in range(self.nodes))

    def rows(self, scope: Scope) -> tuple[range, ...]:
        """The edges that share one probability vector, row by row.

        In scope ``edge`` each edge is a row (paper, Eq. 4); in scope ``node``
        all incoming edges of a node form one row of (edge, operation) pairs. In
        scope ``source`` a node has a row per input of the cell, and one for all
        nodes before it.
        """
        return tuple(row for node in range(self.nodes) for row in self.rows_of(node, scope))

    def rows_of(self, node: int, scope: Scope) -> tuple[range, ...]:
        """The rows of one intermediate node, numbered from 0."""
        edges = self.edges_of[node]
        if scope == "node":
            return (edges,)
        alone = edges if scope == "edge" else edges[: self.inputs]
        rest = edges[len(alone) :]
        return (*(range(edge, edge + 1) for edge in alone), *([rest] if rest else []))

    def reads(self, task: str) -> bool:
        """Whether the network around the cells can read a task's data."""
        return (self.skeleton == "recurrent") == (task == "language_modelling")

    def check_task(self, task: str) -> None:
        """Refuse a task whose data the network around the cells cannot read.

        Raises:
            InvalidConfig: Text for cells on images, or images for a recurrent cell.
        """
        if not self.reads(task):
            raise InvalidConfig(
                asked=f"the search space {self.name!r} for the task {task!r}",
                found=f"a space for {'text' if self.skeleton == 'recurrent' else 'images'}",
                allowed="rnn for language_modelling; darts or nb201 for images",
                advice="choose another space or another task",
            )

    def with_nodes(self, nodes: int) -> "SearchSpace":
        """The same space with another number of intermediate nodes; 0 keeps its own."""
        return replace(self, nodes=nodes) if nodes else self

    def source_label(self, source: int) -> str:
        """How people write a source: ``c_{k-2}``, ``c_{k-1}``, ``s_{0}`` or a node number.

        The input of a recurrent cell is its first state, which has read the
        token and the state before it.
        """
        if source < self.inputs and self.skeleton == "recurrent":
            return "s_{0}"
        if source < self.inputs:
            return f"c_{{k-{self.inputs - source}}}"
        return str(source - self.inputs)

    @property
    def none_index(self) -> int | None:
        """Column of the ``none`` operation, if the space has one."""
        return self.operations.index(NONE) if NONE in self.operations else None


def in_line(label: str) -> str:
    """A label with its subscript ``_{…}`` as characters, for places that draw no markup."""
    head, brace, rest = label.partition("_{")
    below, _, tail = rest.partition("}")
    return head + below.translate(SUBSCRIPTS) + tail if brace else label
