"""Which operations a person means: patterns over cell kinds, edges and operations.

One notation serves all settings that name operations of a search space::

    normal:0-2:sep_conv_3x3, *:*:none

Patterns stand between commas. Each has three parts between colons: the kind of
cell, the edge, and the operation; ``*`` is all of them. An edge is its number
in the order of the space, from 0, or ``source-target`` in the numbers of the
space, where the inputs of the cell come first and its nodes after them.
"""

from collections.abc import Mapping
from typing import Protocol

from engine.domain.errors import InvalidConfig
from engine.domain.snapshot import Masks
from engine.domain.space import Scope, SearchSpace

ALL = "*"
Pattern = tuple[str, str, str]


def parse_patterns(text: str) -> tuple[Pattern, ...]:
    """The patterns in a text, without a look at any space.

    Raises:
        ValueError: A pattern has not three parts; one sentence without a full stop.
    """
    found: list[Pattern] = []
    for pattern in filter(None, (part.strip() for part in text.split(","))):
        parts = [part.strip() for part in pattern.split(":")]
        if len(parts) != 3 or not all(parts):
            raise ValueError(
                f"{pattern!r} is not kind:edge:operation, such as normal:0-2:none or *:*:none"
            )
        found.append((parts[0], parts[1], parts[2]))
    return tuple(found)


def matching_items(setting: str, text: str, space: SearchSpace) -> dict[str, Masks]:
    """The items that the patterns of a setting name.

    Args:
        setting: Name of the setting, for the refusal.
        text: Its value.
        space: Says which kinds, edges and operations there are.

    Returns:
        Per cell kind, one bit mask an edge.

    Raises:
        InvalidConfig: A pattern names what the space does not have.
    """
    masks = {kind: [0] * len(space.edges) for kind in space.cell_kinds}
    for kind, edge, operation in parse_patterns(text):
        asked = f"{setting} = {':'.join((kind, edge, operation))!r}"
        kinds = _chosen(kind, space.cell_kinds, asked, "kind of cell")
        columns = _chosen(operation, space.operations, asked, "operation")
        mask = sum(1 << space.operations.index(name) for name in columns)
        for number in _edges(edge, space, asked):
            for name in kinds:
                masks[name][number] |= mask
    return {kind: tuple(edges) for kind, edges in masks.items()}


def banned_items(text: str, space: SearchSpace, scope: Scope) -> dict[str, Masks]:
    """The items that shall never be drawn, see :func:`matching_items`.

    Raises:
        InvalidConfig: A pattern names what the space does not have, or a
            probability row would have nothing left.
    """
    masks = matching_items("banned", text, space)
    everything = (1 << len(space.operations)) - 1
    for kind, edges in masks.items():
        for row in space.rows(scope):
            if all(edges[edge] == everything for edge in row):
                raise InvalidConfig(
                    asked=f"banned = {text!r}",
                    found=f"nothing left to draw in the cell {kind!r} for "
                    + _row_words(space, row, scope),
                    allowed="at least one operation in every probability row",
                    advice="ban less",
                )
    return masks


def frozen_rows(text: str, space: SearchSpace, scope: Scope) -> dict[str, Masks]:
    """All items of the probability rows that a pattern touches.

    A probability moves whenever any alpha of its row does, so that a row rests
    as a whole or not at all: in scope ``edge`` the edge, in scope ``node`` all
    incoming edges of the node.

    Raises:
        InvalidConfig: A pattern names what the space does not have.
    """
    everything = (1 << len(space.operations)) - 1
    frozen = {}
    for kind, edges in matching_items("frozen", text, space).items():
        masks = [0] * len(edges)
        for row in space.rows(scope):
            if any(edges[edge] for edge in row):
                masks[row.start : row.stop] = [everything] * len(row)
        frozen[kind] = tuple(masks)
    return frozen


class _Choice(Protocol):
    """The settings of a search that name operations."""

    @property
    def banned(self) -> str:
        """Patterns of what is never drawn."""

    @property
    def frozen(self) -> str:
        """Patterns of what rests."""

    @property
    def scope(self) -> Scope:
        """Which items compete."""


def check_items(config: _Choice, space: SearchSpace) -> None:
    """Refuse settings that name what the space does not have, or leave nothing to draw.

    Raises:
        InvalidConfig: They do.
    """
    banned_items(config.banned, space, config.scope)
    frozen_rows(config.frozen, space, config.scope)


def union(one: Mapping[str, Masks], other: Mapping[str, Masks]) -> dict[str, Masks]:
    """The items that are in either of two choices from the same space."""
    return {
        kind: tuple(a | b for a, b in zip(edges, other[kind], strict=True))
        for kind, edges in one.items()
    }


def _chosen(word: str, names: tuple[str, ...], asked: str, what: str) -> tuple[str, ...]:
    if word == ALL:
        return names
    if word in names:
        return (word,)
    raise InvalidConfig(
        asked=asked,
        found=f"no {what} {word!r} in this search space",
        allowed=f"* or one of {', '.join(names)}",
        advice=f"correct the {what}",
    )


def _edges(word: str, space: SearchSpace, asked: str) -> range | tuple[int, ...]:
    numbers = range(len(space.edges))
    if word == ALL:
        return numbers
    labels = [f"{edge.source}-{edge.target}" for edge in space.edges]
    if word in labels:
        return (labels.index(word),)
    if word.isdecimal() and len(word) <= 4 and int(word) in numbers:
        return (int(word),)
    raise InvalidConfig(
        asked=asked,
        found=f"no edge {word!r} in this search space",
        allowed=f"*, a number from 0 to {numbers[-1]}, or one of {', '.join(labels)}",
        advice="correct the edge",
    )


def _row_words(space: SearchSpace, row: range, scope: Scope) -> str:
    edge = space.edges[row.start]
    node = f"node {edge.target - space.inputs}"
    if scope == "node":
        return node
    if scope == "source" and edge.source >= space.inputs:
        return f"the nodes that {node} reads"
    return f"edge {row.start} ({edge.source}-{edge.target})"
