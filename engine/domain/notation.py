"""Architectures in the notations of the literature, read without evaluating anything.

DARTS writes a named tuple, ``Genotype(normal=[('skip_connect', 0), …],
normal_concat=range(2, 6), …)``; NAS-Bench-201 writes one operation an edge,
``|nor_conv_3x3~0|+|none~0|skip_connect~1|+…``. This module knows their
grammar and nothing of search spaces; every fault is a ``ValueError``.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

Pair = tuple[str, int]
"""An operation and the number of the source that it reads."""

Nodes = list[list[Pair]]
"""Per node, its pairs."""

TUPLE = "Genotype"
CONCAT = "concat"
LONGEST_RANGE = 1000

_EDGE = re.compile(r"([A-Za-z0-9_]+)~([0-9]{1,3})")


def read_call(text: str) -> dict[str, Any]:
    """The arguments of the one ``Genotype(...)`` call in a Python text.

    Only literals and ``range`` of whole numbers are understood; a range comes
    as a list.

    Raises:
        ValueError: There is no such call, more than one, or another argument.
    """
    try:
        calls = [node for node in ast.walk(ast.parse(text.strip())) if _is_genotype(node)]
        if len(calls) != 1:
            raise ValueError(f"{len(calls)} {TUPLE}(…) calls in it")
        (call,) = calls
        assert isinstance(call, ast.Call)
        if call.args:
            raise ValueError("arguments without a name")
        return {word.arg: _plain(word.value) for word in call.keywords if word.arg}
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error) or type(error).__name__) from None


def read_nodes(pairs: Any, per_node: int) -> Nodes:
    """The nodes of one cell, from a list a node or from DARTS's flat list.

    Args:
        pairs: What stands in the text.
        per_node: How many pairs of a flat list belong to each node.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(pairs, list | tuple):
        raise ValueError(f"{pairs!r} instead of a list")
    if all(isinstance(node, list | tuple) and not _is_pair(node) for node in pairs):
        return [[_pair(pair) for pair in node] for node in pairs]
    if len(pairs) % per_node:
        number = {1: "one operation", 2: "two operations"}.get(per_node, f"{per_node} operations")
        raise ValueError(f"a flat list needs {number} a node")
    flat = [_pair(pair) for pair in pairs]
    return [flat[first : first + per_node] for first in range(0, len(flat), per_node)]


def write_call(arguments: Mapping[str, str]) -> str:
    """``Genotype(...)`` on one line, from arguments as Python text."""
    return f"{TUPLE}({', '.join(f'{name}={value}' for name, value in arguments.items())})"


def write_module(arguments: Mapping[str, str]) -> str:
    """An importable Python text that defines the named tuple and one value of it."""
    lines = "".join(f"    {name}={value},\n" for name, value in arguments.items())
    return (
        "from collections import namedtuple\n\n"
        f'{TUPLE} = namedtuple("{TUPLE}", "{" ".join(arguments)}")\n\n'
        f"genotype = {TUPLE}(\n{lines})\n"
    )


def read_arch(text: str) -> Nodes:
    """The nodes of an architecture in the notation of NAS-Bench-201.

    Node n has one operation for each of its sources 0 to n, in this order.

    Raises:
        ValueError: The text does not follow the grammar.
    """
    nodes: Nodes = []
    for number, part in enumerate("".join(text.split()).split("+")):
        if len(part) < 2 or part[0] != "|" or part[-1] != "|":
            raise ValueError(f"{part[:40]!r} instead of |operation~source|…|")
        edges = [_EDGE.fullmatch(edge) for edge in part[1:-1].split("|")]
        pairs = [(edge[1], int(edge[2])) for edge in edges if edge]
        if None in edges or [source for _, source in pairs] != list(range(number + 1)):
            raise ValueError(f"{part[:40]!r} instead of one operation for each source up to node")
        nodes.append(pairs)
    return nodes


def write_arch(nodes: Sequence[Sequence[Pair]]) -> str:
    """The notation of NAS-Bench-201; pairs in the order of their sources."""
    return "+".join(
        "|" + "|".join(f"{operation}~{source}" for operation, source in node) + "|"
        for node in nodes
    )


def _is_genotype(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and (
        (isinstance(node.func, ast.Name) and node.func.id == TUPLE)
        or (isinstance(node.func, ast.Attribute) and node.func.attr == TUPLE)
    )


def _plain(node: ast.expr) -> Any:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return _literal(node)
    bounds = [_literal(argument) for argument in node.args]
    if node.func.id != "range" or not all(type(bound) is int for bound in bounds):
        raise ValueError(f"a call of {node.func.id!r}")
    numbers = range(*bounds)
    if numbers[LONGEST_RANGE:]:
        raise ValueError(f"a range of more than {LONGEST_RANGE} numbers")
    return list(numbers)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{ast.unparse(node)[:40]!r} instead of a literal") from None


def _is_pair(entry: Any) -> bool:
    return len(entry) == 2 and isinstance(entry[0], str)


def _pair(entry: Any) -> Pair:
    if isinstance(entry, list | tuple) and _is_pair(entry) and type(entry[1]) is int:
        return entry[0], entry[1]
    raise ValueError(f"{entry!r} instead of (operation, source)")
