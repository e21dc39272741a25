"""The network in blocks, against the modules of the real network."""

import pytest
import torch

from engine.catalog import gather_catalog
from engine.domain.blocks import network_blocks, shares
from engine.domain.cost import Cost, NetworkShape, network_cost, network_parts, total_of
from engine.domain.genotype import Gene, Genotype
from engine.domain.language_cost import LanguageShape, language_cost, language_parts
from engine.domain.published import PUBLISHED
from engine.model.derived import DerivedNetwork
from engine.operations.blocks import EVALUATION
from engine.spaces import SPACES

CATALOG = gather_catalog()
DATA_M4 = PUBLISHED["data_m4"].genotype(SPACES["darts"])
SHAPE = NetworkShape(8, 5, in_channels=3, classes=10, height=17, width=12)
STAGED = Genotype(
    SPACES["nb201"],
    {
        "cell": (
            frozenset({Gene(0, "nor_conv_3x3")}),
            frozenset({Gene(0, "skip_connect"), Gene(1, "nor_conv_1x1")}),
            frozenset({Gene(0, "avg_pool_3x3")}),
        )
    },
)


def parameters(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


@pytest.mark.parametrize(
    ("genotype", "shape"),
    [(DATA_M4, SHAPE), (STAGED, NetworkShape(4, 6, 1, 7, 9, 9, stem_stride=2))],
)
def test_each_cell_has_the_parameters_of_its_module(genotype: Genotype, shape: NetworkShape):
    network = DerivedNetwork(genotype, **shape.arguments, style=EVALUATION)
    blocks = network_blocks(genotype, CATALOG, shape)
    cells = [block for block in blocks if block.cell is not None]
    assert [block.cell for block in cells] == list(range(shape.cells))
    for block, cell in zip(cells, network.cells.values(), strict=True):
        assert block.cost.parameters == parameters(cell)
    assert sum((block.cost for block in blocks), Cost()) == network_cost(genotype, CATALOG, shape)


def test_sizes_are_those_of_the_feature_maps():
    network = DerivedNetwork(DATA_M4, **SHAPE.arguments, style=EVALUATION).eval()
    maps: list[tuple[int, ...]] = []
    for cell in network.cells.values():
        cell.register_forward_hook(lambda *given: maps.append(tuple(given[2].shape)))
    with torch.no_grad():
        network(torch.zeros(1, 3, 17, 12))
    blocks = network_blocks(DATA_M4, CATALOG, SHAPE)
    cells = [block for block in blocks if block.cell is not None]
    nodes = SPACES["darts"].nodes
    assert maps == [(1, nodes * one.channels, one.height, one.width) for one in cells]
    sides = [(block.height, block.width) for block in blocks]
    assert sides == [(17, 12), (17, 12), (9, 6), (9, 6), (5, 3), (5, 3), (0, 0)]


def test_shares_are_all_parts_grouped_the_dearest_first():
    parts = network_parts(DATA_M4, CATALOG, SHAPE)
    found = shares(parts)
    assert total_of(parts) == sum((one.cost for one in found), Cost())
    assert sum(one.uses for one in found) == len(parts)
    assert [one.cost.multiply_adds for one in found] == sorted(
        (one.cost.multiply_adds for one in found), reverse=True
    )
    kept = [gene for kind in DATA_M4.cells.values() for node in kind for gene in node]
    operations = {one.name for one in found} - {"stem", "head", "adapters"}
    assert operations == {gene.operation for gene in kept}


def test_a_language_model_is_embedding_cell_and_decoder():
    cell = (frozenset({Gene(0, "tanh"), Gene(0, "relu")}), frozenset({Gene(1, "identity")}))
    genotype = Genotype(SPACES["rnn"].with_nodes(2), {"recurrent": cell})
    shape = LanguageShape(vocabulary=11, embedding=6, hidden=6)
    embedding, middle, decoder = network_blocks(genotype, CATALOG, shape)
    assert (embedding.label, middle.label, decoder.label) == (
        "Embedding",
        "Recurrent cell",
        "Decoder",
    )
    assert (embedding.cost, decoder.cost) == (Cost(66), Cost(11, 66))
    total = language_cost(genotype, shape)
    assert embedding.cost + middle.cost + decoder.cost == total
    first, both, one = (part.cost for part in language_parts(genotype, shape)[1:4])
    assert (first, both, one) == (Cost(144, 144), Cost(72, 72), Cost(0, 0))
