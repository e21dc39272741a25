"""A whole search for a recurrent cell, on a text that a cell can learn."""

import io
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from engine.data.text import TextData
from engine.domain.config import make_config
from engine.domain.genotype import from_masks
from engine.domain.snapshot import SnapshotKind
from engine.model.recurrent_derived import DerivedRecurrentNetwork, load_recurrent_weights
from engine.search.build import assemble_search
from engine.search.checkpoint import load_checkpoint, save_checkpoint

VOCABULARY = tuple("abcdefghij")


def counting(length: int, seed: int) -> np.ndarray:
    """Each token is the one before plus one, or now and then another."""
    random = np.random.default_rng(seed)
    jumps = np.where(random.random(length) < 0.1, random.integers(0, 10, length), 1)
    return (jumps.cumsum() % 10).astype(np.int32)


def make_loop(**changes):
    settings = {
        "task": "language_modelling",
        "data": "counting",
        "space": "rnn",
        "nodes": 3,
        "draws": 2,
        "epochs": 2,
        "batch_size": 4,
        "bptt": 6,
        "embedding_size": 8,
        "hidden_size": 8,
        "learning_rate": 5.0,
        "momentum": 0.0,
        "gradient_clip": 0.5,
        "dropout": 0.1,
        "dropout_hidden": 0.1,
        "dropout_input": 0.1,
        "dropout_embedding": 0.1,
        "snapshot_interval": 3,
        "alpha_learning_rate": 0.05,
    }
    texts = [counting(n, seed) for seed, n in enumerate((400, 120, 60))]
    data = TextData(*texts, vocabulary=VOCABULARY, source="counting", digest="0")
    return assemble_search(make_config(settings | changes), data, torch.device("cpu"))


def without_clock(snapshot):
    metrics = {k: v for k, v in snapshot.metrics.items() if k != "step_seconds"}
    return replace(snapshot, metrics=metrics, seconds=0.0)


@pytest.mark.parametrize("update", ["joint", "alternating"])
def test_a_search_carried_from_checkpoint_to_checkpoint_is_the_uninterrupted_one(update):
    """Broken off within an epoch, with a state to carry, while measuring, and between epochs."""
    straight = make_loop(update=update)
    expected = [without_clock(s) for s in straight]

    second, seen = make_loop(update=update), []
    for elements in (2, straight.task.steps_per_epoch, 2, 5, 3):
        seen += [s for s in islice(second.steps(), elements) if s is not None]
        file = io.BytesIO()
        save_checkpoint(second, file)
        file.seek(0)
        second = make_loop(update=update)
        load_checkpoint(second, file)
    seen += list(second)

    assert [without_clock(s) for s in seen] == expected
    for name, tensor in straight.supernet.state_dict().items():
        assert torch.equal(tensor, second.supernet.state_dict()[name]), name


@pytest.mark.parametrize("gradient", ["exact", "probed"])
def test_a_search_learns_and_its_child_is_the_derived_network(gradient):
    loop = make_loop(epochs=6, gradient=gradient, learning_rate=10.0)
    last = [s for s in loop if s.kind is SnapshotKind.EPOCH][-1]
    metrics = last.metrics
    assert metrics["supernet_perplexity"] < 5
    assert metrics["child_perplexity"] < 5
    assert metrics["gap"] == pytest.approx(
        metrics["child_perplexity"] - metrics["supernet_perplexity"]
    )
    child = DerivedRecurrentNetwork(
        from_masks(loop.space, last.derived), vocabulary=10, embedding=8, hidden=8
    )
    load_recurrent_weights(child, loop.supernet.state_dict())
    total = None
    for inputs, targets in loop.task.validation_batches():
        outputs = child(inputs).detach()
        loop.task.carry("validation", outputs)
        tally = loop.task.tally(outputs, targets)
        total = tally if total is None else total + tally
    assert total.score == pytest.approx(metrics["child_perplexity"], rel=1e-4)


def test_the_mixture_of_darts_searches_and_its_child_has_one_operation_a_node():
    loop = make_loop(method="darts", scope="edge", update="alternating")
    last = list(loop)[-1]
    genotype = from_masks(loop.space, last.derived)
    assert all(len(genes) == 1 for genes in genotype.cells["recurrent"])
    assert np.isfinite(last.metrics["child_perplexity"])
