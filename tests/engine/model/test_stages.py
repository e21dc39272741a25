"""The skeleton of NAS-Bench-201: three stages of cells around residual blocks."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.domain.catalog import Catalog
from engine.domain.cost import Cost, DeadShare, NetworkShape, dead_share, network_cost
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import Gene, Genotype, from_masks
from engine.domain.skeleton import cell_places
from engine.domain.snapshot import mask_of
from engine.model.cost import measure_cost
from engine.model.derived import DerivedNetwork, inherit_weights
from engine.model.probe import Probe
from engine.operations.blocks import EVALUATION, SEARCH, ResidualBlock
from engine.operations.table import OPERATIONS
from engine.spaces import SPACES

NB201 = SPACES["nb201"]
CATALOG = Catalog(tuple(operation.card for operation in OPERATIONS.values()), (), (), ())
PUBLISHED_SHAPE = NetworkShape(16, 15, in_channels=3, classes=10, height=32, width=32)


def read_cell(text: str) -> Genotype:
    """The benchmark's own notation: nodes between bars, ``operation~source``."""
    nodes = [[gene.split("~") for gene in node.strip("|").split("|")] for node in text.split("+")]
    genes = tuple(frozenset(Gene(int(source), name) for name, source in node) for node in nodes)
    return Genotype(NB201, {"cell": genes})


def child_of(net, codes, *, style=SEARCH, **shape) -> DerivedNetwork:
    masks = {kind: tuple(map(mask_of, code.tolist())) for kind, code in codes.items()}
    arguments = {"in_channels": 1, "classes": 3, "channels": 4, "cells": 3, "stem_stride": 1}
    genotype = from_masks(net.space, masks)
    return DerivedNetwork(genotype, **arguments | shape, style=style).double()


@pytest.mark.parametrize(
    ("cell", "parameters"),
    [
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", 73306),
        (
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
            "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
            129306,
        ),
        ("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|", 587386),
        (
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
            "+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
            1073466,
        ),
        (
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
            "+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
            1531546,
        ),
    ],
)
def test_cells_of_the_benchmark_have_its_number_of_parameters(cell, parameters):
    """The benchmark counts dead parts too."""
    shape = replace(PUBLISHED_SHAPE, keep_dead=True)
    assert network_cost(read_cell(cell), CATALOG, shape).parameters == parameters


def test_without_its_dead_parts_a_cell_of_the_benchmark_is_smaller():
    """Of |none~0|+|none~0|none~1|+|conv3~0|conv1~1|conv3~2| only the first operation is alive."""
    cell = read_cell("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|")
    alone = read_cell("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    cost = network_cost(cell, CATALOG, PUBLISHED_SHAPE)
    assert cost == network_cost(alone, CATALOG, replace(PUBLISHED_SHAPE, keep_dead=True))
    assert dead_share(cell, CATALOG, PUBLISHED_SHAPE) == DeadShare(587386 - cost.parameters, 587386)
    nothing = read_cell("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert network_cost(nothing, CATALOG, PUBLISHED_SHAPE) == Cost()


@pytest.mark.parametrize(
    ("operation", "published_millions"), [("none", 7.78305), ("nor_conv_3x3", 220.11969)]
)
def test_the_benchmarks_least_and_most_multiply_adds_are_ours_and_the_classifiers_ten_biases(
    operation, published_millions
):
    genes = tuple(
        frozenset(Gene(NB201.edges[e].source, operation) for e in edges) for edges in NB201.edges_of
    )
    shape = replace(PUBLISHED_SHAPE, keep_dead=True)
    cost = network_cost(Genotype(NB201, {"cell": genes}), CATALOG, shape)
    assert cost.multiply_adds + 10 == round(published_millions * 1e6)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (7, 5)])
@pytest.mark.parametrize("style", [SEARCH, EVALUATION])
def test_the_formula_counts_what_torch_counts(height, width, style):
    genotype = read_cell(
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    )
    shape = NetworkShape(5, 6, 3, 7, height, width, stem_stride=2, affine=style.affine)
    network = DerivedNetwork(
        genotype, in_channels=3, classes=7, channels=5, cells=6, stem_stride=2, style=style
    )
    assert network_cost(genotype, CATALOG, shape) == measure_cost(
        network, in_channels=3, height=height, width=width
    )


def test_places_are_three_equal_stages_of_doubling_width():
    places = cell_places(channels=4, cells=6, nodes=3, output="last", skeleton="stages")
    assert [place.channels for place in places] == [4, 4, 8, 8, 16, 16]
    assert [place.widens for place in places] == [False, False, True, False, True, False]
    assert [place.last for place in places] == [4, 4, 4, 8, 8, 16]
    assert not any(place.reduces or place.before for place in places)


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("cells", [3, 6])
@pytest.mark.parametrize("keep_dead", [False, True])
def test_the_child_answers_as_the_supernet_under_its_code(
    build, draw_connected, share, cells, keep_dead
):
    net = build(of=NB201, cells=cells, channels=4)
    codes = draw_connected(NB201, share, cells)
    child = child_of(net, codes, cells=cells, keep_dead=keep_dead)
    inherit_weights(child, net)
    images = torch.randn(5, 1, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(child(images), net(images, codes), atol=1e-5, rtol=0)


def test_the_supernet_equals_the_published_network_written_out_by_hand(build, draw):
    """Stem, cells of weighted edges, residual blocks, BN-ReLU-mean-classifier."""
    net, codes = build(of=NB201, cells=3, channels=4), draw(NB201, 0.5)
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64)

    def normalise(x):
        return functional.batch_norm(x, None, None, training=True)

    def operation(edge, name, x):
        if name == "none":
            return 0 * x
        if name == "skip_connect":
            return x
        if name == "avg_pool_3x3":
            return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        weight = edge[name][1].weight
        return normalise(functional.conv2d(x.relu(), weight, padding=weight.shape[-1] // 2))

    value = normalise(functional.conv2d(images, net.stem[0].weight, padding=1))
    for number, cell in enumerate(net.cells):
        if number:
            block = cell.last
            shortcut = functional.conv2d(functional.avg_pool2d(value, 2), block.shortcut.weight)
            inner = normalise(
                functional.conv2d(value.relu(), block.first[1].weight, stride=2, padding=1)
            )
            outer = functional.conv2d(inner.relu(), block.second[1].weight, padding=1)
            value = shortcut + normalise(outer)
        states = [value]
        for target in (1, 2, 3):
            states.append(
                sum(
                    codes["cell"][e, k] * operation(cell.edges[e], name, states[edge.source])
                    for e, edge in enumerate(NB201.edges)
                    if edge.target == target
                    for k, name in enumerate(NB201.operations)
                )
            )
        value = states[-1]
    expected = net.classifier(normalise(value).relu().mean((2, 3)))
    torch.testing.assert_close(net(images, codes, Probe.exact()), expected)


def test_pooling_is_plain_and_a_skip_is_the_input_itself(build):
    net = build(of=NB201, cells=3, channels=4)
    edge = net.cells[0].edges[0]
    assert [isinstance(module, nn.AvgPool2d) for module in edge["avg_pool_3x3"]] == [True]
    assert isinstance(edge["skip_connect"], nn.Identity)


def test_a_residual_block_halves_odd_images_too():
    block = ResidualBlock(4, 6, SEARCH)
    for height, width in ((8, 8), (7, 5), (1, 3)):
        value = block(torch.randn(2, 4, height, width))
        assert value.shape == (2, 6, -(-height // 2), -(-width // 2))


def test_a_number_of_cells_that_makes_no_equal_stages_is_refused_in_one_sentence(build):
    with pytest.raises(InvalidConfig) as refusal:
        build(of=NB201, cells=4)
    assert str(refusal.value) == (
        "Asked for cells = 4 in the space 'nb201'; found three equal stages; "
        "allowed is a multiple of 3; choose cells = 3."
    )
    with pytest.raises(InvalidConfig):
        network_cost(
            read_cell("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"),
            CATALOG,
            NetworkShape(4, 5, 1, 3, 8, 8),
        )
