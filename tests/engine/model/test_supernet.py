"""The supernet against a second one that runs everything and multiplies by the code."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.model.probe import Probe
from engine.model.sampler import CodeSampler
from engine.model.supernet import Supernet
from engine.operations.blocks import zeros_like_strided
from engine.spaces import SPACES

LABELS = torch.tensor([0, 1, 2, 1])


def naive_logits(net: Supernet, images: torch.Tensor, codes) -> torch.Tensor:
    """All operations with gradients, times the code: what `exact` must equal."""
    before, last = net.stem(images)
    for cell in net.cells:
        code = codes[cell.kind]
        states = [cell.before(before), cell.last(last)]
        for target in range(2, 2 + net.space.nodes):
            node = 0
            for e, edge in enumerate(net.space.edges):
                if edge.target == target:
                    x = states[edge.source]
                    stride = cell.stride if edge.source < 2 else 1
                    for k, name in enumerate(net.space.operations):
                        value = (
                            zeros_like_strided(x, stride)
                            if name == "none"
                            else cell.edges[e][name](x)
                        )
                        node = node + code[e, k] * value
            states.append(node)
        before, last = last, torch.cat(states[2:], 1)
    return net.classifier(last.mean((2, 3)))


def gradients(net: Supernet, logits: torch.Tensor, codes) -> dict[str, torch.Tensor]:
    """Gradients of the loss by name, zeros for none; those of codes as ``code.<kind>``."""
    net.zero_grad()
    for code in codes.values():
        code.grad = None
    functional.cross_entropy(logits, LABELS).backward()
    named = dict(net.named_parameters()) | {f"code.{kind}": c for kind, c in codes.items()}
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in named.items()
        if p.is_leaf
    }


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-10, rtol=1e-7, msg=name)


def calls_of(net: Supernet) -> list[tuple[str, int, int, bool]]:
    """Records (cell, edge, operation, whether the value has a graph) at each call."""
    calls: list[tuple[str, int, int, bool]] = []

    def record(key):
        def hook(_module, _inputs, output):
            calls.append((*key, output.requires_grad))

        return hook

    for c, cell in enumerate(net.cells):
        for e, edge in enumerate(cell.edges):
            for name, operation in edge.items():
                operation.register_forward_hook(record((c, e, net.space.operations.index(name))))
    return calls


def on(net: Supernet, codes, *, drawn: bool) -> list[tuple[int, int, int]]:
    """(cell, edge, operation) of what the codes switch on, or off, without none."""
    return [
        (c, e, k)
        for c, cell in enumerate(net.cells)
        for e, row in enumerate(codes[cell.kind].tolist())
        for k, entry in enumerate(row)
        if bool(entry) is drawn and k != net.space.none_index
    ]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_exact_has_the_logits_and_gradients_of_running_everything(
    build, space, draw, images, share
):
    net, codes = build(), draw(space, share)
    logits, expected = net(images, codes, Probe.exact()), naive_logits(net, images, codes)
    torch.testing.assert_close(logits, expected)
    assert_same(gradients(net, logits, codes), gradients(net, expected, codes))


@pytest.mark.parametrize("scope", ["node", "source", "edge"])
@pytest.mark.parametrize("route", ["even", "first", "or"])
def test_exact_moves_alpha_as_running_everything_does(build, space, images, scope, route):
    net = build()
    sampler = CodeSampler(space, draws=3, scope=scope, route=route, normalisation="softmax")

    def drawn():
        random = torch.Generator().manual_seed(4)
        return {kind: sampler.draw(alpha, 1.0, random) for kind, alpha in net.alphas.items()}

    found = gradients(net, net(images, drawn(), Probe.exact()), {})
    expected = gradients(net, naive_logits(net, images, drawn()), {})
    assert_same(found, expected)
    assert all(found[f"alphas.{kind}"].abs().max() > 1e-8 for kind in space.cell_kinds)


def test_sampled_equals_running_everything_when_all_is_drawn(build, space, draw, images):
    net, codes = build(), draw(space, 1.0)
    found = gradients(net, net(images, codes), codes)
    assert_same(found, gradients(net, naive_logits(net, images, codes), codes))


def test_sampled_gives_the_exact_gradient_to_what_was_drawn_and_none_to_the_rest(
    build, space, draw, images
):
    net, codes = build(), draw(space)
    found = gradients(net, net(images, codes), codes)
    expected = gradients(net, net(images, codes, Probe.exact()), codes)
    for kind, code in codes.items():
        expected[f"code.{kind}"] *= code.detach()
    assert_same(found, expected)


def test_probing_the_whole_batch_is_exact(build, space, draw, images):
    net, codes = build(), draw(space)
    found = gradients(net, net(images, codes, Probe.batch(1.0)), codes)
    assert_same(found, gradients(net, net(images, codes, Probe.exact()), codes))


def test_probing_a_part_of_the_batch_leaves_the_weights_gradient_as_it_is(
    build, space, draw, images
):
    net, codes = build(), draw(space)
    found = gradients(net, net(images, codes, Probe.batch(0.5)), codes)
    expected = gradients(net, net(images, codes, Probe.exact()), codes)
    for kind, code in codes.items():
        part, whole = found.pop(f"code.{kind}"), expected.pop(f"code.{kind}")
        kept = code.detach() == 1
        torch.testing.assert_close(part[kept], whole[kept])
        assert not torch.allclose(part[~kept], whole[~kept])
    assert_same(found, expected)


def test_probed_operations_have_the_exact_gradient_as_their_mean(build, space, draw, images):
    """A subset at probability one half and its complement are equally likely."""
    net, codes = build(), draw(space)
    probe = Probe.operations(0.5, space, torch.Generator().manual_seed(1))
    opposite = Probe(
        weight=probe.weight,
        chosen={k: [[not c for c in row] for row in rows] for k, rows in probe.chosen.items()},
    )
    one, other, exact = (
        gradients(net, net(images, codes, p), codes) for p in (probe, opposite, Probe.exact())
    )
    assert not torch.allclose(one["code.normal"], exact["code.normal"])
    assert_same({name: (one[name] + other[name]) / 2 for name in exact}, exact)


def test_sampled_never_runs_what_was_not_drawn(build, space, draw, images):
    net, codes = build(), draw(space)
    calls = calls_of(net)
    net(images, codes).sum().backward()
    assert [call[:3] for call in calls] == on(net, codes, drawn=True)


def test_exact_runs_each_undrawn_operation_once_without_a_graph(build, space, draw, images):
    net, codes = build(), draw(space)
    calls = calls_of(net)
    net(images, codes, Probe.exact()).sum().backward()
    with_graph = sorted(call[:3] for call in calls if call[3])
    without = sorted(call[:3] for call in calls if not call[3])
    assert with_graph == sorted(on(net, codes, drawn=True))
    assert without == sorted(on(net, codes, drawn=False))


def test_codes_without_a_gradient_run_only_what_was_drawn_even_with_a_probe(
    build, space, draw, images
):
    net = build()
    codes = {kind: code.detach() for kind, code in draw(space).items()}
    calls = calls_of(net)
    net(images, codes, Probe.exact()).sum().backward()
    assert [call[:3] for call in calls] == on(net, codes, drawn=True)


def test_undrawn_weights_get_no_gradient_at_all(build, space, draw, images):
    net, codes = build(), draw(space)
    net(images, codes, Probe.exact()).sum().backward()
    for c, e, k in on(net, codes, drawn=False):
        operation = net.cells[c].edges[e][space.operations[k]]
        assert all(parameter.grad is None for parameter in operation.parameters())


@pytest.mark.parametrize(
    ("cells", "nodes", "height", "width", "stem_stride"),
    [
        (1, 6, 8, 8, 1),
        (2, 6, 5, 9, 1),
        (3, 1, 8, 8, 4),
        (3, 1, 1, 3, 4),
        (1, 1, 1, 1, 1),
        (2, 1, 7, 7, 2),
        (5, 2, 9, 5, 2),
    ],
)
def test_networks_of_every_size_answer_and_learn(
    build, draw, cells, nodes, height, width, stem_stride
):
    space = SPACES["darts"].with_nodes(nodes)
    net = build(of=space, cells=cells, stem_stride=stem_stride)
    codes = draw(space)
    logits = net(torch.randn(4, 1, height, width, dtype=torch.float64), codes, Probe.exact())
    assert logits.shape == (4, 3)
    found = gradients(net, logits, codes)
    assert all(gradient.isfinite().all() for gradient in found.values())


def test_a_code_of_only_none_gives_zero_cells_and_still_a_gradient_to_the_others(
    build, space, images
):
    net = build(cells=1)
    codes = {}
    for kind in space.cell_kinds:
        code = torch.zeros(len(space.edges), 8, dtype=torch.float64)
        code[:, space.none_index] = 1.0
        codes[kind] = code.requires_grad_()
    logits = net(images, codes, Probe.exact())
    torch.testing.assert_close(logits, net.classifier.bias.expand(4, 3))
    found = gradients(net, logits, codes)
    assert (found["code.reduction"][:, space.none_index] == 0).all()
    assert (found["code.reduction"][:4, 1:] != 0).all()


def test_alphas_are_in_the_state_and_among_no_weights(build, space):
    net = build()
    names = {f"alphas.{kind}" for kind in space.cell_kinds}
    assert names <= net.state_dict().keys()
    alphas, weights = set(net.alpha_parameters()), set(net.weight_parameters())
    assert alphas == set(net.alphas.values())
    assert not alphas & weights
    assert alphas | weights == set(net.parameters())
    other = build(seed=1)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.alphas["normal"], net.alphas["normal"])


def test_alphas_start_near_their_mean(build):
    net = build(of=SPACES["darts"])
    values = torch.cat([alpha.detach().flatten() for alpha in net.alpha_parameters()])
    assert values.abs().max() < 5e-3
    assert values.std() == pytest.approx(1e-3, rel=0.2)
    raised = build(of=SPACES["darts"], alpha_mean=1.0)
    assert raised.alphas["normal"].mean().item() == pytest.approx(1.0, abs=1e-3)


def test_the_same_generator_gives_the_same_network_whatever_torchs_own_state(build):
    torch.manual_seed(11)
    one = build(seed=5).state_dict()
    torch.manual_seed(12)
    two = build(seed=5).state_dict()
    three = build(seed=6).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], three[name]) for name in one)


def test_weights_start_within_torchs_own_bounds(build):
    net = build(channels=16)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            assert module.weight.abs().max() <= bound


def test_a_wrong_shape_is_refused_while_testing(build, draw, space):
    net = build()
    with pytest.raises(Exception, match="images") as refusal:
        net(torch.zeros(4, 7, 6, dtype=torch.float64), draw(space))
    assert type(refusal.value).__name__ == "TypeCheckError"


def test_with_equal_votes_the_cells_of_a_kind_send_gradients_of_one_norm():
    """Against cells that are given a copy of the code each."""
    space = SPACES["darts"].with_nodes(2)
    arguments = {"in_channels": 1, "classes": 3, "channels": 4, "cells": 4, "stem_stride": 1}
    source = torch.Generator().manual_seed(2)
    net = Supernet(space, **arguments, generator=source, equal_votes=True)
    images = torch.randn(4, 1, 8, 8, generator=source)
    code = torch.zeros(len(space.edges), len(space.operations))
    code[:, 4] = 1.0
    drawn = (code > 0.5).tolist()
    copies = [code.clone().requires_grad_() for _ in net.cells]
    before, last = net.stem(images)
    for cell, copy in zip(net.cells, copies, strict=True):
        before, last = last, cell((before, last), copy, drawn, Probe.exact())
    net.classifier(last.mean((2, 3))).square().sum().backward()
    codes = {kind: code.clone().requires_grad_() for kind in space.cell_kinds}
    net(images, codes, Probe.exact()).square().sum().backward()
    for kind, leaf in codes.items():
        parts = [one.grad for cell, one in zip(net.cells, copies, strict=True) if cell.kind == kind]
        assert len(parts) == 2
        expected = sum(part / part.norm() for part in parts)
        torch.testing.assert_close(leaf.grad, expected, atol=1e-5, rtol=1e-4)
