"""Drop path and the auxiliary head, each against a second formula."""

import pytest
import torch
from torch import nn

from engine.domain.published import PUBLISHED
from engine.model.derived import DerivedNetwork
from engine.model.training import (
    AuxiliaryHead,
    auxiliary_cell,
    droppable_operations,
    dropped_paths,
    kept_outputs,
    path_masks,
    two_by_two,
)
from engine.spaces import SPACES
from tests.engine.domain.genotypes import older_input_only


@pytest.fixture
def network():
    torch.manual_seed(0)
    genotype = PUBLISHED["data_m4"].genotype(SPACES["darts"])
    return DerivedNetwork(
        genotype, in_channels=1, classes=5, channels=4, cells=3, stem_stride=1
    ).eval()


def test_masks_have_mean_one_and_are_zero_as_often_as_asked():
    masks = path_masks(40, 500, 0.3, torch.Generator().manual_seed(0))
    assert masks.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert (masks == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    again = path_masks(40, 500, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(masks, again)


def test_a_masked_operation_is_scaled_for_each_image_alone(network):
    images = torch.randn(3, 1, 8, 8)
    operations = droppable_operations(network)
    masks = torch.ones(len(operations), 3)
    masks[2] = torch.tensor([0.0, 1.0, 2.0])
    with kept_outputs(operations[2]) as plain:
        network(images)
    with dropped_paths(operations, masks), kept_outputs(operations[2]) as scaled:
        network(images)
    torch.testing.assert_close(scaled[0], plain[0] * masks[2].view(3, 1, 1, 1))


def test_leaving_out_an_operation_of_all_images_is_the_network_without_it(network):
    """Zero from a mask and zero from a genotype that lacks the operation are the same."""
    images = torch.randn(2, 1, 8, 8)
    operations = droppable_operations(network)
    masks = torch.ones(len(operations), 2)
    cell = network.cells["0"]
    assert "skip_connect" in cell.edges["0"]
    masked = next(k for k, op in enumerate(operations) if op is cell.edges["1"]["sep_conv_3x3"])
    masks[masked] = 0
    with dropped_paths(operations, masks):
        dropped = network(images)
    genes = [[g for g in node if g != ("sep_conv_3x3", 1)] for node in cell.nodes[:1]]
    cell.nodes = [*genes, *cell.nodes[1:]]
    torch.testing.assert_close(network(images), dropped)


def test_paths_and_kept_outputs_leave_nothing_behind(network):
    images = torch.randn(2, 1, 8, 8)
    before = network(images)
    operations = droppable_operations(network)
    with dropped_paths(operations, torch.zeros(len(operations), 2)):
        assert not torch.equal(network(images), before)
    assert torch.equal(network(images), before)
    assert all(not module._forward_hooks for module in network.modules())


def test_identities_are_never_left_out(network):
    assert not any(
        isinstance(operation, nn.Identity) for operation in droppable_operations(network)
    )


@pytest.mark.parametrize(("side", "stride"), [(8, 3), (7, 2)])
def test_the_pooling_of_the_auxiliary_head_is_that_of_the_published_networks(side, stride):
    """AvgPool2d(5, stride 3) on CIFAR-10's 8x8 features, stride 2 on ImageNet's 7x7 (DARTS)."""
    features = torch.randn(2, 3, side, side)
    published = nn.AvgPool2d(5, stride=stride, padding=0, count_include_pad=False)
    torch.testing.assert_close(two_by_two(features), published(features))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (3, 4), (6, 5), (9, 10), (28, 21)])
def test_windows_cover_every_pixel_at_every_size(size):
    features = torch.zeros(1, 1, *size, requires_grad=True)
    pooled = two_by_two(features)
    assert pooled.shape == (1, 1, 2, 2)
    (gradient,) = torch.autograd.grad(pooled.sum(), features)
    assert (gradient > 0).all()


def test_the_auxiliary_head_has_the_size_of_the_published_one():
    """DARTS's AuxiliaryHeadCIFAR, parameter by parameter."""
    published = nn.Sequential(
        nn.Conv2d(96, 128, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.Conv2d(128, 768, 2, bias=False),
        nn.BatchNorm2d(768),
        nn.Linear(768, 10),
    )
    head = AuxiliaryHead(96, 10)
    assert [p.shape for p in head.parameters()] == [p.shape for p in published.parameters()]
    assert head(torch.randn(2, 96, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(("cells", "place"), [(20, 13), (14, 9), (3, 2), (1, 0)])
def test_the_auxiliary_head_reads_the_second_reduction(cells, place):
    genotype = PUBLISHED["data_m4"].genotype(SPACES["darts"])
    network = network_of(genotype, cells)
    assert auxiliary_cell(network) is network.cells[str(place)]


@pytest.mark.parametrize(("cells", "place"), [(20, 13), (14, 9), (8, 5), (6, 5), (3, 2), (2, 1)])
def test_the_auxiliary_head_reads_an_alive_cell_that_is_no_earlier(cells, place):
    network = network_of(older_input_only(), cells)
    assert auxiliary_cell(network) is network.cells[str(place)]
    assert place >= 2 * cells // 3
    with kept_outputs(auxiliary_cell(network)) as features:
        network(torch.zeros(2, 1, 8, 8))
    assert features[0].shape[1] == auxiliary_cell(network).features


def network_of(genotype, cells):
    sizes = {"in_channels": 1, "classes": 3, "channels": 2, "stem_stride": 1}
    return DerivedNetwork(genotype, **sizes, cells=cells)
