"""Networks that score pixels: dilation instead of strides, and the head of DeepLab v3."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.domain.catalog import Catalog
from engine.domain.cost import NetworkShape, network_cost
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import from_masks
from engine.domain.skeleton import aspp_rates, cell_places
from engine.domain.snapshot import mask_of
from engine.model.cost import measure_cost
from engine.model.derived import DerivedNetwork, inherit_weights
from engine.model.heads import PixelClassifier
from engine.model.probe import Probe
from engine.operations.blocks import EVALUATION, SEARCH
from engine.operations.table import OPERATIONS
from engine.spaces import SPACES

DARTS, NB201 = SPACES["darts"].with_nodes(2), SPACES["nb201"]
CATALOG = Catalog(tuple(operation.card for operation in OPERATIONS.values()), (), (), ())
SHAPE = NetworkShape(
    4, 3, in_channels=1, classes=3, height=16, width=24, head="pixels", aspp_channels=5
)
PIXELS = {"head": "pixels", "aspp_channels": 5, "image_size": (16, 24), "channels": 4}


def genotype_of(space, codes):
    return from_masks(space, {k: tuple(map(mask_of, c.tolist())) for k, c in codes.items()})


def with_statistics(network: nn.Module) -> nn.Module:
    """In evaluation mode, with running statistics that are not those of a fresh network."""
    random = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2, generator=random)
            module.running_var.uniform_(0.5, 2.0, generator=random)
    return network.double().eval()


def features_of(network: DerivedNetwork, images: torch.Tensor) -> list[torch.Tensor]:
    """The outputs of all cells."""
    before, last = network.stem(images)
    outputs = []
    for cell in network.cells.values():
        before, last = last, cell(before, last)
        outputs.append(last)
    return outputs


def without_pooled_means(space, draw):
    """A code of everything but average pooling, whose window is not dilated."""
    codes = draw(space, 0.5)
    for code in codes.values():
        code.data[:, space.operations.index("avg_pool_3x3")] = 0.0
    return genotype_of(space, codes)


@pytest.mark.parametrize(
    ("space", "cells", "stem_stride", "output_stride", "kept"),
    [
        (DARTS, 6, 1, 2, 2),
        (DARTS, 6, 1, 1, 4),
        (DARTS, 5, 4, 4, 4),
        (DARTS, 3, 8, 8, 4),
        (DARTS, 2, 2, 4, 2),
        (NB201, 3, 1, 2, 2),
    ],
)
def test_where_the_strided_network_has_a_pixel_the_dilated_one_has_the_same_value(
    draw, space, cells, stem_stride, output_stride, kept
):
    genotype = without_pooled_means(space, draw)
    sizes = {"in_channels": 1, "classes": 3, "channels": 4, "cells": cells}
    strided = DerivedNetwork(genotype, **sizes, stem_stride=stem_stride)
    dilated = DerivedNetwork(
        genotype, **sizes, stem_stride=stem_stride, output_stride=output_stride
    )
    dilated.load_state_dict(strided.state_dict())
    with_statistics(strided)
    with_statistics(dilated)
    images = torch.randn(2, 1, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        pairs = list(zip(features_of(strided, images), features_of(dilated, images), strict=True))
    factors = [two.shape[-1] // one.shape[-1] for one, two in pairs]
    assert factors[-1] == kept
    for (one, two), factor in zip(pairs, factors, strict=True):
        torch.testing.assert_close(two[..., ::factor, ::factor], one)


def test_weights_of_a_classification_network_fit_the_dilated_one_by_name(draw):
    genotype = genotype_of(DARTS, draw(DARTS, 0.7))
    sizes = {"in_channels": 1, "channels": 4, "cells": 3, "stem_stride": 2}
    classes = DerivedNetwork(genotype, **sizes, classes=9)
    pixels = DerivedNetwork(genotype, **sizes | PIXELS, classes=3, output_stride=4)
    one, two = (
        {
            name: value.shape
            for name, value in network.state_dict().items()
            if not name.startswith("classifier.")
        }
        for network in (classes, pixels)
    )
    assert one == two


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(
    ("space", "output_stride"), [(DARTS, 0), (DARTS, 4), (DARTS, 2), (NB201, 2)]
)
def test_the_child_answers_as_the_supernet_under_its_code(
    build, draw_connected, share, space, output_stride
):
    sizes = {"stem_stride": 2, "output_stride": output_stride, "in_channels": 1, **PIXELS}
    net = build(of=space, **sizes)
    codes = draw_connected(space, share, 3)
    child = DerivedNetwork(
        genotype_of(space, codes), classes=3, cells=3, style=SEARCH, **sizes
    ).double()
    inherit_weights(child, net)
    images = torch.randn(3, 1, 17, 23, dtype=torch.float64)
    scores = child(images)
    assert scores.shape == (3, 3, 17, 23)
    torch.testing.assert_close(scores, net(images, codes), atol=1e-5, rtol=0)


def test_a_search_on_pixels_moves_all_alphas_but_those_of_none_and_the_head(build, draw):
    net = build(of=DARTS, output_stride=2, **PIXELS)
    codes = draw(DARTS, 0.4)
    scores = net(torch.randn(2, 1, 16, 24, dtype=torch.float64), codes, Probe.exact())
    functional.cross_entropy(scores, torch.randint(3, (2, 16, 24))).backward()
    for code in codes.values():
        assert (code.grad[:, 1:] != 0).all()
        assert (code.grad[:, 0] == 0).all()
    assert all(p.grad is not None for p in net.classifier.parameters())


@pytest.mark.parametrize("space", [DARTS, NB201])
@pytest.mark.parametrize("output_stride", [0, 2, 8])
@pytest.mark.parametrize(("height", "width"), [(16, 24), (13, 9)])
@pytest.mark.parametrize("style", [SEARCH, EVALUATION])
def test_the_formula_counts_what_torch_counts(draw, space, output_stride, height, width, style):
    genotype = genotype_of(space, draw(space, 0.5))
    shape = replace(
        SHAPE,
        height=height,
        width=width,
        stem_stride=2,
        output_stride=output_stride,
        affine=style.affine,
    )
    network = DerivedNetwork(genotype, **shape.arguments, style=style)
    assert network_cost(genotype, CATALOG, shape) == measure_cost(
        network, in_channels=1, height=height, width=width
    )


def test_the_heads_dilations_are_deeplabs_and_follow_the_feature_map():
    assert aspp_rates((513, 513), 16) == (6, 12, 18)
    assert aspp_rates((513, 769), 8) == (12, 24, 36)
    assert aspp_rates((96, 128), 8) == (2, 4, 6)
    assert aspp_rates((8, 8), 8) == (1, 1, 1)


def test_the_head_is_the_sum_of_its_parts_written_out_by_hand():
    head = PixelClassifier(6, 3, channels=4, rates=(1, 2), style=SEARCH, dropout=0.5).eval()
    features = torch.randn(2, 6, 5, 4)

    def part(sequence, x, rate=0):
        value = functional.conv2d(x, sequence[0].weight, padding=rate, dilation=max(1, rate))
        return functional.batch_norm(value, None, None, training=True).relu()

    mean = features.mean((2, 3), keepdim=True)
    looks = [part(look, features, rate) for look, rate in zip(head.looks, (0, 1, 2), strict=True)]
    pooled = functional.conv2d(mean, head.mean[0].weight, head.mean[0].bias).relu()
    looks.append(pooled.expand(2, 4, 5, 4))
    projected = part(head.projection, torch.cat(looks, 1))
    scores = functional.conv2d(projected, head.classifier.weight, head.classifier.bias)
    expected = functional.interpolate(scores, (11, 8), mode="bilinear")
    torch.testing.assert_close(head(features, (11, 8)), expected)


def test_a_single_image_can_be_scored_while_training(build, draw):
    net = build(of=DARTS, **PIXELS)
    scores = net(torch.randn(1, 1, 16, 24, dtype=torch.float64), draw(DARTS))
    assert scores.isfinite().all()


def test_only_reductions_beyond_the_output_stride_lose_their_stride():
    def places(output_stride):
        return cell_places(channels=4, cells=6, nodes=2, stem_stride=2, output_stride=output_stride)

    assert [place.grid.scale for place in places(0)] == [2, 2, 4, 4, 8, 8]
    assert [place.grid.scale for place in places(16)] == [2, 2, 4, 4, 8, 8]
    assert [place.grid.scale for place in places(4)] == [2, 2, 4, 4, 4, 4]
    assert [place.grid.spacing for place in places(4)] == [1, 1, 1, 1, 2, 2]
    assert [place.grid.scale for place in places(2)] == [2] * 6
    assert [place.grid.spacing for place in places(2)] == [1, 1, 2, 2, 4, 4]
    assert [place.stride for place in places(4)] == [1, 1, 2, 1, 1, 1]


def test_an_output_stride_below_the_stems_is_refused_in_one_sentence(build):
    with pytest.raises(InvalidConfig) as refusal:
        build(of=DARTS, stem_stride=8, output_stride=4, **PIXELS)
    assert str(refusal.value) == (
        "Asked for output_stride = 4; found stem_stride = 8, which is larger; allowed is an "
        "output stride that is not below that of the stem; lower stem_stride or raise "
        "output_stride."
    )
