"""The MAP code against enumeration and inclusion-exclusion."""

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.chances import set_probability
from engine.domain.derivation import DerivationRule, derive
from engine.domain.genotype import from_masks
from engine.domain.rules import most_probable_set
from engine.spaces import SPACES

P = (0.4, 0.3, 0.15, 0.1, 0.05)
DARTS = SPACES["darts"]


def rows(items: int):
    """Probability vectors of that many items, none of them zero."""
    weights = st.lists(st.floats(0.01, 1.0), min_size=items, max_size=items)
    return weights.map(lambda ws: [w / sum(ws) for w in ws])


def enumerated(p, draws: int) -> dict[frozenset[int], float]:
    """Probability of each code, from all K ** M sequences of draws."""
    chances: Counter[frozenset[int]] = Counter()
    for sequence in itertools.product(range(len(p)), repeat=draws):
        chances[frozenset(sequence)] += math.prod(p[k] for k in sequence)
    return chances


def subsets(members):
    return itertools.chain.from_iterable(
        itertools.combinations(members, size) for size in range(1, len(members) + 1)
    )


def inclusion_exclusion(members: list[float], draws: int) -> float:
    return sum(
        (-1) ** (len(members) - len(subset)) * sum(subset) ** draws for subset in subsets(members)
    )


@pytest.mark.parametrize("draws", [1, 2, 4])
def test_a_sets_probability_is_that_of_all_sequences_of_draws_that_hit_it_exactly(draws):
    for code, chance in enumerated(P, draws).items():
        assert set_probability([P[k] for k in code], draws) == pytest.approx(chance)


@given(rows(5), st.integers(1, 12))
@settings(max_examples=50)
def test_a_sets_probability_is_the_one_of_inclusion_and_exclusion(p, draws):
    members = p[:3]
    expected = inclusion_exclusion(members, draws)
    assert set_probability(members, draws) == pytest.approx(expected, abs=1e-12)


@given(rows(5), st.integers(1, 7))
@settings(max_examples=50)
def test_the_probabilities_of_all_codes_sum_to_one(p, draws):
    total = sum(set_probability(members, draws) for members in subsets(p))
    assert total == pytest.approx(1.0)


@given(rows(6), st.integers(1, 7))
@settings(max_examples=50)
def test_codes_within_a_set_share_the_power_of_its_probability(p, draws):
    inside = p[:4]
    total = sum(set_probability(members, draws) for members in subsets(inside))
    assert total == pytest.approx(sum(inside) ** draws)


@given(st.floats(0.01, 0.99), st.integers(1, 9))
@settings(max_examples=50)
def test_a_row_is_only_none_with_the_power_of_its_probability(p_none, draws):
    assert set_probability([p_none], draws) == pytest.approx(p_none**draws)


@pytest.mark.parametrize(
    ("draws", "codes"),
    [(1, 8), (2, 36), (3, 92), (4, 162), (5, 218), (6, 246), (7, 254), (8, 255)],
)
def test_eight_operations_have_the_known_number_of_possible_codes(draws, codes):
    """Not C(K, M) (2 ** M - 1), as the paper's Proposition 2 has it."""
    possible = [s for s in subsets(range(8)) if set_probability([1 / 8] * len(s), draws) > 0]
    assert len(possible) == codes
    if draws <= 3:
        assert len(enumerated([1 / 8] * 8, draws)) == codes


def test_a_set_larger_than_the_draws_is_impossible():
    assert set_probability([0.5, 0.3, 0.2], 2) == 0.0


@given(rows(6), st.integers(1, 6))
@settings(max_examples=50)
def test_the_map_code_is_the_most_probable_of_all_sets_and_holds_the_top_items(p, draws):
    chosen = most_probable_set(p, draws)
    best = max(set_probability(members, draws) for members in subsets(p))
    assert set_probability([p[k] for k in chosen], draws) == pytest.approx(best)
    left = [p[k] for k in range(len(p)) if k not in chosen]
    assert min(p[k] for k in chosen) >= max(left, default=0.0)


@pytest.mark.parametrize(
    ("draws", "size"),
    [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 5), (7, 5), (8, 6), (9, 7)],
)
@pytest.mark.parametrize("items", [16, 40, 64])
def test_a_flat_row_keeps_the_known_number_and_the_smaller_one_at_a_tie(draws, size, items):
    assert most_probable_set([1 / items] * items, draws) == tuple(range(size))


@pytest.mark.parametrize("draws", [1, 2, 7])
def test_a_certain_row_keeps_its_one_item_for_any_number_of_draws(draws):
    assert most_probable_set([0.0, 0.0, 1.0, 0.0], draws) == (2,)


def flat(value: float = 1.0) -> list[list[float]]:
    return [[value] * 8 for _ in DARTS.edges]


def normalised(weights: list[list[float]], scope) -> tuple[tuple[float, ...], ...]:
    result = [list(row) for row in weights]
    for edges in DARTS.rows(scope):
        total = sum(sum(weights[edge]) for edge in edges)
        for edge in edges:
            result[edge] = [w / total for w in weights[edge]]
    return tuple(map(tuple, result))


def derived(weights, rule: DerivationRule):
    return derive(DARTS, {"normal": normalised(weights, rule.scope)}, rule)["normal"]


def test_in_scope_node_at_most_m_operations_are_kept_a_node():
    masks = derived(flat(), DerivationRule(draws=4, scope="node", none_pooled=False))
    for edges in DARTS.edges_of:
        assert sum(masks[edge].bit_count() for edge in edges) <= 4


def test_in_scope_edge_each_edge_keeps_its_own():
    weights = flat()
    for edge, row in enumerate(weights):
        row[1 + edge % 7] = 1_000.0
    masks = derived(weights, DerivationRule(draws=4, scope="edge"))
    assert masks == tuple(1 << (1 + edge % 7) for edge in range(14))


def test_none_is_dropped_after_it_has_competed():
    weights = flat()
    for edge in DARTS.edges_of[0]:
        weights[edge][0] = 1_000.0
    masks = derived(weights, DerivationRule(draws=1, scope="node"))
    assert masks[0] == masks[1] == 0


def test_pooled_none_competes_with_the_sum_of_its_items():
    """Each none is less probable than the skip connection, both together are more."""
    weights = flat(0.0)
    for edge in DARTS.edges_of[0]:
        weights[edge][0] = 0.3
    weights[0][3] = 0.4
    for edge in range(2, 14):
        weights[edge][3] = 1.0
    apart = derived(weights, DerivationRule(draws=1, none_pooled=False))
    pooled = derived(weights, DerivationRule(draws=1, none_pooled=True))
    assert apart[:2] == (1 << 3, 0)
    assert pooled[:2] == (0, 0)
    assert apart[2:] == pooled[2:]


def test_a_node_that_keeps_nothing_is_named_by_the_genotype():
    weights = flat()
    for edge in range(14):
        weights[edge][0 if edge in DARTS.edges_of[2] else 3] = 1e6
    rule = DerivationRule(draws=2)
    rows_of = {kind: normalised(weights, "node") for kind in DARTS.cell_kinds}
    genotype = from_masks(DARTS, derive(DARTS, rows_of, rule), rule)
    assert genotype.empty_nodes == (("normal", 2), ("reduction", 2))
