import pytest
import torch

from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Gene, Genotype
from engine.domain.pruning import liveness_of
from engine.model.derived import DerivedNetwork, inherit_weights, load_weights
from engine.operations.blocks import EVALUATION, SEARCH
from engine.spaces import SPACES
from tests.engine.model.conftest import genotype_of


def child_of(net, codes, *, style=SEARCH, **shape) -> DerivedNetwork:
    arguments = {"in_channels": 1, "classes": 3, "channels": 2, "cells": 3, "stem_stride": 1}
    genotype = genotype_of(net.space, codes)
    return DerivedNetwork(genotype, **arguments | shape, style=style).double()


@pytest.mark.parametrize("share", [0.03, 0.1, 0.4, 1.0])
@pytest.mark.parametrize(
    ("cells", "nodes", "stem_stride"),
    [(1, 1, 1), (2, 4, 2), (3, 2, 1), (6, 3, 1), (4, 3, 8), (8, 4, 1)],
)
@pytest.mark.parametrize("keep_dead", [False, True])
def test_the_child_answers_as_the_supernet_under_its_code(
    build, draw_connected, share, cells, nodes, stem_stride, keep_dead
):
    space = SPACES["darts"].with_nodes(nodes)
    sizes = {"cells": cells, "stem_stride": stem_stride}
    net, codes = build(of=space, **sizes), draw_connected(space, share, cells)
    child = child_of(net, codes, **sizes, keep_dead=keep_dead)
    inherit_weights(child, net)
    images = torch.randn(5, 1, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(child(images), net(images, codes), atol=1e-5, rtol=0)


def test_a_code_of_nothing_gives_a_child_only_where_dead_parts_are_kept(build, draw, space):
    net, codes = build(), draw(space, 0.0)
    with pytest.raises(InvalidGenotype, match="no path from the image to the scores"):
        child_of(net, codes)
    child = child_of(net, codes, keep_dead=True)
    inherit_weights(child, net)
    images = torch.randn(5, 1, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(child(images), net(images, codes), atol=1e-5, rtol=0)


@pytest.mark.parametrize("share", [0.03, 0.1, 0.4])
@pytest.mark.parametrize("cells", [1, 3, 7])
def test_the_child_holds_nothing_but_what_is_alive_under_the_supernets_names(
    build, draw_connected, space, share, cells
):
    net, codes = build(cells=cells), draw_connected(space, share, cells)
    child = child_of(net, codes, cells=cells)
    assert child.state_dict().keys() < net.state_dict().keys()
    operations = {
        (int(c), int(e), name)
        for c, cell in child.cells.items()
        for e, edge in cell.edges.items()
        for name in edge
    }
    liveness = liveness_of(genotype_of(space, codes), cells)
    edges = [(edge.source, edge.target) for edge in space.edges]
    assert operations == {
        (c, edges.index((source, space.inputs + node)), name)
        for c, cell in enumerate(liveness.cells)
        for node, genes in enumerate(cell.genes)
        for name, source in genes
    }
    assert [int(c) for c in child.cells] == [
        c for c, cell in enumerate(liveness.cells) if cell.is_alive
    ]


def test_a_kept_child_holds_all_of_the_code(build, draw, space):
    net, codes = build(), draw(space)
    child = child_of(net, codes, keep_dead=True)
    operations = {
        (int(c), int(e), name)
        for c, cell in child.cells.items()
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


def test_channels_of_nodes_that_keep_nothing_leave_the_weights_that_read_them(build):
    """Node 1 of 3 is empty: adapters and classifier read channels of nodes 0 and 2 only."""
    space = SPACES["darts"].with_nodes(3)
    node = frozenset({Gene(1, "skip_connect"), Gene(0, "max_pool_3x3")})
    cells = dict.fromkeys(space.cell_kinds, (node, frozenset(), node))
    net = build(of=space, cells=3, channels=2)
    child = DerivedNetwork(
        Genotype(space, cells), in_channels=1, classes=3, channels=2, cells=3, stem_stride=1
    ).double()
    inherit_weights(child, net)
    own, shared = child.state_dict(), net.state_dict()
    full = shared["classifier.weight"]
    assert torch.equal(own["classifier.weight"], full[:, [*range(8), *range(16, 24)]])
    name = "cells.2.last.1.weight"
    assert torch.equal(own[name], shared[name][:, [0, 1, 2, 3, 8, 9, 10, 11]])
    name = "cells.2.before.even.weight"
    assert own[name].shape[1] == 4
    assert torch.equal(own[name], shared[name][:, [0, 1, 4, 5]])
    again = DerivedNetwork(
        Genotype(space, cells), in_channels=1, classes=3, channels=2, cells=3, stem_stride=1
    ).double()
    load_weights(again, own)
    assert all(torch.equal(value, own[name]) for name, value in again.state_dict().items())


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
