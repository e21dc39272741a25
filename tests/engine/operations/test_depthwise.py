"""Quick depthwise convolutions against torch's own."""

import pytest
import torch
from torch import nn

from engine.operations.depthwise import Depthwise, as_depthwise, gains, with_quick_backward

SHAPES = [(5, 1), (3, 2), (5, 2)]


def depthwise(size: int, dilation: int, channels: int = 4, **changes) -> nn.Conv2d:
    settings = {"padding": dilation * (size // 2), "dilation": dilation, "groups": channels}
    return nn.Conv2d(channels, channels, size, bias=False, **{**settings, **changes})


@pytest.mark.parametrize(("size", "dilation"), SHAPES)
@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 11), (16, 8), (4, 4), (5, 12)])
def test_value_and_gradients_are_those_of_torch(size, dilation, height, width):
    layer = depthwise(size, dilation).double()
    images = torch.randn(3, 4, height, width, dtype=torch.float64, requires_grad=True)
    delta = torch.randn(3, 4, height, width, dtype=torch.float64)
    expected, found = layer(images), as_depthwise(layer)(images)
    assert torch.equal(found, expected)
    wanted = torch.autograd.grad(expected, (images, layer.weight), delta)
    given = torch.autograd.grad(found, (images, layer.weight), delta)
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


def test_only_what_asks_for_a_gradient_gets_one():
    layer = as_depthwise(depthwise(5, 2))
    images = torch.randn(2, 4, 8, 8, requires_grad=True)
    layer.weight.requires_grad_(False)
    layer(images).sum().backward()
    assert images.grad is not None
    assert layer.weight.grad is None


@pytest.mark.parametrize(
    "layer",
    [
        depthwise(3, 1),
        depthwise(5, 1, stride=2),
        depthwise(5, 1, padding=0),
        depthwise(5, 1, groups=2),
        depthwise(3, 3),
        nn.Conv2d(4, 4, 5, padding=2, groups=4),
        nn.Conv2d(4, 8, 5, padding=2, groups=4, bias=False),
        nn.ReLU(),
    ],
)
def test_other_layers_are_left_alone(layer):
    assert not gains(layer)


def test_parameters_keep_their_names_and_are_shared():
    module = nn.Sequential(nn.ReLU(), nn.Sequential(depthwise(5, 1), nn.Conv2d(4, 4, 1)))
    before = dict(module.named_parameters())
    assert with_quick_backward(module) is module
    after = dict(module.named_parameters())
    assert isinstance(module[1][0], Depthwise)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in after)


def test_in_evaluation_mode_it_is_torch_s_own_layer():
    layer = as_depthwise(depthwise(5, 1)).eval()
    output = layer(torch.randn(1, 4, 8, 8))
    assert "Convolution" in type(output.grad_fn).__name__
    assert "_Convolution" not in type(output.grad_fn).__name__
