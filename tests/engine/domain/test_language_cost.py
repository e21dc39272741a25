import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.domain.cost import Cost
from engine.domain.genotype import Gene, Genotype
from engine.domain.language_cost import LanguageShape, language_cost
from engine.domain.published import PUBLISHED_RECURRENT
from engine.model.recurrent_derived import DerivedRecurrentNetwork
from engine.operations.text import Text
from engine.spaces import SPACES

RNN = SPACES["rnn"]


def random_genotype(nodes: int, share: float, seed: int) -> Genotype:
    random = torch.Generator().manual_seed(seed)
    cell = tuple(
        frozenset(
            Gene(source, name)
            for source in range(node + 1)
            for name in RNN.operations
            if torch.rand((), generator=random) < share
        )
        for node in range(nodes)
    )
    return Genotype(RNN.with_nodes(nodes), {"recurrent": cell})


@pytest.mark.parametrize(("nodes", "share"), [(1, 1.0), (3, 0.2), (8, 0.2), (8, 0.6), (5, 1.0)])
@pytest.mark.parametrize(("embedding", "hidden"), [(6, 6), (4, 7)])
def test_the_count_is_that_of_the_network_itself(nodes, share, embedding, hidden):
    genotype = random_genotype(nodes, share, seed=nodes)
    shape = LanguageShape(vocabulary=13, embedding=embedding, hidden=hidden)
    network = DerivedRecurrentNetwork(genotype, vocabulary=13, embedding=embedding, hidden=hidden)
    steps, streams = 5, 3
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(Text(torch.zeros(steps, streams, dtype=torch.long), torch.zeros(streams, hidden)))
    parameters = sum(p.numel() for p in network.parameters())
    flops = counter.get_total_flops()
    assert language_cost(genotype, shape) == Cost(parameters, flops // (2 * steps * streams))


def test_the_published_cell_of_darts_has_23_million_parameters_on_ptb():
    """By hand, at 850 units and 10,000 words: embedding, bias, first map, eight maps."""
    genotype = PUBLISHED_RECURRENT["darts_v2"].genotype(RNN)
    found = language_cost(genotype, LanguageShape(10_000, 850, 850))
    by_hand = 10_000 * 850 + 10_000 + 1700 * 1700 + 8 * 850 * 1700
    assert found.parameters == by_hand == 22_960_000
    assert found.multiply_adds == by_hand - 10_000


def test_a_source_is_read_once_however_many_activations_stand_behind_it():
    one = Genotype(RNN.with_nodes(1), {"recurrent": (frozenset({Gene(0, "tanh")}),)})
    genes = frozenset(Gene(0, name) for name in RNN.operations)
    all_of_them = Genotype(RNN.with_nodes(1), {"recurrent": (genes,)})
    shape = LanguageShape(10, 4, 4)
    assert language_cost(one, shape) == language_cost(all_of_them, shape)


def test_an_untied_embedding_counts_twice():
    genotype = random_genotype(2, 0.5, seed=0)
    tied = language_cost(genotype, LanguageShape(10, 4, 4))
    untied = language_cost(genotype, LanguageShape(10, 4, 4, tied=False))
    assert untied.parameters - tied.parameters == 40
    assert untied.multiply_adds == tied.multiply_adds
