"""The method's 26 properties: where each is tested, and those that no other module covers.

E = test_estimator, C = tests.engine.domain.test_derivation, R = tests.engine.domain.test_rules,
H = tests.engine.domain.test_chances, L = tests.engine.search.test_loop, P = this module; the table
below names the tests.

 1 codes are exactly 0 or 1                      14 the MAP code is a top-i set
 2 1 <= |b| <= min(M, K)                         15 its size on flat rows
 3 P(b_k = 1) = 1 - (1 - p_k)^M                  16 Jacobian of a draw
 4 increasing in p_k and in M                    17 a row's gradient sums to 0
 5 P(b within S) = p(S)^M                        18 route first: the first chooser
 6 P(b = S): two exact formulas                  19 routes agree at M = 1
 7 these sum to 1                                20 first and even: same mean, less variance
 8 number of possible codes                      21 the cold limit of the mean gradient
 9 covariance of two items                       22 the true derivative; bias of the method
10 mean size, largest when uniform               23 P(row off) = p_none^M
11 M = 1 is torch's; certain rows                24 relu alphas die, softmax ones never
12 invariances                                   25 no gap where everything is certain
13 limits of the temperature                     26 seeds, independence of rows
"""

import importlib
import itertools
import math
from collections import Counter

import pytest
import torch

from engine.domain.chances import set_probability
from engine.domain.derivation import DerivationRule, derive
from engine.domain.snapshot import mask_of
from engine.model.estimator import ensemble_gumbel, gumbel_noise, log_probabilities
from engine.spaces import SPACES
from tests.engine.model.test_estimator import (
    SAMPLES,
    P,
    codes_of,
    gradient,
    random,
    sampler_of,
)

E = "tests.engine.model.test_estimator"
C = "tests.engine.domain.test_derivation"
R = "tests.engine.domain.test_rules"
H = "tests.engine.domain.test_chances"
L = "tests.engine.search.test_loop"
HERE = __name__

PROPERTIES: dict[int, tuple[tuple[str, str], ...]] = {
    1: ((E, "a_code_is_exactly_zero_or_one"),),
    2: (
        (E, "a_code_holds_between_one_and_min_of_draws_and_operations"),
        (E, "each_draw_is_one_hot_and_its_relaxation_sums_to_one"),
    ),
    3: (
        (E, "an_operation_is_kept_with_one_minus_the_chance_that_no_draw_picks_it"),
        (R, "drawn_sets_come_as_often_as_the_law_says"),
    ),
    4: (
        (HERE, "the_chance_to_be_kept_grows_strictly_with_p_and_with_the_draws"),
        (E, "another_draw_never_removes_an_operation"),
        (E, "a_larger_alpha_never_loses_its_operation_and_sometimes_gains_it"),
    ),
    5: (
        (E, "a_code_lies_within_a_set_with_the_power_of_the_sets_probability"),
        (C, "codes_within_a_set_share_the_power_of_its_probability"),
    ),
    6: (
        (C, "a_sets_probability_is_that_of_all_sequences_of_draws_that_hit_it_exactly"),
        (C, "a_sets_probability_is_the_one_of_inclusion_and_exclusion"),
        (HERE, "a_sets_probability_is_the_sum_over_compositions_of_the_draws"),
        (HERE, "drawn_codes_come_as_often_as_the_exact_law_says"),
        (H, "an_architecture_is_as_probable_as_all_its_sequences_of_draws"),
    ),
    7: ((C, "the_probabilities_of_all_codes_sum_to_one"),),
    8: ((C, "eight_operations_have_the_known_number_of_possible_codes"),),
    9: (
        (E, "two_operations_of_a_row_exclude_each_other_by_the_formula"),
        (HERE, "the_covariance_of_two_items_is_that_of_all_sequences_of_draws"),
    ),
    10: (
        (E, "a_uniform_row_of_eight_keeps_the_known_mean_number"),
        (HERE, "codes_are_largest_at_the_uniform_row_and_shrink_on_every_way_from_it"),
        (E, "two_draws_from_two_even_operations_give_quarter_quarter_half"),
        (HERE, "the_mean_size_is_largest_where_its_gradient_vanishes_at_the_uniform_row"),
    ),
    11: (
        (E, "one_draw_is_torchs_hard_gumbel_softmax_in_value_and_gradient"),
        (E, "a_certain_row_is_its_own_code"),
    ),
    12: (
        (E, "the_order_of_draws_plays_no_part"),
        (E, "the_code_ignores_order_repetition_shift_and_temperature"),
        (E, "the_gradient_ignores_a_constant_added_to_a_row"),
    ),
    13: ((E, "a_cold_relaxation_is_the_draw_and_a_hot_one_is_uniform"),),
    14: ((C, "the_map_code_is_the_most_probable_of_all_sets_and_holds_the_top_items"),),
    15: ((C, "a_flat_row_keeps_the_known_number_and_the_smaller_one_at_a_tie"),),
    16: ((E, "the_jacobian_of_a_draw_is_that_of_a_softmax_divided_by_the_temperature"),),
    17: ((E, "the_gradient_of_each_row_sums_to_zero"),),
    18: ((E, "route_first_is_the_gradient_of_the_first_draw_that_chose_the_operation"),),
    19: ((E, "all_routes_agree_for_one_draw"),),
    20: (
        (E, "route_even_is_the_mean_of_route_first_over_all_orders_of_the_draws"),
        (HERE, "route_even_has_the_mean_of_route_first_and_less_variance"),
    ),
    21: (
        (E, "when_cold_only_route_or_has_the_true_mean_gradient"),
        (HERE, "with_seven_draws_the_cold_gradient_is_that_multiple_and_route_or_has_no_bias"),
    ),
    22: (
        (HERE, "the_true_derivative_is_that_of_the_chance_to_be_kept"),
        (HERE, "with_seven_draws_the_cold_gradient_is_that_multiple_and_route_or_has_no_bias"),
        (E, "when_cold_only_route_or_has_the_true_mean_gradient"),
    ),
    23: (
        (E, "an_edge_is_off_with_the_power_of_the_probability_of_none"),
        (C, "a_row_is_only_none_with_the_power_of_its_probability"),
        (H, "an_empty_row_has_the_power_of_none_and_is_impossible_without_none"),
    ),
    24: (
        (E, "under_relu_an_alpha_at_or_below_zero_gets_no_gradient_and_others_a_finite_one"),
        (E, "under_softmax_every_alpha_gets_a_gradient"),
    ),
    25: (
        (E, "a_certain_supernet_draws_exactly_the_derived_code"),
        (HERE, "with_certain_probabilities_no_draw_differs_from_the_child_in_any_normalisation"),
        (L, "the_gap_is_zero_when_every_row_is_decided"),
    ),
    26: (
        (E, "the_same_seed_gives_the_same_code_and_another_seed_another"),
        (E, "codes_of_two_rows_are_uncorrelated"),
        (E, "the_alphas_of_a_row_touch_no_other_row"),
    ),
}


def test_every_property_names_tests_that_exist():
    assert sorted(PROPERTIES) == list(range(1, 27))
    for tests in PROPERTIES.values():
        for module, name in tests:
            assert callable(getattr(importlib.import_module(module), f"test_{name}")), name


def sequences(p, draws: int):
    """Every sequence of draws with its probability."""
    for sequence in itertools.product(range(len(p)), repeat=draws):
        yield sequence, math.prod(float(p[k]) for k in sequence)


def test_the_chance_to_be_kept_grows_strictly_with_p_and_with_the_draws():
    """The estimator's own codes, with the same noise for every p and every number of draws."""
    shares, most = (0.05, 0.2, 0.5, 0.8), 5
    noise = gumbel_noise((most, SAMPLES, 2), random(4))

    def kept(p: float, draws: int) -> torch.Tensor:
        log_p = torch.tensor([p, 1 - p], dtype=torch.float64).log().expand(SAMPLES, -1)
        return ensemble_gumbel(log_p, noise=noise[:draws], temperature=1.0, route="even")[:, 0]

    codes = [[kept(p, draws) for draws in range(1, most + 1)] for p in shares]
    for line in (*codes, *zip(*codes, strict=True)):
        for less, more in itertools.pairwise(line):
            assert (less <= more).all()
            assert less.sum() < more.sum()


def compositions(total: int, parts: int):
    """All ways to write ``total`` as ``parts`` positive summands, in order."""
    for cuts in itertools.combinations(range(1, total), parts - 1):
        edges = (0, *cuts, total)
        yield tuple(b - a for a, b in itertools.pairwise(edges))


@pytest.mark.parametrize("draws", [1, 3, 5, 7])
def test_a_sets_probability_is_the_sum_over_compositions_of_the_draws(draws):
    members = P.tolist()
    for size in range(1, 6):
        chosen = members[-size:]
        expected = sum(
            math.factorial(draws)
            / math.prod(math.factorial(c) for c in parts)
            * math.prod(p**c for p, c in zip(chosen, parts, strict=True))
            for parts in compositions(draws, size)
        )
        assert set_probability(chosen, draws) == pytest.approx(expected)


def test_drawn_codes_come_as_often_as_the_exact_law_says():
    """The estimator's own codes, all 25 that three draws can give."""
    draws = 3
    noise = gumbel_noise((draws, SAMPLES, 5), random(11))
    code = ensemble_gumbel(P.log().expand(SAMPLES, -1), noise=noise, temperature=1.0, route="even")
    counts = Counter(mask_of(row) for row in code.tolist())
    possible = [mask for mask in range(1, 32) if mask.bit_count() <= draws]
    assert set(counts) <= set(possible)
    for mask in possible:
        chance = set_probability([float(P[k]) for k in range(5) if mask >> k & 1], draws)
        error = 5 * math.sqrt(chance * (1 - chance) / SAMPLES)
        assert abs(counts[mask] / SAMPLES - chance) <= error


@pytest.mark.parametrize("draws", [1, 2, 4])
def test_the_covariance_of_two_items_is_that_of_all_sequences_of_draws(draws):
    for i, j in itertools.combinations(range(5), 2):
        both = sum(c for s, c in sequences(P, draws) if i in s and j in s)
        one = sum(c for s, c in sequences(P, draws) if i in s)
        other = sum(c for s, c in sequences(P, draws) if j in s)
        p, q = float(P[i]), float(P[j])
        formula = (1 - p - q) ** draws - ((1 - p) * (1 - q)) ** draws
        assert both - one * other == pytest.approx(formula)
        assert formula <= 0


@pytest.mark.parametrize("seed", range(4))
def test_codes_are_largest_at_the_uniform_row_and_shrink_on_every_way_from_it(seed):
    way = torch.randn(8, generator=random(seed), dtype=torch.float64)
    sizes = [
        codes_of((strength * way).softmax(0), 4).sum(-1) for strength in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    for more, less in itertools.pairwise(sizes):
        error = 5 * math.sqrt((more.var() + less.var()).item() / SAMPLES)
        assert more.mean() - less.mean() > error


@pytest.mark.parametrize("draws", [2, 4, 7])
def test_the_mean_size_is_largest_where_its_gradient_vanishes_at_the_uniform_row(draws):
    alpha = torch.zeros(8, dtype=torch.float64, requires_grad=True)

    def size(row: torch.Tensor) -> torch.Tensor:
        return (1 - (1 - row.softmax(0)) ** draws).sum()

    (slope,) = torch.autograd.grad(size(alpha), alpha)
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-12, rtol=0)
    bend = torch.linalg.eigvalsh(torch.autograd.functional.hessian(size, alpha.detach()))
    assert (bend[:-1] < 0).all()
    assert abs(bend[-1]) < 1e-12
    assert size(0.3 * torch.randn(8, generator=random(), dtype=torch.float64)) < size(alpha)


def test_route_even_has_the_mean_of_route_first_and_less_variance():
    """K = 5, M = 7 and a cold draw, where the difference is large."""
    rows, draws = 20_000, 7
    alpha = torch.zeros(rows, 5, dtype=torch.float64)
    pull = torch.randn(5, generator=random(2), dtype=torch.float64).expand(rows, -1)
    noise = gumbel_noise((draws, rows, 5), random(3))
    even, first = (gradient(alpha, noise, route, pull, tau=0.05) for route in ("even", "first"))
    error = 5 * (even - first).std(0) / math.sqrt(rows)
    assert ((even - first).mean(0).abs() <= error).all()
    assert (even.var(0) < 0.8 * first.var(0)).all()


@pytest.mark.parametrize("draws", [1, 3, 7])
def test_the_true_derivative_is_that_of_the_chance_to_be_kept(draws):
    """M (1 - p_k)^(M - 1) dp_k, against autograd through the sum over all sequences."""
    alpha = P[:3].log().clone().requires_grad_()
    p = alpha.softmax(0)
    kept = sum(
        torch.stack([p[k] for k in sequence]).prod()
        for sequence in itertools.product(range(3), repeat=draws)
        if 0 in sequence
    )
    (found,) = torch.autograd.grad(kept, alpha, retain_graph=True)
    (slope,) = torch.autograd.grad(p[0], alpha)
    torch.testing.assert_close(found, draws * (1 - p[0].detach()) ** (draws - 1) * slope)


def cold_share(p: float, draws: int) -> float:
    """By how much the cold mean gradient of the method exceeds the true one."""
    limit = ((1 - (1 - p) ** draws) / p + (1 - p) ** (draws - 1)) / 2
    return limit / (draws * (1 - p) ** (draws - 1))


def test_the_cold_gradient_is_the_true_one_times_a_known_number():
    assert cold_share(0.01, 7) == pytest.approx(0.59, abs=0.005)
    assert cold_share(0.5, 7) == pytest.approx(9.1, abs=0.05)
    assert cold_share(0.3, 1) == pytest.approx(1.0)


@pytest.mark.parametrize("p", [0.01, 0.5])
@pytest.mark.parametrize("route", ["even", "or"])
def test_with_seven_draws_the_cold_gradient_is_that_multiple_and_route_or_has_no_bias(route, p):
    rows, draws = 200_000, 7
    alpha = torch.tensor([p, 1 - p], dtype=torch.float64).log().expand(rows, -1)
    pull = torch.tensor([1.0, 0.0], dtype=torch.float64).expand(rows, -1)
    noise = gumbel_noise((draws, rows, 2), random(5))
    true = draws * (1 - p) ** (draws - 1) * p * (1 - p)
    share = gradient(alpha, noise, route, pull, tau=0.02)[:, 0] / true
    expected = 1.0 if route == "or" else cold_share(p, draws)
    error = 5 * share.std().item() / math.sqrt(rows)
    assert error < abs(cold_share(p, draws) - 1)
    assert share.mean().item() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("normalisation", ["softmax", "relu"])
@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_with_certain_probabilities_no_draw_differs_from_the_child_in_any_normalisation(
    scope, normalisation
):
    space = SPACES["darts"]
    alpha = torch.full((14, 8), -1e3, dtype=torch.float64)
    for number, edges in enumerate(space.rows(scope)):
        alpha[edges[0], number % 8] = 1e3
    sampler = sampler_of(space, draws=7, scope=scope, normalisation=normalisation)
    rows = tuple(map(tuple, sampler.probabilities(alpha).tolist()))
    for name in ("map", "draw", "marginal", "vote"):
        masks = derive(space, {"normal": rows}, DerivationRule(name, 7, scope, seed=1))["normal"]
        for seed in range(3):
            code = sampler.draw(alpha, 1.0, random(seed))
            assert tuple(mask_of(row) & ~1 for row in code.tolist()) == masks
    assert log_probabilities(alpha[:1], normalisation).exp().sum() == pytest.approx(1.0)
