"""Sound codes as tensors: the law, its draws and its gradients, against enumeration."""

import itertools
import math
from collections import Counter

import pytest
import torch

from engine.domain.errors import InvalidConfig
from engine.domain.snapshot import mask_of
from engine.domain.soundness import SoundLaw as PlainLaw
from engine.domain.soundness import is_sound
from engine.domain.space import SearchSpace
from engine.model.sampler import CodeSampler, Context, Drawing
from engine.model.sound_law import SoundLaw, node_tables
from engine.spaces import SPACES as OURS
from tests.engine.domain.sound_cells import (
    SPACES,
    connects,
    inclusion_of,
    random_rows,
    scopes_of,
    small,
    sound_law_of_codes,
)

ROUTES = ("even", "first", "or", "zgr", "inclusion")
SCOPES = ("node", "source", "edge")
SAMPLES = 500
CASES = [
    (space, scope, draws)
    for space in SPACES
    for scope, draws in itertools.product(scopes_of(space), (1, 2))
    if len(space.edges) < 6 or draws == 1
]


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampler_of(space: SearchSpace, draws: int, scope: str, **changes) -> CodeSampler:
    settings = {"route": "inclusion", "normalisation": "softmax", "sound": True}
    return CodeSampler(space, draws=draws, scope=scope, **{**settings, **changes})


def alphas_of(space: SearchSpace, seed: int = 0) -> torch.Tensor:
    shape = (len(space.edges), len(space.operations))
    return torch.randn(shape, generator=random(seed), dtype=torch.float64)


def rows_of(sampler: CodeSampler, alpha: torch.Tensor):
    return tuple(map(tuple, sampler.probabilities(alpha).tolist()))


def masks_of(code: torch.Tensor):
    return tuple(mask_of(row) for row in code.tolist())


@pytest.mark.parametrize(("space", "scope", "draws"), CASES, ids=str)
def test_the_law_as_tensors_is_the_plain_one(space, scope, draws):
    rows = random_rows(space, scope, 5)
    p = torch.tensor(rows, dtype=torch.float64).flatten()
    law = SoundLaw(space, node_tables(space, scope), p, draws)
    plain = PlainLaw(space, rows, draws=draws, scope=scope)
    assert law.probability.item() == pytest.approx(plain.probability, rel=1e-9)
    expected = torch.tensor(plain.inclusion, dtype=torch.float64).flatten()
    torch.testing.assert_close(law.inclusion(), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("scope", SCOPES)
def test_in_our_spaces_too(name, scope):
    space = OURS[name]
    rows = torch.tensor(random_rows(space, scope, 2), dtype=torch.float64)
    law = SoundLaw(space, node_tables(space, scope), rows.flatten(), 4)
    plain = PlainLaw(space, tuple(map(tuple, rows.tolist())), draws=4, scope=scope)
    assert law.probability.item() == pytest.approx(plain.probability, rel=1e-9)
    expected = torch.tensor(plain.inclusion, dtype=torch.float64).flatten()
    torch.testing.assert_close(law.inclusion(), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("space", "scope", "draws"), CASES[::2], ids=str)
@pytest.mark.parametrize("route", ["inclusion", "even"])
def test_codes_come_as_often_as_their_law_says(space, scope, draws, route):
    sampler, alpha, source = (
        sampler_of(space, draws, scope, route=route),
        alphas_of(space),
        random(1),
    )
    _, law = sound_law_of_codes(space, rows_of(sampler, alpha), draws, scope)
    counts = Counter(masks_of(sampler.draw(alpha, 1.0, source)) for _ in range(SAMPLES))
    assert set(counts) <= set(law)
    for code, chance in law.items():
        tolerance = 5 * math.sqrt(chance * (1 - chance) / SAMPLES) + 1e-3
        assert counts[code] / SAMPLES == pytest.approx(chance, abs=tolerance)


@pytest.mark.parametrize(("space", "scope", "draws"), CASES[::2], ids=str)
def test_inclusion_has_the_exact_mean_gradient_of_every_linear_loss(space, scope, draws):
    """Against central differences of the mean loss over all sound codes, code by code."""
    sampler, alpha = sampler_of(space, draws, scope), alphas_of(space)
    pull = alphas_of(space, 8)

    def mean_loss(alpha: torch.Tensor) -> float:
        _, law = sound_law_of_codes(space, rows_of(sampler, alpha), draws, scope)
        mean = torch.tensor(inclusion_of(space, law), dtype=torch.float64)
        return float((mean * pull).sum())

    expected = torch.zeros_like(alpha)
    for place in itertools.product(range(len(alpha)), range(alpha.shape[1])):
        step = torch.zeros_like(alpha)
        step[place] = 1e-5
        expected[place] = (mean_loss(alpha + step) - mean_loss(alpha - step)) / 2e-5
    leaf = alpha.clone().requires_grad_()
    (sampler.draw(leaf, 1.0, random(3)) * pull).sum().backward()
    torch.testing.assert_close(leaf.grad, expected, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", OURS)
def test_every_route_draws_sound_codes_with_a_gradient_that_sums_to_zero(route, scope, name):
    space = OURS[name]
    sampler = sampler_of(space, 3, scope, route=route)
    for seed in range(5):
        alpha = (4 * alphas_of(space, seed)).float().requires_grad_()
        code = sampler.draw(alpha, 0.7, random(seed))
        assert code.dtype == torch.float32
        assert set(code.detach().unique().tolist()) <= {0.0, 1.0}
        assert is_sound(space, masks_of(code))
        (code * alphas_of(space, 9)).sum().backward()
        for edges in space.rows(scope):
            part = alpha.grad[edges.start : edges.stop]
            assert part.isfinite().all()
            assert part.sum() == pytest.approx(0.0, abs=1e-5)


def test_all_routes_draw_the_same_code_from_the_same_noise():
    space = OURS["darts"]
    codes = [
        sampler_of(space, 4, "node", route=route).draw(alphas_of(space), 1.0, random(2))
        for route in ROUTES
    ]
    assert all(torch.equal(codes[0], code) for code in codes[1:])


def test_a_code_that_is_sound_by_chance_is_the_plain_one():
    """Where every first draw already decides, the law asks for nothing else."""
    space = OURS["darts"]
    alpha = torch.full((14, 8), -40.0)
    for edges in space.edges_of:
        alpha[edges.start + 1, 4] = 40.0
    plain = sampler_of(space, 4, "node", sound=False).draw(alpha, 1.0, random(2))
    assert torch.equal(sampler_of(space, 4, "node").draw(alpha, 1.0, random(2)), plain)


@pytest.mark.parametrize("normalisation", ["softmax", "relu"])
def test_a_collapsed_search_still_draws_sound_codes(normalisation):
    """Everything on c_{k-2}: c_{k-1} has a probability of 0, or as good as 0."""
    space = OURS["darts"]
    alpha = torch.full((14, 8), -200.0)
    for edges in space.edges_of:
        alpha[edges.start] = 200.0
    sampler = sampler_of(space, 4, "node", normalisation=normalisation)
    for seed in range(10):
        assert is_sound(space, masks_of(sampler.draw(alpha, 1.0, random(seed))))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("space", SPACES[:5], ids=str)
def test_rows_of_a_context_take_its_code_and_the_others_their_law_given_it(space, scope):
    """Held rows are facts: the others follow the sound law under that condition."""
    sampler, alpha = sampler_of(space, 2, scope), alphas_of(space)
    rows = rows_of(sampler, alpha)
    total, law = sound_law_of_codes(space, rows, 2, scope)
    given = max(law, key=law.get)
    edges = space.rows(scope)[0]
    held = Drawing(context=Context(given, frozenset({0})))
    fitting = {
        code: chance
        for code, chance in law.items()
        if code[edges.start : edges.stop] == given[edges.start : edges.stop]
    }
    share = sum(fitting.values())
    source = random(4)
    counts = Counter(masks_of(sampler.draw(alpha, 1.0, source, held)) for _ in range(SAMPLES))
    assert set(counts) <= set(fitting)
    for code, chance in fitting.items():
        expected = chance / share
        tolerance = 5 * math.sqrt(expected * (1 - expected) / SAMPLES) + 1e-3
        assert counts[code] / SAMPLES == pytest.approx(expected, abs=tolerance)
    assert total > 0


@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("route", ROUTES)
def test_a_context_changes_codes_and_leaves_every_row_a_gradient(sound, route):
    space = OURS["darts"].with_nodes(2)
    sampler = sampler_of(space, 4, "node", sound=sound, route=route)
    alpha = alphas_of(space).requires_grad_()
    masks = tuple(1 << 4 for _ in space.edges)
    code = sampler.draw(alpha, 1.0, random(), Drawing(context=Context(masks, frozenset({0}))))
    assert masks_of(code)[:2] == masks[:2]
    (code * alphas_of(space, 3)).sum().backward()
    assert alpha.grad[:2].abs().sum() > 0
    assert alpha.grad[2:].abs().sum() > 0


def test_bans_that_cut_a_cell_off_are_refused():
    space = OURS["darts"]
    everything = (1 << 8) - 1
    banned = tuple(everything & ~1 if edge.source == 1 else 0 for edge in space.edges)
    with pytest.raises(InvalidConfig, match="no operation left that connects every cell"):
        sampler_of(space, 4, "node", banned=banned)
    sampler_of(space, 4, "node", banned=banned, sound=False)


def test_banned_operations_are_never_drawn_even_where_nothing_else_is_likely():
    space = small("concat", 2, 2, operations=2)
    banned = (0, 1 << 1, 0, 1 << 1, 0)
    alpha = torch.full((5, 3), -100.0)
    alpha[:, 0] = 100.0
    sampler = sampler_of(space, 2, "node", banned=banned)
    for seed in range(20):
        code = masks_of(sampler.draw(alpha, 1.0, random(seed)))
        assert connects(space, code)
        assert not any(mask & ban for mask, ban in zip(code, banned, strict=True))
