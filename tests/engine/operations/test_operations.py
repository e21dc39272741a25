import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.operations.blocks import EVALUATION, SEARCH, FactorizedReduce
from engine.operations.table import OPERATIONS, Operation, _table
from engine.spaces import SPACES

ACTIVATIONS = {name for name, o in OPERATIONS.items() if o.card.family == "activation"}
FOR_IMAGES = [name for name in OPERATIONS if name not in ACTIVATIONS]
"""The activations of a recurrent cell know no stride."""


@pytest.mark.parametrize("name", FOR_IMAGES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 5), (1, 2)])
@pytest.mark.parametrize("style", [SEARCH, EVALUATION])
def test_every_operation_keeps_channels_and_divides_the_resolution_rounding_up(
    name, stride, height, width, style
):
    operation = OPERATIONS[name].build(3, stride, style)
    value = operation(torch.randn(2, 3, height, width))
    assert value.shape == (2, 3, -(-height // stride), -(-width // stride))
    assert value.isfinite().all()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_a_search_keeps_no_scale_and_no_running_statistics(name, stride):
    operation = OPERATIONS[name].build(4, stride, SEARCH)
    assert not list(operation.buffers())
    assert not [m for m in operation.modules() if isinstance(m, nn.BatchNorm2d) and m.affine]


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_every_operation_has_the_parameters_that_its_card_says(name, stride):
    channels = 6
    card = OPERATIONS[name].card
    strided = stride == 2 and card.strided_layers is not None
    layers = card.strided_layers if strided else card.layers
    expected = sum(
        layer.kernel**2 * channels * (1 if layer.depthwise else channels)
        + (2 * channels if layer.norm else 0)
        for layer in layers
    )
    operation = OPERATIONS[name].build(channels, stride, EVALUATION)
    assert sum(p.numel() for p in operation.parameters()) == expected


def test_pools_never_learn_a_scale_so_that_search_and_evaluation_agree():
    for name in ("max_pool_3x3", "avg_pool_3x3"):
        assert not list(OPERATIONS[name].build(4, 1, EVALUATION).parameters())


def test_average_pooling_counts_only_pixels_that_are_there():
    pool, _ = OPERATIONS["avg_pool_3x3"].build(1, 1, SEARCH)
    assert torch.equal(pool(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4))


def test_none_is_zero_and_a_skip_is_the_input_itself():
    images = torch.randn(2, 3, 5, 5)
    assert OPERATIONS["none"].build(3, 1, SEARCH)(images).abs().sum() == 0
    assert torch.equal(OPERATIONS["skip_connect"].build(3, 1, SEARCH)(images), images)


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("sep_conv_3x3", 2),
        ("sep_conv_5x5", 4),
        ("dil_conv_3x3", 2),
        ("dil_conv_5x5", 4),
        ("max_pool_3x3", 1),
        ("avg_pool_3x3", 1),
    ],
)
def test_an_operation_sees_as_far_as_its_kernels_reach(name, reach):
    """Two separable convolutions in a row reach as far as one with dilation 2."""
    operation = OPERATIONS[name].build(2, 1, SEARCH).double()
    layers = [m for m in operation.modules() if not list(m.children())]
    linear = nn.Sequential(
        *[m for m in layers if isinstance(m, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)]
    )
    images = torch.rand(1, 2, 13, 13, dtype=torch.float64)
    changed = images.clone()
    changed[..., 6, 6] += 10.0
    rows = (linear(changed) != linear(images)).any(dim=(0, 1, 3)).nonzero().flatten()
    assert rows.min() == 6 - reach
    assert rows.max() == 6 + reach


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (3, 5), (2, 2)])
@pytest.mark.parametrize(("height", "width"), [(6, 6), (7, 6), (1, 1)])
def test_a_factorised_reduction_sees_even_and_odd_pixels(inputs, outputs, height, width):
    reduce = FactorizedReduce(inputs, outputs, SEARCH).double()
    reduce.norm = nn.Identity()
    images = torch.randn(2, inputs, height, width, dtype=torch.float64)
    active = functional.pad(images.relu(), (0, 1, 0, 1))
    rows, columns = -(-height // 2), -(-width // 2)
    even = active[:, :, 0::2, 0::2][:, :, :rows, :columns]
    odd = active[:, :, 1::2, 1::2][:, :, :rows, :columns]
    expected = torch.cat(
        [
            torch.einsum("oi,bihw->bohw", conv.weight[:, :, 0, 0], part)
            for conv, part in ((reduce.even, even), (reduce.odd, odd))
        ],
        dim=1,
    )
    torch.testing.assert_close(reduce(images), expected)


def test_every_operation_of_every_space_is_in_the_table():
    for space in SPACES.values():
        assert set(space.operations) <= OPERATIONS.keys()


def test_labels_for_edges_are_short_and_no_two_are_alike():
    shorts = [operation.card.short for operation in OPERATIONS.values()]
    assert len(set(shorts)) == len(shorts)
    assert max(map(len, shorts)) <= 8
    assert shorts[:4] == ["none", "max 3", "avg 3", "skip"]


def test_activations_are_the_functions_that_they_are_named_after():
    values = torch.linspace(-3, 3, 25, dtype=torch.float64)
    expected = {
        "tanh": 1 - 2 / ((2 * values).exp() + 1),
        "relu": (values + values.abs()) / 2,
        "sigmoid": 1 / (1 + (-values).exp()),
        "identity": values,
    }
    assert expected.keys() == ACTIVATIONS
    for name, value in expected.items():
        torch.testing.assert_close(OPERATIONS[name].build(4, 1, SEARCH)(values), value)


def test_two_operations_of_one_name_are_refused():
    operation = OPERATIONS["skip_connect"]
    with pytest.raises(ValueError, match="two operations bear the same name"):
        _table(operation, Operation(operation.card, build=operation.build))
