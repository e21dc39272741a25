"""Harmony of cells against double backward passes through a network that runs everything."""

from itertools import combinations

import pytest
import torch
from torch.nn import functional

from engine.model.probe import Probe
from engine.model.supernet import Supernet
from engine.operations.blocks import zeros_like_strided
from engine.search.harmony import DISTANCE, Harmony, agreement_of, harmony_of
from engine.spaces import SPACES

LABELS = torch.tensor([0, 1, 2, 1])
SPACE = SPACES["darts"].with_nodes(2)


def build(**changes) -> Supernet:
    arguments = {"in_channels": 1, "classes": 3, "channels": 2, "cells": 4, "stem_stride": 1}
    random = torch.Generator().manual_seed(0)
    return Supernet(SPACE, **arguments | changes, generator=random).double()


def images() -> torch.Tensor:
    return torch.randn(4, 1, 7, 6, dtype=torch.float64)


def codes_of(share: float = 0.4, seed: int = 5) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    shape = (len(SPACE.edges), len(SPACE.operations))
    return {
        kind: (torch.rand(shape, generator=random) < share).double() for kind in SPACE.cell_kinds
    }


def loss_of(outputs: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(outputs, LABELS.repeat(len(outputs) // len(LABELS)))


def naive(net: Supernet, inputs: torch.Tensor, weights) -> torch.Tensor:
    """All operations with a graph, times one weight per cell, edge and operation."""
    before, last = net.stem(inputs)
    for cell, code in zip(net.cells, weights, strict=True):
        states = [cell.before(before), cell.last(last)]
        for edges in SPACE.edges_of:
            node = torch.zeros(())
            for e in edges:
                x = states[SPACE.edges[e].source]
                stride = cell.stride if SPACE.edges[e].source < 2 else 1
                for k, name in enumerate(SPACE.operations):
                    is_none = name == "none"
                    value = zeros_like_strided(x, stride) if is_none else cell.edges[e][name](x)
                    node = node + code[e, k] * value
            states.append(node)
        before, last = last, torch.cat(states[2:], 1)
    return net.classifier(last.mean((2, 3)))


def mean_cosine(gradients, kinds) -> torch.Tensor:
    pairs = [(i, j) for i, j in combinations(range(len(kinds)), 2) if kinds[i] == kinds[j]]
    cosines = [
        functional.cosine_similarity(gradients[i].flatten(), gradients[j].flatten(), dim=0)
        for i, j in pairs
    ]
    return sum(cosines) / len(pairs)


def by_double_backward(net, inputs, codes, is_on):
    """Lambda, and its gradient to each weight, without any finite difference."""
    copies = [codes[kind].clone().requires_grad_() for kind in net.kinds_of_cells]
    value = loss_of(naive(net, inputs, copies))
    asked = torch.autograd.grad(value, copies, create_graph=True)
    asked = [g * is_on(codes[kind]) for g, kind in zip(asked, net.kinds_of_cells, strict=True)]
    agreement = mean_cosine(asked, net.kinds_of_cells)
    weights = list(net.weight_parameters())
    return agreement, torch.autograd.grad(agreement, weights, allow_unused=True)


def by_harmony(net, inputs, codes, distance):
    harmony = Harmony(net, 1.0, distance=distance)
    loss_of(harmony.answer(inputs, codes)).backward()
    before = [None if w.grad is None else w.grad.clone() for w in net.weight_parameters()]
    agreement = harmony.apply(loss_of)
    added = [
        None if was is None else w.grad - was
        for w, was in zip(net.weight_parameters(), before, strict=True)
    ]
    return agreement, added


def move(net, gradients, rate) -> None:
    net.zero_grad()
    with torch.no_grad():
        for weight, gradient in zip(net.weight_parameters(), gradients, strict=True):
            if gradient is not None:
                weight.sub_(rate * gradient)


@pytest.mark.parametrize("mixture", [False, True])
def test_its_gradient_is_minus_that_of_the_mean_cosine_by_double_backward(mixture):
    net, inputs, codes = build(mixture=mixture), images(), codes_of()
    if mixture:
        codes = {kind: (0.1 + code).softmax(dim=1) for kind, code in codes.items()}
    found, added = by_harmony(net, inputs, codes, distance=1e-6)
    agreement, expected = by_double_backward(net, inputs, codes, lambda code: code > 0)
    torch.testing.assert_close(found, agreement)
    seen = 0
    for weight, own, true in zip(net.weight_parameters(), added, expected, strict=True):
        mine, exact = (torch.zeros_like(weight) if one is None else one for one in (own, true))
        torch.testing.assert_close(mine, -exact, atol=2e-7, rtol=1e-4)
        seen += bool(exact.abs().max() > 1e-3)
    assert seen > 20


def test_directions_are_the_derivatives_of_the_mean_cosine():
    kinds = ("normal", "reduction", "normal", "normal", "reduction")
    gradients = [torch.randn(3, 2, dtype=torch.float64, requires_grad=True) for _ in kinds]
    expected = mean_cosine(gradients, kinds)
    expected.backward()
    found, directions = agreement_of([one.detach() for one in gradients], kinds)
    torch.testing.assert_close(found, expected.detach())
    for direction, leaf in zip(directions, gradients, strict=True):
        torch.testing.assert_close(direction, leaf.grad)


def test_cells_that_agree_are_in_full_harmony_and_opposite_ones_in_none():
    one = torch.randn(3, 2)
    for other, expected in ((2 * one, 1.0), (-one, -1.0), (0 * one, 0.0)):
        found, directions = agreement_of([one, other], ("normal", "normal"))
        assert found.item() == pytest.approx(expected)
        assert all(direction.abs().max() < 1e-6 for direction in directions)


def test_a_cell_alone_in_its_kind_has_no_part_in_it():
    gradients = [torch.randn(3, 2) for _ in range(3)]
    kinds = ("normal", "reduction", "normal")
    found, directions = agreement_of(gradients, kinds)
    assert found == agreement_of(gradients[::2], kinds[::2])[0]
    assert not directions[1].any()


def test_answers_are_the_plain_ones_and_so_are_the_gradients_of_the_loss():
    net, inputs = build(), images()
    codes = {kind: code.requires_grad_() for kind, code in codes_of().items()}
    results = []
    for answer in (net, Harmony(net, 1.0).answer):
        net.zero_grad()
        outputs = answer(inputs, codes, Probe.exact())
        loss_of(outputs).backward()
        weights = [w.grad for w in net.weight_parameters() if w.grad is not None]
        results.append([outputs, *weights, *(code.grad for code in codes.values())])
        for code in codes.values():
            code.grad = None
    assert torch.equal(results[0][0], results[1][0])
    for plain, own in zip(*results, strict=True):
        torch.testing.assert_close(plain, own, atol=1e-12, rtol=1e-10)


def test_weights_of_operations_that_are_off_stay_without_a_gradient():
    """So that no optimiser moves them, with the penalty as without."""
    net, codes = build(), codes_of()
    by_harmony(net, images(), codes, distance=0.3)
    for cell in net.cells:
        for edge, row in zip(cell.edges, codes[cell.kind].tolist(), strict=True):
            for name, operation in edge.items():
                is_on = bool(row[SPACE.operations.index(name)])
                assert all((w.grad is not None) is is_on for w in operation.parameters())


def test_at_its_own_distance_a_finite_step_of_the_weights_raises_the_harmony():
    """At the paper's distance the kinks of the network hide the way there."""
    gains = dict.fromkeys((DISTANCE, 1e-4), 0.0)
    for seed in range(4):
        inputs, codes = torch.randn(32, 1, 12, 12).double(), codes_of(seed=seed)
        for distance in gains:
            net = build(channels=4)
            before, added = by_harmony(net, inputs, codes, distance)
            length = torch.cat([one.flatten() for one in added if one is not None]).norm()
            move(net, added, 0.02 / length)
            gains[distance] += (by_harmony(net, inputs, codes, distance)[0] - before).item() / 4
    assert gains[DISTANCE] > 0.1
    assert gains[DISTANCE] > 2 * gains[1e-4]


def test_it_is_left_out_without_weight_or_without_two_cells_of_a_kind(make_loop):
    net = build(cells=4)
    assert harmony_of(net, 0.0) is None
    assert harmony_of(net, 0.1) is not None
    assert harmony_of(build(cells=1), 0.1) is None
    assert make_loop().supernet.kinds_of_cells == ("normal", "reduction", "reduction")


def test_a_weight_step_of_the_penalty_raises_the_harmony():
    net, inputs, codes = build(), images(), codes_of()
    before, added = by_harmony(net, inputs, codes, distance=1e-6)
    length = sum(one.square().sum() for one in added if one is not None)
    move(net, added, 1e-4)
    after, _ = by_harmony(net, inputs, codes, distance=1e-6)
    assert (after - before).item() == pytest.approx(1e-4 * length.item(), rel=0.05)


def test_a_search_with_the_penalty_starts_as_the_plain_one_and_then_differs(make_loop):
    """It grows from 0, so that the first update is the plain one."""
    plain, own = (list(make_loop(snapshot_interval=1, **c)) for c in ({}, {"cell_harmony": 1.0}))
    losses = [[one.metrics.get("train_loss") for one in some] for some in (plain, own)]
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][3:] != losses[1][3:]
    assert not any("cell_harmony" in one.metrics for one in plain)
    assert "cell_harmony" not in own[0].metrics
    assert all(-1 <= one.metrics["cell_harmony"] <= 1 for one in own[1:4])
