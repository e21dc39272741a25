"""The child that is taken home against the supernet that it comes from."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from engine.conversion import of_search
from engine.conversion.of_search import child_of_search
from engine.conversion.statistics import fix_statistics
from engine.domain.errors import DataError, InvalidGenotype
from engine.domain.genotype import from_masks
from engine.model.derived import DerivedNetwork, load_weights
from engine.search.evaluation import tensors_of
from engine.spaces import SPACES
from tests.engine.conversion.conftest import every_operation


def network_of(loop, genotype) -> DerivedNetwork:
    network = DerivedNetwork(
        genotype,
        in_channels=1,
        classes=10,
        channels=loop.config.channels,
        cells=loop.config.cells,
        stem_stride=loop.config.stem_stride,
    )
    load_weights(network, loop.supernet.state_dict())
    return network


def codes_of(loop):
    return tensors_of(every_operation(), len(loop.space.operations), torch.device("cpu"))


def test_with_the_statistics_of_one_batch_the_child_answers_to_it_as_the_supernet_does(
    loop, genotype
):
    images, _ = loop.task.weight_batch(0, 0)
    network = network_of(loop, genotype)
    fix_statistics(network, [images])
    wanted = loop.supernet(images, codes_of(loop))
    torch.testing.assert_close(network(images), wanted, atol=1e-4, rtol=0)


def test_the_exported_child_uses_the_statistics_of_all_batches(loop, genotype, child, monkeypatch):
    batches = [loop.task.weight_batch(0, i)[0] for i in range(loop.task.steps_per_epoch)]
    assert len(batches) == 2
    network = network_of(loop, genotype)
    fix_statistics(network, batches)
    assert torch.equal(network(child.example[0]), child.answer(child.example)[0])
    monkeypatch.setattr(of_search, "STATISTICS_BATCHES", 1)
    fewer = child_of_search(loop, genotype)
    assert "1 batches" in fewer.facts["statistics"]
    assert not torch.equal(fewer.answer(child.example)[0], child.answer(child.example)[0])


def test_statistics_are_those_of_all_values_together():
    """Equal batches at the first layer: the same as one large batch."""
    network = nn.Sequential(nn.BatchNorm2d(3, affine=False))
    images = 5 + 3 * torch.randn(4, 6, 3, 5, 5)
    assert fix_statistics(network, images) == 4
    merged = images.flatten(0, 1).transpose(0, 1).flatten(1)
    norm = network[0]
    torch.testing.assert_close(norm.running_mean, merged.mean(1))
    torch.testing.assert_close(norm.running_var, merged.var(1, correction=0))
    assert not network.training
    assert not norm.training


def test_an_answer_does_not_depend_on_what_stands_beside(child):
    together = child.answer(child.example)[0]
    alone = child.answer(tuple(value[:1] for value in child.example))[0]
    torch.testing.assert_close(alone, together[:1], atol=1e-5, rtol=0)


def test_cost_is_that_of_the_formula(loop, genotype, child):
    from engine.catalog import gather_catalog
    from engine.domain.cost import NetworkShape, network_cost

    shape = NetworkShape(4, 3, 1, 10, 8, 8)
    assert child.cost() == network_cost(genotype, gather_catalog(), shape)


def test_facts_say_task_data_figures_and_preparation(loop, child):
    facts = child.facts
    assert (facts["task"], facts["data"]) == ("image_classification", "digits")
    assert facts["data_digest"] == loop.data_summary.digest
    assert facts["figures"].keys() == {"validation_accuracy", "validation_loss"}
    assert facts["labels"] == list("0123456789")
    pixels = loop.task.batches.images.double()
    assert facts["preprocessing"]["mean"] == pytest.approx([pixels.mean().item()], rel=1e-5)
    deviation = pixels.std(correction=0).item()
    assert facts["preprocessing"]["std"] == pytest.approx([deviation], rel=1e-5)


def test_figures_are_counted_on_the_validation_images(loop, child):
    right = total = 0
    for images, labels in loop.task.validation_batches():
        right += (child.answer((images,))[0].argmax(1) == labels).sum().item()
        total += len(labels)
    assert child.facts["figures"]["validation_accuracy"] == pytest.approx(100 * right / total)


def test_a_genotype_with_other_nodes_is_refused(loop):
    other = SPACES["darts"].with_nodes(3)
    genotype = from_masks(other, dict.fromkeys(other.cell_kinds, (0,) * 9))
    with pytest.raises(InvalidGenotype, match="found a search of cells with 2 nodes"):
        child_of_search(loop, genotype)


def test_data_that_changed_since_the_search_are_refused(loop, genotype):
    old = replace(genotype, lineage={"data_digest": "f" * 64})
    with pytest.raises(DataError, match="changed since the run"):
        child_of_search(loop, old)
