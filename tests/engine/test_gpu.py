"""The same searches on a GPU: what a CPU finds, within the accuracy of float32.

Skipped where torch sees no GPU; the rest of the suite needs none.
"""

import io
from itertools import islice

import pytest
import torch

from engine.data.sources import load_data
from engine.domain.config import make_config
from engine.search.build import assemble_search
from engine.search.checkpoint import load_checkpoint, save_checkpoint

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]

IMAGES = {
    "data": "digits",
    "cells": 3,
    "channels": 4,
    "nodes": 2,
    "draws": 3,
    "epochs": 2,
    "batch_size": 32,
    "train_limit": 128,
    "snapshot_interval": 1,
    "alpha_learning_rate": 0.05,
}
SEARCHES = {
    "images": IMAGES,
    "images, alternating": {**IMAGES, "update": "alternating"},
    "images, probed operations": {**IMAGES, "gradient": "probed", "probe": "operations"},
    "images, probed batch": {**IMAGES, "gradient": "probed", "probe": "batch"},
    "images, sampled": {**IMAGES, "gradient": "sampled"},
    "images, DARTS": {**IMAGES, "method": "darts", "scope": "edge"},
    "NAS-Bench-201": {**IMAGES, "space": "nb201", "scope": "edge", "draws": 1},
    "scenes": {
        **IMAGES,
        "task": "semantic_segmentation",
        "data": "digit_scenes",
        "class_weights": "balanced",
        "aspp_channels": 8,
        "output_stride": 4,
        "stem_stride": 2,
    },
    "texts": {
        "task": "language_modelling",
        "data": "python_topics",
        "space": "rnn",
        "draws": 3,
        "epochs": 1,
        "batch_size": 8,
        "bptt": 8,
        "train_limit": 1000,
        "vocabulary_limit": 200,
        "embedding_size": 16,
        "hidden_size": 16,
        "momentum": 0.0,
        "snapshot_interval": 1,
    },
}
CUDA = torch.device("cuda", 0)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _full_float32():
    """Products in float32, so that a CPU's are within reach."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def searched(settings, device):
    config = make_config(settings)
    return assemble_search(config, load_data(config), device)


def alpha_means(loop):
    """After one step, half of each alpha's gradient: Adam's running mean of it."""
    state = loop._optimisers.alphas.state
    return [state[alpha]["exp_avg"].cpu() for alpha in loop.supernet.alphas.values()]


@pytest.mark.parametrize("name", SEARCHES)
def test_the_first_step_is_that_of_a_cpu(name):
    """Codes, loss and gradients; Adam's first update divides a gradient by its own size."""
    here, there = (searched(SEARCHES[name], device) for device in (CUDA, CPU))
    on_gpu, on_cpu = next(iter(here)), next(iter(there))
    assert on_gpu.codes == on_cpu.codes
    for kind, rows in on_cpu.probabilities.items():
        torch.testing.assert_close(torch.tensor(on_gpu.probabilities[kind]), torch.tensor(rows))
    assert on_gpu.metrics["train_loss"] == pytest.approx(on_cpu.metrics["train_loss"], rel=1e-4)
    for found, expected in zip(alpha_means(here), alpha_means(there), strict=True):
        largest = expected.abs().max().item()
        assert largest > 0
        torch.testing.assert_close(found, expected, atol=1e-3 * largest, rtol=1e-2)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_on_a_gpu_ends_with_figures(name):
    *_, last = searched(SEARCHES[name], CUDA)
    assert last.derived is not None
    assert all(map(_is_finite, last.metrics.values()))


def test_a_checkpoint_of_a_gpu_continues_there_and_on_a_cpu():
    straight = searched(IMAGES, CUDA)
    list(islice(straight.steps(), 3))
    file = io.BytesIO()
    save_checkpoint(straight, file)
    expected = next(s for s in straight.steps() if s is not None)
    for device in (CUDA, CPU):
        file.seek(0)
        other = searched(IMAGES, device)
        load_checkpoint(other, file)
        continued = next(s for s in other.steps() if s is not None)
        assert continued.step == expected.step
        assert continued.codes == expected.codes


def _is_finite(value):
    return value == value and abs(value) != float("inf")
