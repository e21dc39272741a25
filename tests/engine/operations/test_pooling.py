"""Pooling by axes gives what torch's own pooling gives."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.model.mixed_edge import MixedEdge
from engine.operations.blocks import SEARCH
from engine.operations.pooling import SeparableMaximum, SeparableMean, hasten

SIZES = [(1, 1), (1, 5), (2, 2), (4, 7), (16, 16)]


def mean() -> nn.AvgPool2d:
    return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)


def images(size: tuple[int, int], *, ties: bool = False) -> Tensor:
    drawn = torch.randn(3, 4, *size, generator=torch.Generator().manual_seed(7))
    return (drawn.mul(2).round() if ties else drawn).requires_grad_()


def value_and_gradient(pool: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    outputs = pool(inputs)
    upstream = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(8))
    return outputs, torch.autograd.grad(outputs, inputs, upstream)[0]


@pytest.mark.parametrize("size", SIZES)
def test_the_mean_is_torchs_mean(size: tuple[int, int]) -> None:
    inputs = images(size)
    mine = value_and_gradient(SeparableMean(3, 1, 1, count_include_pad=False), inputs)
    torch.testing.assert_close(mine, value_and_gradient(mean(), inputs))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_the_maximum_is_torchs_maximum(size: tuple[int, int], ties: bool) -> None:
    inputs = images(size, ties=ties)
    value, gradient = value_and_gradient(SeparableMaximum(3, 1, 1), inputs)
    expected, expected_gradient = value_and_gradient(nn.MaxPool2d(3, 1, 1), inputs)
    assert torch.equal(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("pool", [SeparableMean(3, 1, 1), SeparableMaximum(3, 1, 1)])
def test_gradients_equal_differences(pool: nn.Module) -> None:
    inputs = torch.linspace(-1, 1, 2 * 3 * 4).sin().double().reshape(1, 2, 3, 4).requires_grad_()
    torch.autograd.gradcheck(pool, inputs)


def test_only_pools_that_fit_are_replaced() -> None:
    pools = nn.Sequential(
        mean(),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(3, 2, 1)),
        nn.AvgPool2d(3, 1, 1),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.MaxPool2d(3, 1, 1, dilation=1),
        nn.MaxPool2d(5, 1, 2),
    )
    hastened = [type(part) for part in hasten(pools).modules() if not list(part.children())]
    assert hastened == [
        SeparableMean,
        SeparableMaximum,
        nn.MaxPool2d,
        nn.AvgPool2d,
        nn.AvgPool2d,
        SeparableMaximum,
        nn.MaxPool2d,
    ]


def test_an_edge_of_the_supernet_runs_them() -> None:
    edge = MixedEdge(["max_pool_3x3", "avg_pool_3x3"], 4, 1, SEARCH)
    kinds = {type(part) for part in edge.modules()}
    assert {SeparableMean, SeparableMaximum} <= kinds
    inputs = images((6, 6))
    normalised = functional.batch_norm(mean()(inputs), None, None, training=True)
    torch.testing.assert_close(edge["avg_pool_3x3"](inputs), normalised)
