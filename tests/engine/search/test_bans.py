"""Banned and frozen operations in a search."""

import io
from itertools import islice, pairwise

import pytest
import torch

from engine.domain.derivation import DerivationRule, derive
from engine.domain.errors import InvalidConfig
from engine.domain.item_patterns import banned_items, frozen_rows, matching_items
from engine.model.estimator import (
    ensemble_gumbel,
    gumbel_noise,
    log_probabilities,
)
from engine.model.item_masks import mask_tensor
from engine.model.probe import Probe
from engine.model.sampler import CodeSampler, MixtureSampler
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from engine.spaces import SPACES
from tests.engine.search.test_language_search import make_loop as text_loop

SPACE = SPACES["darts"].with_nodes(2)
BANNED = "*:*:sep_conv_5x5, normal:0-2:none, reduction:4:skip_connect"
METHODS = [
    {"route": "even", "scope": "node"},
    {"route": "first", "scope": "edge", "gradient": "probed", "probe": "operations"},
    {"route": "or", "scope": "node", "normalisation": "relu"},
    {"method": "darts", "scope": "edge"},
    {"method": "random", "candidates": 2},
    {"update": "alternating", "alpha_weight_decay": 0.1},
]
NAMES = ["even", "first", "or", "darts", "random", "alternating"]


def tensors(masks):
    return {kind: mask_tensor(edges, len(SPACE.operations)) for kind, edges in masks.items()}


def alphas_of(loop):
    return {kind: alpha.detach().clone() for kind, alpha in loop.supernet.alphas.items()}


@pytest.mark.parametrize("route", ["even", "first", "or"])
@pytest.mark.parametrize("normalisation", ["softmax", "relu"])
@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_a_ban_leaves_what_a_row_without_the_items_has(scope, normalisation, route):
    """Second formula: each row alone, its banned columns cut out of alpha and of the noise."""
    masks = banned_items("*:*:max_pool_3x3, *:0:none, *:1-3:skip_connect", SPACE, scope)["normal"]
    banned = mask_tensor(masks, 8)
    sampler = CodeSampler(
        SPACE, draws=3, scope=scope, route=route, normalisation=normalisation, banned=masks
    )
    random = torch.Generator().manual_seed(1)
    alpha = 1 + torch.rand(5, 8, generator=random, dtype=torch.float64)
    pull = torch.rand(5, 8, generator=random, dtype=torch.float64)
    leaf = alpha.clone().requires_grad_()
    code = sampler.draw(leaf, 0.7, torch.Generator().manual_seed(2))
    (code * pull).sum().backward()
    p = sampler.probabilities(alpha)
    assert (p[banned] == 0).all()
    assert (code[banned] == 0).all()
    assert (leaf.grad[banned] == 0).all()
    rows = SPACE.rows(scope)
    width = max(len(row) for row in rows) * 8
    noise = gumbel_noise((3, len(rows), width), torch.Generator().manual_seed(2))
    for number, row in enumerate(rows):
        part = slice(row.start, row.stop)
        keeps = ~banned[part].flatten()
        alone = alpha[part].flatten()[keeps].clone().requires_grad_()
        log_p = log_probabilities(alone[None], normalisation)
        of_row = noise[:, number : number + 1, : len(row) * 8][..., keeps]
        drawn = ensemble_gumbel(log_p, noise=of_row, temperature=0.7, route=route)
        (drawn[0] * pull[part].flatten()[keeps]).sum().backward()
        torch.testing.assert_close(p[part].flatten()[keeps], log_p.exp()[0].detach())
        assert torch.equal(code[part].flatten()[keeps].detach(), drawn[0].detach())
        torch.testing.assert_close(leaf.grad[part].flatten()[keeps], alone.grad)
        assert p[part].sum() == pytest.approx(1.0)


def test_a_mixture_weighs_a_banned_operation_with_zero_and_the_others_as_without_it():
    masks = banned_items("*:*:none", SPACE, "edge")["normal"]
    alpha = torch.rand(5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = MixtureSampler(SPACE, normalisation="softmax", banned=masks).draw(
        alpha, 1.0, torch.Generator()
    )
    assert (weights[:, 0] == 0).all()
    torch.testing.assert_close(weights[:, 1:], alpha[:, 1:].softmax(dim=1))


def test_a_sampler_without_anything_to_draw_is_refused():
    with pytest.raises(ValueError, match="a row has nothing left to draw"):
        CodeSampler(
            SPACE,
            draws=1,
            scope="edge",
            route="even",
            normalisation="softmax",
            banned=(255, 0, 0, 0, 0),
        )


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_search_never_shows_draws_or_derives_what_is_banned(make_loop, method):
    loop = make_loop(banned=BANNED, epochs=2, **method)
    masks = banned_items(BANNED, SPACE, loop.config.scope)
    banned = tensors(masks)
    before = alphas_of(loop)
    for snapshot in loop:
        for kind, rows in snapshot.probabilities.items():
            p = torch.tensor(rows)
            assert (p[banned[kind]] == 0).all()
            for edges in SPACE.rows(loop.config.scope):
                assert p[edges.start : edges.stop].sum() == pytest.approx(1.0, abs=1e-5)
            assert not any(a & b for a, b in zip(snapshot.codes[kind], masks[kind], strict=True))
            if snapshot.derived:
                kept = zip(snapshot.derived[kind], masks[kind], strict=True)
                assert not any(a & b for a, b in kept)
    for kind, alpha in loop.supernet.alphas.items():
        assert torch.equal(alpha.detach()[banned[kind]], before[kind][banned[kind]])
        moved = not torch.equal(alpha.detach()[~banned[kind]], before[kind][~banned[kind]])
        assert moved == (loop.config.method != "random")


def test_a_search_of_one_operation_left_an_edge_is_decided_from_the_start(make_loop):
    """Everything but one banned: all rules agree, and the gap is zero."""
    others = [name for name in SPACE.operations if name != "sep_conv_3x3"]
    loop = make_loop(banned=", ".join(f"*:*:{name}" for name in others), scope="edge", epochs=1)
    last = list(loop)[-1]
    only = 1 << SPACE.operations.index("sep_conv_3x3")
    assert last.derived == dict.fromkeys(SPACE.cell_kinds, (only,) * 5)
    assert last.codes == last.derived
    assert last.metrics["gap"] == 0.0
    assert derive(SPACE, last.probabilities, DerivationRule("top2", 1, "edge")) == {
        kind: (only, only, *_best_two()) for kind in SPACE.cell_kinds
    }


def _best_two():
    """The third node has three equal edges, of which the first two stay."""
    only = 1 << SPACE.operations.index("sep_conv_3x3")
    return (only, only, 0)


@pytest.mark.parametrize("scope", ["node", "source", "edge"])
@pytest.mark.parametrize("update", ["joint", "alternating"])
def test_frozen_rows_rest_while_the_others_move(make_loop, update, scope):
    frozen = "normal:2:skip_connect"
    loop = make_loop(frozen=frozen, scope=scope, update=update, alpha_weight_decay=0.1, epochs=1)
    rests = tensors(frozen_rows(frozen, SPACE, scope))
    shown = [snapshot.probabilities for snapshot in loop]
    for kind, mask in rests.items():
        series = [torch.tensor(rows[kind]) for rows in shown]
        assert all(torch.equal(a[mask], b[mask]) for a, b in pairwise(series))
        assert not torch.equal(series[0][~mask], series[-1][~mask])
    assert rests["normal"].any()
    assert not rests["reduction"].any()


def test_alphas_that_are_frozen_after_they_moved_stand_still_at_once(make_loop):
    """Adam's moments and the weight decay would carry them on."""
    loop = make_loop(alpha_weight_decay=0.1)
    steps = loop.steps()
    list(islice(steps, 3))
    loop.steer(3, loop.config.model_copy(update={"frozen": "*:*:*"}))
    before = alphas_of(loop)
    list(islice(steps, 4))
    assert all(torch.equal(before[kind], alpha) for kind, alpha in alphas_of(loop).items())


def test_a_search_with_bans_carried_from_checkpoint_to_checkpoint_is_the_uninterrupted_one(
    make_loop,
):
    settings = {"banned": BANNED, "frozen": "normal:2:none", "scope": "edge"}
    straight = make_loop(**settings)
    expected = [snapshot.probabilities for snapshot in straight]
    carried, seen = make_loop(**settings), []
    for elements in (2, 5):
        seen += [s.probabilities for s in islice(carried.steps(), elements) if s is not None]
        file = io.BytesIO()
        save_checkpoint(carried, file)
        file.seek(0)
        carried = make_loop(**settings)
        load_checkpoint(carried, file)
    seen += [snapshot.probabilities for snapshot in carried]
    assert seen == expected


def test_a_probe_leaves_out_whose_gradient_nobody_uses():
    masks = matching_items("banned", "normal:1:none, reduction:*:skip_connect", SPACE)
    chosen = Probe.operations(0.5, SPACE, torch.Generator().manual_seed(0))
    for probe in (Probe.exact(), Probe.batch(0.5), chosen):
        without = probe.without(masks, 8)
        assert (without.weight, without.batch_share) == (probe.weight, probe.batch_share)
        for kind in SPACE.cell_kinds:
            for edge in range(5):
                for k in range(8):
                    expected = probe.includes(kind, edge, k) and not masks[kind][edge] >> k & 1
                    assert without.includes(kind, edge, k) == expected
    assert Probe.exact().without(dict.fromkeys(SPACE.cell_kinds, (0,) * 5), 8) == Probe.exact()


def test_a_ban_that_leaves_nothing_ends_the_search_before_it_starts(make_loop):
    with pytest.raises(InvalidConfig, match="nothing left to draw in the cell 'normal'"):
        make_loop(banned="normal:0:*, normal:1:*")
    with pytest.raises(InvalidConfig, match="frozen = 'normal:99:none'"):
        make_loop(frozen="normal:99:none")


@pytest.mark.parametrize("method", [{}, {"method": "darts", "scope": "edge"}], ids=["egs", "darts"])
def test_a_recurrent_cell_honours_bans_and_frozen_rows(method):
    settings = {"banned": "*:*:tanh, recurrent:0:none", "frozen": "recurrent:1:relu", **method}
    loop = text_loop(epochs=1, **settings)
    space, scope = loop.space, loop.config.scope
    banned = mask_tensor(banned_items(settings["banned"], space, scope)["recurrent"], 5)
    rests = mask_tensor(frozen_rows(settings["frozen"], space, scope)["recurrent"], 5)
    shown = [torch.tensor(snapshot.probabilities["recurrent"]) for snapshot in loop]
    assert all((p[banned] == 0).all() for p in shown)
    assert all(torch.equal(p[rests], shown[0][rests]) for p in shown)
    assert not torch.equal(shown[0][~rests], shown[-1][~rests])
