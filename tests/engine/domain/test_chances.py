"""The exact probability of an architecture against enumeration of all draws."""

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.chances import (
    CodeProbability,
    architecture_probability,
    set_log_probability,
    set_probability,
)
from engine.domain.derivation import DerivationRule, code_probability, derive
from engine.domain.space import SearchSpace
from tests.engine.domain.test_rules import SMALL, normalised, tables

TINY = SearchSpace("tiny", "Two nodes", ("cell",), 1, 2, ("none", "skip", "conv"))
PLAIN = SearchSpace("plain", "Without none", ("cell",), 1, 2, ("skip", "conv"))
many = settings(max_examples=25)


def enumerated(space: SearchSpace, rows, draws: int, scope: str) -> dict[tuple[int, ...], float]:
    """Probability of each code without ``none``, from all sequences of draws of all rows."""
    total = Counter({(0,) * len(space.edges): 1.0})
    for edges in space.rows(scope):
        items = [(edge, k) for edge in edges for k in range(len(space.operations))]
        chances: Counter[tuple[int, ...]] = Counter()
        for sequence in itertools.product(items, repeat=draws):
            masks = [0] * len(space.edges)
            for edge, k in sequence:
                if k != space.none_index:
                    masks[edge] |= 1 << k
            chances[tuple(masks)] += math.prod(rows[edge][k] for edge, k in sequence)
        total = Counter(
            {
                tuple(a | b for a, b in zip(one, other, strict=True)): p * q
                for one, p in total.items()
                for other, q in chances.items()
            }
        )
    return total


@pytest.mark.parametrize("space", [TINY, PLAIN], ids=lambda space: space.name)
@pytest.mark.parametrize(("scope", "draws"), [("edge", 1), ("edge", 3), ("node", 1), ("node", 3)])
def test_an_architecture_is_as_probable_as_all_its_sequences_of_draws(space, scope, draws):
    weights = [
        [1.0 + (3 * edge + k) % 5 for k in range(len(space.operations))] for edge in range(3)
    ]
    rows = normalised(space, weights, scope)
    chances = enumerated(space, rows, draws, scope)
    assert sum(chances.values()) == pytest.approx(1.0)
    for masks, expected in chances.items():
        found = architecture_probability(
            space, {"cell": rows}, {"cell": masks}, draws=draws, scope=scope
        )
        assert found.value == pytest.approx(expected)
        assert found.log10 == pytest.approx(math.log10(expected))


def test_the_bits_of_none_play_no_part():
    rows = normalised(TINY, [[1, 2, 3]] * 3, "node")
    without, with_none = (
        code_probability(TINY, {"cell": rows}, {"cell": masks}, DerivationRule(draws=3))
        for masks in ((2, 4, 2), (3, 5, 2))
    )
    assert without == with_none
    assert without.value > 0


@given(tables(), st.integers(1, 7), st.booleans())
@many
def test_pooling_none_changes_no_probability(table, draws, pooled):
    rows, scope = table
    rule = DerivationRule(draws=draws, scope=scope, none_pooled=pooled)
    masks = derive(SMALL, {"cell": rows}, rule)
    found = code_probability(SMALL, {"cell": rows}, masks, rule)
    product = 1.0
    for edges in SMALL.rows(scope):
        kept = [rows[e][k] for e in edges for k in range(1, 5) if masks["cell"][e] >> k & 1]
        none = [rows[e][0] for e in edges]
        product *= sum(
            set_probability([*kept, *some], draws)
            for size in range(len(none) + 1)
            for some in itertools.combinations(none, size)
            if kept or some
        )
    assert found.value == pytest.approx(product)


def test_an_empty_row_has_the_power_of_none_and_is_impossible_without_none():
    rows = normalised(TINY, [[2, 1, 1]] * 3, "edge")
    nothing = {"cell": (0, 0, 0)}
    rule = DerivationRule(draws=4, scope="edge")
    assert code_probability(TINY, {"cell": rows}, nothing, rule).value == pytest.approx(0.5**12)
    flat = normalised(PLAIN, [[1, 1]] * 3, "edge")
    impossible = code_probability(PLAIN, {"cell": flat}, nothing, rule)
    assert impossible == CodeProbability(-math.inf)
    assert impossible.value == 0.0


def test_a_code_of_more_operations_than_draws_is_impossible():
    rows = normalised(TINY, [[1, 1, 1]] * 3, "node")
    assert code_probability(TINY, {"cell": rows}, {"cell": (6, 6, 6)}, DerivationRule(draws=3)) == (
        CodeProbability(-math.inf)
    )


def test_a_certain_code_has_probability_one():
    rows = normalised(TINY, [[0, 1, 0]] * 3, "edge")
    found = code_probability(
        TINY, {"cell": rows}, {"cell": (2, 2, 2)}, DerivationRule(scope="edge")
    )
    assert found == CodeProbability(0.0)
    assert found.value == 1.0


@given(
    st.lists(st.floats(0.001, 0.3), min_size=1, max_size=5),
    st.integers(1, 12),
    st.floats(0.0, 0.3),
)
@many
def test_logarithms_agree_with_the_sums(members, draws, optional):
    plain = set_probability(members, draws, optional=optional)
    logarithm = set_log_probability(members, draws, optional=optional)
    assert math.exp(logarithm) == pytest.approx(plain, rel=1e-9)


def test_what_is_too_small_for_a_float_keeps_its_logarithm():
    """Two items of 1e-200 in two draws: 2 * 1e-400."""
    assert set_probability([1e-200, 1e-200], 2) == 0.0
    expected = math.log(2) + 2 * math.log(1e-200)
    assert set_log_probability([1e-200, 1e-200], 2) == pytest.approx(expected)


@given(tables(scope="edge"), st.integers(1, 5))
@many
def test_the_map_code_of_a_space_without_none_is_the_most_probable_architecture(table, draws):
    space = SearchSpace("two", "Two nodes", ("cell",), 1, 2, ("a", "b", "c", "d", "e"))
    rows = table[0][:3]
    rule = DerivationRule(draws=draws, scope="edge")
    best = derive(space, {"cell": rows}, rule)
    highest = code_probability(space, {"cell": rows}, best, rule).log10
    for edge, mask in itertools.product(range(3), range(1, 32)):
        other = list(best["cell"])
        other[edge] = mask
        found = code_probability(space, {"cell": rows}, {"cell": tuple(other)}, rule)
        assert found.log10 <= highest + 1e-9
