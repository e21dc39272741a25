"""The estimator against second formulas; numbers are those of the method's properties."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

from engine.domain.derivation import DerivationRule, derive
from engine.domain.snapshot import mask_of
from engine.domain.space import SearchSpace
from engine.model.estimator import (
    ensemble_gumbel,
    gumbel_draws,
    gumbel_noise,
    hard_draws,
    log_probabilities,
    route_weights,
)
from engine.model.sampler import CodeSampler
from engine.spaces import SPACES

ROUTES = ("even", "first", "or")
SCOPES = ("node", "source", "edge")
P = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05], dtype=torch.float64)
SAMPLES = 40_000
"""Monte Carlo rows; a share is off by more than 5 standard errors once in two million."""


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def codes_of(p: torch.Tensor, draws: int, samples: int = SAMPLES, seed: int = 0) -> torch.Tensor:
    log_p = p.log().expand(samples, -1)
    noise = gumbel_noise((draws, samples, len(p)), random(seed))
    return ensemble_gumbel(log_p, noise=noise, temperature=1.0, route="even")


def tolerance(share: float | torch.Tensor, samples: int = SAMPLES) -> torch.Tensor:
    share = torch.as_tensor(share, dtype=torch.float64)
    return 5 * (share * (1 - share) / samples).sqrt() + 1e-12


def gradient(
    alpha: torch.Tensor, noise: torch.Tensor, route: str, pull: torch.Tensor, tau: float = 0.7
) -> torch.Tensor:
    leaf = alpha.clone().requires_grad_()
    log_p = log_probabilities(leaf, "softmax")
    code = ensemble_gumbel(log_p, noise=noise, temperature=tau, route=route)
    (code * pull).sum().backward()
    return leaf.grad


@pytest.fixture
def alpha():
    return torch.randn(3, 5, generator=random(1), dtype=torch.float64)


@pytest.fixture
def pull():
    return torch.randn(3, 5, generator=random(2), dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("tau", [1e-3, 0.3, 1.0, 100.0])
def test_a_code_is_exactly_zero_or_one(dtype, route, tau):
    log_p = functional.log_softmax(torch.randn(500, 8, dtype=dtype), -1)
    noise = gumbel_noise((7, 500, 8), random()).to(dtype)
    code = ensemble_gumbel(log_p, noise=noise, temperature=tau, route=route)
    assert code.dtype == dtype
    assert set(code.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("draws", [1, 2, 5, 9])
def test_a_code_holds_between_one_and_min_of_draws_and_operations(draws):
    sizes = codes_of(P, draws, samples=5_000).sum(-1)
    assert sizes.min() >= 1
    assert sizes.max() == min(draws, len(P))


def test_each_draw_is_one_hot_and_its_relaxation_sums_to_one(alpha):
    drawn, relaxed = gumbel_draws(
        log_probabilities(alpha, "softmax"), gumbel_noise((4, 3, 5), random()), 0.5
    )
    assert torch.equal(drawn.sum(-1), torch.ones(4, 3, dtype=torch.float64))
    torch.testing.assert_close(relaxed.sum(-1), torch.ones(4, 3, dtype=torch.float64))


@pytest.mark.parametrize("draws", [1, 4, 7])
def test_an_operation_is_kept_with_one_minus_the_chance_that_no_draw_picks_it(draws):
    expected = 1 - (1 - P) ** draws
    frequency = codes_of(P, draws).mean(0)
    assert ((frequency - expected).abs() <= tolerance(expected)).all()


def test_another_draw_never_removes_an_operation(alpha):
    noise = gumbel_noise((8, 3, 5), random())
    codes = [
        ensemble_gumbel(
            log_probabilities(alpha, "softmax"), noise=noise[:m], temperature=1.0, route="even"
        )
        for m in range(1, 9)
    ]
    assert all((more >= less).all() for less, more in itertools.pairwise(codes))


def test_a_larger_alpha_never_loses_its_operation_and_sometimes_gains_it():
    alpha = torch.zeros(2_000, 5, dtype=torch.float64)
    noise = gumbel_noise((3, 2_000, 5), random())
    raised = alpha.clone()
    raised[:, 2] += 0.5
    before, after = (
        ensemble_gumbel(
            log_probabilities(a, "softmax"), noise=noise, temperature=1.0, route="even"
        )[:, 2]
        for a in (alpha, raised)
    )
    assert (after >= before).all()
    assert after.sum() > before.sum()


@pytest.mark.parametrize("subset", [(0,), (0, 1), (1, 3, 4), (0, 1, 2, 3, 4)])
def test_a_code_lies_within_a_set_with_the_power_of_the_sets_probability(subset):
    draws = 3
    outside = [k for k in range(len(P)) if k not in subset]
    within = codes_of(P, draws)[:, outside].sum(-1) == 0
    expected = P[list(subset)].sum() ** draws
    assert abs(within.double().mean() - expected) <= tolerance(expected)


def test_two_operations_of_a_row_exclude_each_other_by_the_formula():
    draws = 4
    code = codes_of(P, draws)
    for i, j in itertools.combinations(range(len(P)), 2):
        p, q = P[i], P[j]
        expected = (1 - p - q) ** draws - ((1 - p) * (1 - q)) ** draws
        products = (code[:, i] - code[:, i].mean()) * (code[:, j] - code[:, j].mean())
        error = 5 * products.std().item() / math.sqrt(SAMPLES)
        assert error < abs(expected)
        assert products.mean().item() == pytest.approx(expected.item(), abs=error)


@pytest.mark.parametrize(("draws", "size"), [(4, 3.3105), (7, 4.8584)])
def test_a_uniform_row_of_eight_keeps_the_known_mean_number(draws, size):
    uniform = torch.full((8,), 1 / 8, dtype=torch.float64)
    sizes = codes_of(uniform, draws).sum(-1)
    assert sum(1 - (1 - uniform) ** draws) == pytest.approx(size, abs=1e-4)
    assert sizes.mean() == pytest.approx(size, abs=5 * sizes.std().item() / math.sqrt(SAMPLES))


def test_two_draws_from_two_even_operations_give_quarter_quarter_half():
    code = codes_of(torch.tensor([0.5, 0.5], dtype=torch.float64), 2)
    for pattern, share in (((1, 0), 0.25), ((1, 1), 0.5), ((0, 1), 0.25)):
        hits = (code == torch.tensor(pattern)).all(-1).double().mean()
        assert abs(hits - share) <= tolerance(share)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("tau", [0.2, 1.0, 5.0])
def test_one_draw_is_torchs_hard_gumbel_softmax_in_value_and_gradient(route, tau, alpha, pull):
    theirs = alpha.clone().requires_grad_()
    torch.manual_seed(3)
    code = functional.gumbel_softmax(theirs, tau=tau, hard=True)
    (code * pull).sum().backward()
    ours = alpha.clone().requires_grad_()
    noise = gumbel_noise((1, 3, 5), random(3))
    same = ensemble_gumbel(ours, noise=noise, temperature=tau, route=route)
    (same * pull).sum().backward()
    assert torch.equal(same, code.round())
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("draws", [1, 2, 7])
def test_a_certain_row_is_its_own_code(draws):
    one_hot = torch.eye(5, dtype=torch.float64)
    noise = gumbel_noise((draws, 5, 5), random())
    code = ensemble_gumbel(one_hot.log(), noise=noise, temperature=1.0, route="even")
    assert torch.equal(code, one_hot)


@pytest.mark.parametrize("route", ["even", "or"])
def test_the_order_of_draws_plays_no_part(route, alpha, pull):
    noise = gumbel_noise((4, 3, 5), random())
    shuffled = noise[[2, 0, 3, 1]]
    torch.testing.assert_close(
        gradient(alpha, noise, route, pull), gradient(alpha, shuffled, route, pull)
    )


@pytest.mark.parametrize("route", ROUTES)
def test_the_code_ignores_order_repetition_shift_and_temperature(route, alpha):
    noise = gumbel_noise((4, 3, 5), random())

    def code(alpha, noise, tau=1.0):
        log_p = log_probabilities(alpha, "softmax")
        return ensemble_gumbel(log_p, noise=noise, temperature=tau, route=route)

    plain = code(alpha, noise)
    assert torch.equal(plain, code(alpha, noise.flip(0)))
    assert torch.equal(plain, code(alpha, torch.cat([noise, noise[:1]])))
    assert torch.equal(plain, code(alpha + torch.tensor([[3.0], [-7.0], [0.1]]), noise))
    assert torch.equal(plain, code(alpha, noise, tau=0.01))


@pytest.mark.parametrize("route", ROUTES)
def test_the_gradient_ignores_a_constant_added_to_a_row(route, alpha, pull):
    noise = gumbel_noise((4, 3, 5), random())
    torch.testing.assert_close(
        gradient(alpha, noise, route, pull), gradient(alpha + 3.0, noise, route, pull)
    )


def test_a_cold_relaxation_is_the_draw_and_a_hot_one_is_uniform(alpha):
    log_p, noise = log_probabilities(alpha, "softmax"), gumbel_noise((4, 3, 5), random())
    drawn, cold = gumbel_draws(log_p, noise, 1e-4)
    _, hot = gumbel_draws(log_p, noise, 1e6)
    torch.testing.assert_close(cold, drawn)
    torch.testing.assert_close(hot, torch.full_like(hot, 1 / 5), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_the_jacobian_of_a_draw_is_that_of_a_softmax_divided_by_the_temperature(tau, alpha):
    noise = gumbel_noise((1, 1, 5), random())

    def relaxed(row):
        return gumbel_draws(log_probabilities(row[None], "softmax"), noise, tau)[1][0, 0]

    y = relaxed(alpha[0])
    expected = (torch.diag(y) - torch.outer(y, y)) / tau
    torch.testing.assert_close(torch.autograd.functional.jacobian(relaxed, alpha[0]), expected)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("draws", [1, 3, 7])
def test_the_gradient_of_each_row_sums_to_zero(route, draws, alpha, pull):
    total = gradient(alpha, gumbel_noise((draws, 3, 5), random()), route, pull)
    assert total.abs().max() > 1e-3
    torch.testing.assert_close(total.sum(-1), torch.zeros(3, dtype=torch.float64))


def test_route_first_is_the_gradient_of_the_first_draw_that_chose_the_operation(alpha, pull):
    noise, tau = gumbel_noise((5, 3, 5), random(4)), 0.7
    leaf = alpha.clone().requires_grad_()
    log_p = functional.log_softmax(leaf, -1)
    loss = leaf.new_zeros(())
    for row, k in itertools.product(range(3), range(5)):
        choosers = [m for m in range(5) if (log_p + noise[m])[row].argmax() == k]
        m = choosers[0] if choosers else 0
        loss = loss + pull[row, k] * ((log_p + noise[m])[row] / tau).softmax(-1)[k]
    loss.backward()
    torch.testing.assert_close(gradient(alpha, noise, "first", pull, tau), leaf.grad)


def test_all_routes_agree_for_one_draw(alpha, pull):
    noise = gumbel_noise((1, 3, 5), random())
    even, first, either = (gradient(alpha, noise, route, pull) for route in ROUTES)
    assert torch.equal(even, first)
    assert torch.equal(even, either)


def test_route_even_is_the_mean_of_route_first_over_all_orders_of_the_draws(alpha, pull):
    noise = gumbel_noise((4, 3, 5), random(5))
    orders = list(itertools.permutations(range(4)))
    mean = sum(gradient(alpha, noise[list(o)], "first", pull) for o in orders) / len(orders)
    torch.testing.assert_close(gradient(alpha, noise, "even", pull), mean)


def test_route_even_is_the_gradient_of_torchs_amax_over_draws(alpha):
    drawn, _ = gumbel_draws(
        log_probabilities(alpha, "softmax"), gumbel_noise((4, 3, 5), random(6)), 1.0
    )
    leaf = drawn.clone().requires_grad_()
    leaf.amax(0).sum().backward()
    torch.testing.assert_close(route_weights(drawn, "even"), leaf.grad)


def test_route_or_is_the_derivative_of_the_logical_or(alpha):
    drawn, _ = gumbel_draws(
        log_probabilities(alpha, "softmax"), gumbel_noise((4, 3, 5), random(6)), 1.0
    )
    leaf = drawn.clone().requires_grad_()
    (1 - (1 - leaf[0]) * (1 - leaf[1]) * (1 - leaf[2]) * (1 - leaf[3])).sum().backward()
    torch.testing.assert_close(route_weights(drawn, "or"), leaf.grad)


def test_an_edge_is_off_with_the_power_of_the_probability_of_none():
    draws, none = 3, P[0]
    off = codes_of(P, draws)[:, 1:].sum(-1) == 0
    assert abs(off.double().mean() - none**draws) <= tolerance(none**draws)


def test_relu_probabilities_are_shares_of_the_positive_alphas():
    alpha = torch.tensor([[1.0, -2.0, 0.0, 3.0]], dtype=torch.float64)
    p = log_probabilities(alpha, "relu").exp()
    assert p.tolist() == [pytest.approx([0.25, 0.0, 0.0, 0.75])]


@pytest.mark.parametrize("route", ROUTES)
def test_under_relu_an_alpha_at_or_below_zero_gets_no_gradient_and_others_a_finite_one(route):
    alpha = torch.tensor([[1.0, -2.0, 0.0, 3.0, 0.5]], dtype=torch.float64, requires_grad=True)
    pull = torch.tensor([[1.0, -3.0, 5.0, 7.0, 2.0]])
    total = torch.zeros_like(alpha)
    for seed in range(50):
        code = ensemble_gumbel(
            log_probabilities(alpha, "relu"),
            noise=gumbel_noise((3, 1, 5), random(seed)),
            temperature=1.0,
            route=route,
        )
        (step,) = torch.autograd.grad((code * pull).sum(), alpha)
        assert code[0, 1] == code[0, 2] == 0
        total += step.abs()
    assert total[0, 1] == total[0, 2] == 0
    assert (total[0, [0, 3, 4]] > 0).all()
    assert total.isfinite().all()


def test_under_softmax_every_alpha_gets_a_gradient():
    alpha = torch.tensor([[1.0, -2.0, 0.0, 3.0]], dtype=torch.float64)
    pull = torch.tensor([[1.0, -3.0, 5.0, 7.0]], dtype=torch.float64)
    assert (gradient(alpha, gumbel_noise((3, 1, 4), random()), "even", pull) != 0).all()


def test_under_relu_a_row_without_a_positive_alpha_is_uniform_without_a_gradient():
    alpha = torch.tensor([[-1.0, 0.0, float("-inf")], [1.0, 3.0, float("-inf")]])
    alpha = alpha.double().requires_grad_()
    p = log_probabilities(alpha, "relu").exp()
    assert p.tolist() == [pytest.approx([0.5, 0.5, 0.0]), pytest.approx([0.25, 0.75, 0.0])]
    (p * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert alpha.grad[0].tolist() == [0.0, 0.0, 0.0]
    assert alpha.grad.isfinite().all()


def test_the_relu_gradient_is_that_of_the_shares():
    alpha = torch.tensor([[1.0, -2.0, 0.5, 3.0]], dtype=torch.float64)
    leaf, second = alpha.clone().requires_grad_(), alpha.clone().requires_grad_()
    pull = torch.tensor([1.0, 2.0, 5.0, -1.0])
    (log_probabilities(leaf, "relu").exp() * pull).sum().backward()
    (second.relu() / second.relu().sum() * pull).sum().backward()
    torch.testing.assert_close(leaf.grad, second.grad)


@pytest.mark.parametrize("normalisation", ["softmax", "relu"])
@pytest.mark.parametrize("scope", SCOPES)
def test_probabilities_of_each_row_of_the_scope_sum_to_one(scope, normalisation):
    space = SPACES["darts"]
    sampler = sampler_of(space, scope=scope, normalisation=normalisation)
    p = sampler.probabilities(1 + torch.randn(14, 8, generator=random(), dtype=torch.float64))
    for edges in space.rows(scope):
        assert p[edges.start : edges.stop].sum() == pytest.approx(1.0)


def sampler_of(space: SearchSpace, draws: int = 3, **changes) -> CodeSampler:
    arguments = {"scope": "node", "route": "even", "normalisation": "softmax"} | changes
    return CodeSampler(space, draws=draws, **arguments)


@pytest.mark.parametrize("scope", SCOPES)
def test_softmax_over_a_row_of_the_scope_is_softmax_over_its_edges(scope):
    space = SPACES["darts"]
    alpha = torch.randn(14, 8, generator=random(), dtype=torch.float64)
    p = sampler_of(space, scope=scope).probabilities(alpha)
    for edges in space.rows(scope):
        rows = slice(edges.start, edges.stop)
        expected = alpha[rows].flatten().softmax(0).view(len(edges), 8)
        torch.testing.assert_close(p[rows], expected)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("nodes", [1, 4, 6])
def test_a_row_of_the_scope_keeps_one_to_m_operations(scope, nodes):
    space = SPACES["darts"].with_nodes(nodes)
    alpha = torch.randn(len(space.edges), 8, generator=random())
    code = sampler_of(space, scope=scope).draw(alpha, 1.0, random())
    for edges in space.rows(scope):
        assert 1 <= code[edges.start : edges.stop].sum() <= 3


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("normalisation", ["softmax", "relu"])
def test_short_rows_are_filled_up_without_harm_to_the_gradient(route, normalisation):
    space = SPACES["darts"]
    alpha = (1 + torch.randn(14, 8, generator=random(), dtype=torch.float64)).requires_grad_()
    sampler = sampler_of(space, route=route, normalisation=normalisation)
    (sampler.draw(alpha, 0.01, random()) * torch.randn(14, 8)).sum().backward()
    assert alpha.grad.isfinite().all()
    assert alpha.grad.abs().sum() > 0


def test_a_sampler_draws_what_each_node_would_draw_alone():
    """A first node of 16 items is drawn as if no longer row stood beside it."""
    space = SPACES["darts"]
    alpha = torch.randn(14, 8, generator=random(), dtype=torch.float64)
    noise = gumbel_noise((3, 4, 5 * 8), random(9))
    for node, edges in enumerate(space.edges_of):
        rows = slice(edges.start, edges.stop)
        alone = ensemble_gumbel(
            alpha[rows].flatten().log_softmax(0)[None],
            noise=noise[:, node : node + 1, : len(edges) * 8],
            temperature=1.0,
            route="even",
        )
        together = sampler_of(space).draw(alpha, 1.0, random(9))[rows]
        assert torch.equal(alone.view(-1, 8), together)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("draws", [1, 4])
def test_a_certain_supernet_draws_exactly_the_derived_code(scope, draws):
    """Then the gap is zero: search and derivation share scope and normalisation."""
    space = SPACES["darts"]
    alpha = torch.full((14, 8), -1e3)
    for edges in space.rows(scope):
        alpha[edges[-1], 4] = 1e3
    sampler = sampler_of(space, draws=draws, scope=scope)
    rows = tuple(map(tuple, sampler.probabilities(alpha).tolist()))
    derived = derive(space, {"normal": rows}, DerivationRule("map", draws, scope))["normal"]
    code = sampler.draw(alpha, 1.0, random())
    assert tuple(mask_of(row) for row in code.tolist()) == derived
    assert sum(derived) > 0


def test_the_same_seed_gives_the_same_code_and_another_seed_another():
    alpha = torch.zeros(14, 8)
    sampler = sampler_of(SPACES["darts"])
    first, again, other = (sampler.draw(alpha, 1.0, random(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_single_and_double_precision_draw_the_same_code():
    alpha = torch.randn(14, 8, generator=random())
    sampler = sampler_of(SPACES["darts"])
    single = sampler.draw(alpha, 1.0, random(1))
    assert torch.equal(single.double(), sampler.draw(alpha.double(), 1.0, random(1)))


def test_the_alphas_of_a_row_touch_no_other_row():
    space = SPACES["darts"]
    sampler = sampler_of(space)
    alpha = torch.zeros(14, 8, dtype=torch.float64, requires_grad=True)
    changed = alpha.detach().clone()
    changed[list(space.edges_of[1])] += torch.randn(3, 8)
    code = sampler.draw(alpha, 1.0, random())
    others = [edge for edge in range(14) if edge not in space.edges_of[1]]
    assert torch.equal(code[others], sampler.draw(changed, 1.0, random())[others])
    (code[others] * torch.randn(len(others), 8)).sum().backward()
    assert alpha.grad[list(space.edges_of[1])].abs().sum() == 0


def test_codes_of_two_rows_are_uncorrelated():
    log_p = P.log().expand(2 * SAMPLES, -1)
    noise = gumbel_noise((2, 2 * SAMPLES, 5), random())
    code = ensemble_gumbel(log_p, noise=noise, temperature=1.0, route="even")
    first, second = code[0::2, 0], code[1::2, 0]
    correlation = torch.corrcoef(torch.stack([first, second]))[0, 1]
    assert abs(correlation) <= 5 / math.sqrt(SAMPLES)


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_zero_is_refused(tau):
    with pytest.raises(ValueError, match=f"temperature is {tau}; it must be above 0"):
        sampler_of(SPACES["darts"]).draw(torch.zeros(14, 8), tau, random())


def test_fewer_than_one_draw_is_refused():
    with pytest.raises(ValueError, match="draws is 0; it must be at least 1"):
        sampler_of(SPACES["darts"], draws=0)


@pytest.mark.parametrize(("route", "biased"), [("or", False), ("even", True), ("first", True)])
def test_when_cold_only_route_or_has_the_true_mean_gradient(route, biased):
    """The others tend to half of (P(b_k) / p_k + (1 - p_k) ** (M - 1)) dp_k."""
    draws, rows, p = 3, 100_000, torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    alpha = p.log().expand(rows, -1).clone()
    pull = torch.zeros(rows, 3, dtype=torch.float64)
    pull[:, 0] = 1.0
    noise = gumbel_noise((draws, rows, 3), random())
    found = gradient(alpha, noise, route, pull, tau=0.05)
    miss = 1 - p[0]
    slope = p[0] * (torch.tensor([1.0, 0.0, 0.0]) - p)
    true = draws * miss ** (draws - 1) * slope
    limit = ((1 - miss**draws) / p[0] + miss ** (draws - 1)) / 2 * slope
    error = 5 * found.std(0) / math.sqrt(rows) + 0.005
    assert ((found.mean(0) - (limit if biased else true)).abs() <= error).all()
    assert ((true - limit).abs() > 2 * error)[0]


def exact_gradient(alpha: torch.Tensor, draws: int, pull: torch.Tensor) -> torch.Tensor:
    """The gradient of sum_k g_k P(b_k = 1), each probability summed over all codes."""
    leaf = alpha.clone().requires_grad_()
    p = leaf.softmax(-1)
    total = sum(
        math.prod(p[k] for k in hits) * sum(pull[k] for k in set(hits))
        for hits in itertools.product(range(len(p)), repeat=draws)
    )
    total.backward()
    return leaf.grad


@pytest.mark.parametrize("draws", [1, 2, 3, 4])
def test_inclusion_has_the_exact_gradient_of_a_linear_loss_in_every_draw(draws):
    alpha = torch.randn(4, generator=random(4), dtype=torch.float64)
    pull = torch.randn(4, generator=random(5), dtype=torch.float64)
    noise = gumbel_noise((draws, 1, 4), random(6))
    found = gradient(alpha[None], noise, "inclusion", pull[None])[0]
    torch.testing.assert_close(found, exact_gradient(alpha, draws, pull))


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_zgr_has_the_true_mean_gradient_of_a_linear_loss(draws):
    """Summed over all ways to draw, each with its probability; not by chance."""
    alpha = torch.randn(4, generator=random(4), dtype=torch.float64)
    pull = torch.randn(4, generator=random(5), dtype=torch.float64)
    p = alpha.softmax(-1)
    mean = torch.zeros(4, dtype=torch.float64)
    for hits in itertools.product(range(4), repeat=draws):
        noise = 100.0 * functional.one_hot(torch.tensor(hits), 4).double()[:, None]
        chance = math.prod(p[k] for k in hits)
        mean += chance * gradient(alpha[None], noise, "zgr", pull[None])[0]
    torch.testing.assert_close(mean, exact_gradient(alpha, draws, pull))


def test_zgr_is_reinmax_at_temperature_one():
    """Liu et al. 2023, Eq. 7: twice the Jacobian at (z + p) / 2 less half of that at p."""
    alpha = torch.randn(5, generator=random(4), dtype=torch.float64)
    pull = torch.randn(5, generator=random(5), dtype=torch.float64)
    noise = gumbel_noise((1, 1, 5), random(6))
    p, drawn = alpha.softmax(-1), hard_draws(alpha.log_softmax(-1)[None], noise)[0, 0]

    def jacobian(q: torch.Tensor) -> torch.Tensor:
        return torch.diag(q) - torch.outer(q, q)

    expected = (2 * jacobian((drawn + p) / 2) - jacobian(p) / 2) @ pull
    torch.testing.assert_close(gradient(alpha[None], noise, "zgr", pull[None])[0], expected)


def test_zgr_is_the_cold_limit_of_relaxed_draws_averaged_given_the_draw():
    """Paulus et al. 2021: relaxed draws of equal hits, averaged, at a low temperature."""
    samples = 400_000
    alpha = torch.tensor([0.5, 0.0, -0.5], dtype=torch.float64)
    pull = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    noise = gumbel_noise((1, samples, 3), random(7))
    rows, pulls = alpha.expand(samples, -1), pull.expand(samples, -1)
    found = gradient(rows, noise, "even", pulls, tau=0.02)
    drawn = hard_draws(alpha.log_softmax(-1).expand(samples, -1), noise)[0]
    for hit in range(3):
        of_hit = found[drawn[:, hit] == 1]
        error = 5 * of_hit.std(0) / math.sqrt(len(of_hit)) + 0.02
        one = torch.full((1, 1, 3), 0.0, dtype=torch.float64)
        one[..., hit] = 100.0
        expected = gradient(alpha[None], one, "zgr", pull[None])[0]
        assert ((of_hit.mean(0) - expected).abs() <= error).all()


@pytest.mark.parametrize("route", ["zgr", "inclusion"])
def test_new_routes_draw_the_same_codes_and_sum_to_zero(route, alpha, pull):
    noise = gumbel_noise((4, 3, 5), random(3))
    log_p = alpha.log_softmax(-1)
    plain = ensemble_gumbel(log_p, noise=noise, temperature=1.0, route="even")
    assert torch.equal(ensemble_gumbel(log_p, noise=noise, temperature=1.0, route=route), plain)
    found = gradient(alpha, noise, route, pull)
    torch.testing.assert_close(found.sum(-1), torch.zeros(3, dtype=torch.float64))


def test_all_unbiased_routes_agree_at_one_draw_in_the_mean():
    """At M = 1 the or has nothing to join: `or` is `even`, and inclusion is p itself."""
    alpha = torch.randn(1, 4, generator=random(4), dtype=torch.float64)
    pull = torch.randn(1, 4, generator=random(5), dtype=torch.float64)
    noise = gumbel_noise((1, 1, 4), random(6))
    leaf = alpha.clone().requires_grad_()
    (leaf.softmax(-1) * pull).sum().backward()
    torch.testing.assert_close(gradient(alpha, noise, "inclusion", pull), leaf.grad)
