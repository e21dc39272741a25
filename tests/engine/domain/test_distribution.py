"""Single numbers about a table of probabilities, against counting by hand."""

import math

import pytest

from engine.domain.distribution import entropy, margin, mass, rows_of
from engine.domain.space import SearchSpace

SPACE = SearchSpace("two", "Two nodes", ("normal",), 2, 2, ("none", "skip_connect", "conv"))
EDGES = len(SPACE.edges)


def table(row: tuple[float, ...]) -> dict[str, tuple[tuple[float, ...], ...]]:
    return {"normal": (row,) * EDGES}


def test_rows_are_those_of_the_scope():
    flat = table((0.2, 0.3, 0.5))
    assert [len(row) for row in rows_of(SPACE, flat, "edge")] == [3] * EDGES
    assert [len(row) for row in rows_of(SPACE, flat, "node")] == [6, 9]


def test_entropy_and_margin_of_one_row_by_hand():
    row = (0.5, 0.25, 0.25)
    bits = 0.5 * 1 + 0.25 * 2 + 0.25 * 2
    assert entropy(SPACE, table(row), "edge") == pytest.approx(bits / math.log2(3))
    assert margin(SPACE, table(row), "edge") == pytest.approx(0.25)


def test_in_scope_node_a_mass_is_that_of_a_node():
    share = tuple(p / 3 for p in (0.6, 0.3, 0.1))
    nodes = {"normal": (share,) * EDGES}
    first, second = 2 * 0.2, 3 * 0.2
    assert mass(SPACE, nodes, "node", frozenset({"none"})) == pytest.approx((first + second) / 2)
    assert mass(SPACE, table((0.6, 0.3, 0.1)), "edge", frozenset({"none"})) == pytest.approx(0.6)
    assert mass(SPACE, nodes, "node", frozenset({"sep_conv"})) == 0
