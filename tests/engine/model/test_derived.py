import pytest
import torch

from engine.domain.genotype import from_masks
from engine.domain.snapshot import mask_of
from engine.model.derived import DerivedNetwork, inherit_weights
from engine.operations.blocks import EVALUATION, SEARCH
from engine.spaces import SPACES


def child_of(net, codes, *, style=SEARCH, **shape) -> DerivedNetwork:
    masks = {kind: tuple(map(mask_of, code.tolist())) for kind, code in codes.items()}
    arguments = {"in_channels": 1, "classes": 3, "channels": 2, "cells": 3, "stem_stride": 1}
    genotype = from_masks(net.space, masks)
    return DerivedNetwork(genotype, **arguments | shape, style=style).double()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
@pytest.mark.parametrize(("cells", "nodes", "stem_stride"), [(1, 1, 1), (2, 4, 2), (3, 2, 1)])
def test_the_child_answers_as_the_supernet_under_its_code(
    build, draw, share, cells, nodes, stem_stride
):
    space = SPACES["darts"].with_nodes(nodes)
    net = build(of=space, cells=cells, stem_stride=stem_stride)
    codes = draw(space, share)
    child = child_of(net, codes, cells=cells, stem_stride=stem_stride)
    inherit_weights(child, net)
    images = torch.randn(5, 1, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(child(images), net(images, codes), atol=1e-5, rtol=0)


def test_the_child_holds_nothing_but_its_own_operations(build, draw, space):
    net, codes = build(), draw(space)
    child = child_of(net, codes)
    assert child.state_dict().keys() < net.state_dict().keys()
    operations = {
        (c, int(e), name)
        for c, cell in enumerate(child.cells)
        for e, edge in cell.edges.items()
        for name in edge
    }
    assert operations == {
        (c, e, space.operations[k])
        for c, cell in enumerate(net.cells)
        for e, row in enumerate(codes[cell.kind].tolist())
        for k, entry in enumerate(row)
        if entry and k != space.none_index
    }


def test_a_child_for_evaluation_inherits_convolutions_and_keeps_its_own_norms(build, draw, space):
    net, codes = build(), draw(space)
    child = child_of(net, codes, style=EVALUATION)
    inherit_weights(child, net)
    shared, own = net.state_dict(), child.state_dict()
    common = own.keys() & shared.keys()
    assert all(torch.equal(own[name], shared[name]) for name in common)
    left = {name.rsplit(".", 1)[1] for name in own.keys() - shared.keys()}
    assert left == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


def test_a_trained_child_for_evaluation_answers_for_one_image_as_within_a_batch(build, draw, space):
    net, codes = build(), draw(space)
    child = child_of(net, codes, style=EVALUATION)
    images = torch.randn(5, 1, 9, 7, dtype=torch.float64)
    child.train()(images)
    child.eval()
    torch.testing.assert_close(child(images)[:1], child(images[:1]))


def test_weights_of_another_supernet_are_refused(build, draw, space):
    codes = draw(space)
    with pytest.raises(KeyError):
        inherit_weights(child_of(build(), codes), build(cells=1))
    with pytest.raises(RuntimeError, match="size mismatch"):
        inherit_weights(child_of(build(), codes), build(channels=4))
