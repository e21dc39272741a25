"""Rules other than MAP, each against what it says, and the stability of a code."""

import itertools
import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.derivation import LIMITS, RULES, DerivationRule, derive, stability, written_rule
from engine.domain.errors import InvalidConfig
from engine.domain.rules import drawn_set, likely_set, strongest_edges, voted_set
from engine.domain.snapshot import operations_in
from engine.domain.space import SearchSpace

P = (0.4, 0.3, 0.15, 0.1, 0.05)
SMALL = SearchSpace(
    name="small",
    label="One input, as in NAS-Bench-201",
    cell_kinds=("cell",),
    inputs=1,
    nodes=3,
    operations=("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
    output="last",
)
SCOPES = ("node", "source", "edge")
many = settings(max_examples=40)


@st.composite
def tables(draw, space: SearchSpace = SMALL, scope: str | None = None):
    """Rows of a space normalised in a scope, and that scope."""
    scope = scope or draw(st.sampled_from(SCOPES))
    weights = [
        [draw(st.floats(0.001, 1.0)) for _ in space.operations] for _ in range(len(space.edges))
    ]
    return normalised(space, weights, scope), scope


def normalised(space: SearchSpace, weights, scope):
    rows = [()] * len(weights)
    for edges in space.rows(scope):
        total = sum(sum(weights[edge]) for edge in edges)
        for edge in edges:
            rows[edge] = tuple(weight / total for weight in weights[edge])
    return tuple(rows)


def sizes(masks, rows) -> list[int]:
    return [sum(masks[edge].bit_count() for edge in edges) for edges in rows]


def test_a_draw_is_that_of_cumulative_probabilities_by_hand():
    """The stored seed stands for these numbers of Python's own generator."""
    stream = Random("7:cell")
    numbers = [stream.random() for _ in range(3)]
    heights = [0.4, 0.7, 0.85, 0.95, 1.0]
    expected = {next(k for k, height in enumerate(heights) if height > u) for u in numbers}
    assert drawn_set(P, 3, Random("7:cell")) == tuple(sorted(expected))


@pytest.mark.parametrize("draws", [1, 3])
def test_drawn_sets_come_as_often_as_the_law_says(draws):
    samples, stream = 20_000, Random(0)
    hits = [0] * len(P)
    for _ in range(samples):
        for item in drawn_set(P, draws, stream):
            hits[item] += 1
    for item, p in enumerate(P):
        expected = 1 - (1 - p) ** draws
        error = 5 * math.sqrt(expected * (1 - expected) / samples)
        assert abs(hits[item] / samples - expected) <= error


@pytest.mark.parametrize("place", range(4))
def test_items_of_probability_zero_are_never_drawn(place):
    row = [0.0] * 4
    row[place] = 1e-300
    assert drawn_set(row, 50, Random(1)) == (place,)


@given(tables(), st.integers(1, 9), st.integers(0, 99))
@many
def test_the_same_seed_draws_the_same_code_of_at_most_m_operations_a_row(table, draws, seed):
    rows, scope = table
    rule = DerivationRule("draw", draws=draws, scope=scope, seed=seed)
    masks = derive(SMALL, {"cell": rows}, rule)["cell"]
    assert derive(SMALL, {"cell": rows}, replace(rule, none_pooled=False))["cell"] == masks
    assert max(sizes(masks, SMALL.rows(scope))) <= draws
    assert not any(mask & 1 for mask in masks)


def test_another_seed_and_another_cell_kind_draw_another_code():
    space = replace(SMALL, cell_kinds=("normal", "reduction"))
    rows = normalised(space, [[1.0] * 5] * 6, "node")
    first = derive(space, {"normal": rows, "reduction": rows}, DerivationRule("draw", seed=1))
    other = derive(space, {"normal": rows, "reduction": rows}, DerivationRule("draw", seed=2))
    assert first["normal"] != first["reduction"]
    assert first != other
    assert derive(space, {"reduction": rows}, DerivationRule("draw", seed=1)) == {
        "reduction": first["reduction"]
    }


@given(st.lists(st.floats(0.01, 1.0), min_size=5, max_size=5), st.integers(1, 9))
@many
def test_the_threshold_keeps_what_m_draws_keep_that_often(weights, draws):
    p = [weight / sum(weights) for weight in weights]
    threshold = 0.4
    missed = [math.prod([1 - q] * draws) for q in p]
    expected = {k for k, miss in enumerate(missed) if 1 - miss >= threshold}
    found = set(likely_set(p, draws, threshold))
    assert found == (expected or {p.index(max(p))})


def test_a_threshold_that_nothing_reaches_keeps_the_most_probable_item():
    assert likely_set(P, 1, 0.9) == (0,)
    assert likely_set([0.25] * 4, 1, 1.0) == (0,)
    assert likely_set(P, 7, 0.0) == (0, 1, 2, 3, 4)


def test_a_vote_approaches_the_threshold_of_one_half():
    """The share of codes with item k tends to 1 - (1 - p_k) ** M."""
    assert voted_set(P, 4, 1001, Random(0)) == likely_set(P, 4, 0.5) == (0, 1)
    assert voted_set(P, 7, 1001, Random(0)) == likely_set(P, 7, 0.5) == (0, 1, 2, 3)


def test_a_vote_without_a_majority_keeps_the_item_in_most_codes():
    flat = [1 / 40] * 40
    stream = Random(3)
    ballots = [drawn_set(flat, 1, stream)[0] for _ in range(25)]
    most = max(range(40), key=ballots.count)
    assert ballots.count(most) <= 12
    assert voted_set(flat, 1, 25, Random(3)) == (most,)


def test_half_of_the_votes_is_no_majority():
    """Two codes of one draw that differ: nobody has more than half."""
    seed = next(s for s in range(99) if len(set(pair(s))) == 2)
    first, second = pair(seed)
    assert voted_set([0.5, 0.5], 1, 2, Random(seed)) == (min(first, second),)


def pair(seed: int) -> tuple[int, int]:
    stream = Random(seed)
    return drawn_set([0.5, 0.5], 1, stream)[0], drawn_set([0.5, 0.5], 1, stream)[0]


@pytest.mark.parametrize("name", ["map", "marginal", "vote"])
@pytest.mark.parametrize("scope", SCOPES)
def test_a_row_is_empty_only_if_it_is_none(name, scope):
    """No item of the flat rows has a majority, yet each keeps one; none takes its own row."""
    weights = [[0.0, *[1.0] * 4] for _ in SMALL.edges]
    for edge in SMALL.edges_of[1]:
        weights[edge] = [50.0, *[1.0] * 4]
    rule = DerivationRule(name, draws=1, scope=scope, threshold=0.9)
    masks = derive(SMALL, {"cell": normalised(SMALL, weights, scope)}, rule)["cell"]
    filled = sizes(masks, SMALL.rows(scope))
    expected = {"node": [1, 0, 1], "source": [1, 0, 0, 1, 1], "edge": [1, 0, 0, 1, 1, 1]}[scope]
    assert filled == expected


@given(tables(), st.integers(1, 3))
@many
def test_strongest_edges_are_those_of_darts(table, edges_kept):
    rows, _ = table
    masks = strongest_edges(SMALL, rows, edges_kept)
    for edges in SMALL.edges_of:
        strength = {edge: max(rows[edge][1:]) for edge in edges}
        kept = [edge for edge in edges if masks[edge]]
        assert len(kept) == min(edges_kept, len(edges))
        left = [strength[edge] for edge in edges if edge not in kept]
        assert min(strength[edge] for edge in kept) >= max(left, default=0.0)
        for edge in kept:
            (operation,) = operations_in(masks[edge])
            assert rows[edge][operation] == strength[edge]


def test_none_never_makes_an_edge_strong():
    rows = normalised(SMALL, [[9, 2, 1, 1, 1], [9, 1, 1, 1, 3], [0, 1, 4, 1, 1]] * 2, "edge")
    rule = DerivationRule("top2", scope="edge", edges_kept=1)
    masks = derive(SMALL, {"cell": rows}, rule)["cell"]
    assert masks == (0b10, 0, 0b100, 0, 0, 0b100)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_cell_with_one_input_is_derived_by_every_rule(name, scope):
    """Edges 0→1 | 0→2, 1→2 | 0→3, 1→3, 2→3, as NAS-Bench-201 numbers them."""
    assert [(e.source, e.target) for e in SMALL.edges] == [
        (0, 1),
        (0, 2),
        (1, 2),
        (0, 3),
        (1, 3),
        (2, 3),
    ]
    wanted = (3, 3, 2, 1, 3, 4)
    weights = [[1e6 if k == column else 1.0 for k in range(5)] for column in wanted]
    rows = normalised(SMALL, weights, scope)
    rule = DerivationRule(name, draws=1, scope="edge", edges_kept=3)
    masks = derive(SMALL, {"cell": normalised(SMALL, weights, "edge")}, rule)["cell"]
    assert masks == tuple(1 << column for column in wanted)
    own = derive(SMALL, {"cell": rows}, replace(rule, draws=7, scope=scope))["cell"]
    assert all(mask.bit_count() <= 7 for mask in own)


@pytest.mark.parametrize("name", RULES)
def test_one_hot_rows_give_the_same_code_under_every_rule(name):
    rows = normalised(SMALL, [[0, 0, 1, 0, 0]] * 6, "edge")
    rule = DerivationRule(name, scope="edge", edges_kept=3, threshold=1.0)
    assert derive(SMALL, {"cell": rows}, rule)["cell"] == (0b100,) * 6


def test_stability_is_the_share_of_earlier_moments_with_the_same_code():
    rule = DerivationRule(draws=1, scope="edge")
    one, other = (
        {"cell": normalised(SMALL, [[1, 9 if k == 1 else 1, 1, 1, 9 if k == 4 else 1]] * 6, "edge")}
        for k in (1, 4)
    )
    masks = derive(SMALL, one, rule)
    assert stability(SMALL, [one, other, one, one], masks, rule) == 0.75
    assert stability(SMALL, [other], masks, rule) == 0.0
    assert stability(SMALL, [], masks, rule) is None


def test_a_seeded_rule_is_stable_where_the_probabilities_are():
    rows = {"cell": normalised(SMALL, [[1.0] * 5] * 6, "node")}
    for name in ("draw", "vote"):
        rule = DerivationRule(name, seed=5)
        assert stability(SMALL, [rows] * 3, derive(SMALL, rows, rule), rule) == 1.0


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_written_with_what_it_reads_and_comes_back(name):
    rule = DerivationRule(name, seed=3, threshold=0.7, votes=11, edges_kept=1)
    written = written_rule(rule)
    assert DerivationRule(**written) == rule
    plain = written_rule(DerivationRule(name))
    assert {"name", "draws", "scope", "none_pooled"} <= set(plain)
    read = set(RULES[name].parameters)
    assert read - {"sound"} <= set(plain)
    assert set(plain) - read <= {"name", "draws", "scope", "none_pooled"}
    assert set(written_rule(DerivationRule(name, sound=True))) == {*plain, "sound"}


def test_a_rule_of_the_first_version_is_read():
    stored = {"name": "map", "draws": 4, "scope": "edge", "none_pooled": False}
    assert DerivationRule(**stored) == DerivationRule("map", 4, "edge", False)
    assert written_rule(DerivationRule(**stored)) == stored


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"name": "best"},
            "Asked for a derivation rule with name = 'best'; found no such rule; allowed is "
            "one of map, draw, marginal, top2, vote; choose another name.",
        ),
        (
            {"threshold": 1.5},
            "Asked for a derivation rule with threshold = 1.5; found a value out of bounds; "
            "allowed is a number from 0.0 to 1.0; choose another threshold.",
        ),
        (
            {"draws": 0},
            "Asked for a derivation rule with draws = 0; found a value out of bounds; "
            "allowed is a whole number from 1 to 64; choose another draws.",
        ),
    ],
)
def test_a_rule_out_of_bounds_is_refused_in_one_sentence(changes, sentence):
    with pytest.raises(InvalidConfig) as refusal:
        DerivationRule(**changes)
    assert str(refusal.value) == sentence


def test_every_numeric_parameter_has_bounds_that_its_default_keeps():
    parameters = {k for rule in RULES.values() for k in rule.parameters}
    numeric = parameters - {"none_pooled", "sound"}
    assert numeric == set(LIMITS)
    for parameter, edge in itertools.product(LIMITS, (0, 1)):
        assert getattr(DerivationRule(**{parameter: LIMITS[parameter][edge]}), parameter) >= 0
