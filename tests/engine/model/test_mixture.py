"""The mixture of DARTS: every operation, weighted, differentiated as it stands."""

import pytest
import torch
from torch.nn import functional

from engine.model.supernet import Supernet
from engine.operations.blocks import zeros_like_strided
from engine.spaces import SPACES

LABELS = torch.tensor([0, 1, 2, 1])


def weights_of(net: Supernet, kind: str) -> torch.Tensor:
    return net.alphas[kind].softmax(-1)


def written_out(net: Supernet, images: torch.Tensor) -> torch.Tensor:
    """The mixture by hand, ``none`` as a tensor of zeros."""
    space = net.space
    before, last = net.stem(images)
    for cell in net.cells:
        weight = weights_of(net, cell.kind)
        given = (before, last)[-space.inputs :]
        states = [cell.get_submodule(n)(x) for n, x in zip(cell.inputs, given, strict=True)]
        for edges in space.edges_of:
            node = 0
            for e in edges:
                source = space.edges[e].source
                x = states[source]
                stride = cell.stride if source < space.inputs else 1
                for k, name in enumerate(space.operations):
                    zero = name == "none"
                    value = zeros_like_strided(x, stride) if zero else cell.edges[e][name](x)
                    node = node + weight[e, k] * value
            states.append(node)
        nodes = states[space.inputs :]
        before, last = last, torch.cat(nodes, 1) if space.output == "concat" else nodes[-1]
    return net.classifier(net.closing(last).mean((2, 3)))


@pytest.mark.parametrize("name", ["darts", "nb201"])
def test_a_mixture_is_the_weighted_sum_of_all_operations(build, name):
    space = SPACES[name].with_nodes(3)
    net = build(of=space, channels=4, mixture=True)
    with torch.no_grad():
        for alpha in net.alpha_parameters():
            alpha.mul_(1000)
    images = torch.randn(4, 1, 8, 7, dtype=torch.float64)
    codes = {kind: weights_of(net, kind) for kind in space.cell_kinds}
    logits, expected = net(images, codes), written_out(net, images)
    torch.testing.assert_close(logits, expected)
    parameters = list(net.parameters())
    for found, wanted in zip(
        torch.autograd.grad(functional.cross_entropy(logits, LABELS), parameters),
        torch.autograd.grad(functional.cross_entropy(expected, LABELS), parameters),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted, atol=1e-10, rtol=1e-7)


def test_binary_codes_give_a_mixture_the_value_of_a_choice(build, draw, space):
    chosen, mixed = build(channels=4), build(channels=4, mixture=True)
    codes = draw(space)
    images = torch.randn(4, 1, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(mixed(images, codes), chosen(images, codes))
    assert mixed.state_dict().keys() == chosen.state_dict().keys()


def test_every_operation_of_a_mixture_learns_at_once(build, draw, space):
    net = build(channels=4, mixture=True)
    codes = {kind: weights_of(net, kind) for kind in space.cell_kinds}
    functional.cross_entropy(
        net(torch.randn(4, 1, 8, 8, dtype=torch.float64), codes), LABELS
    ).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
