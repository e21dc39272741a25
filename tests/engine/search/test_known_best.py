"""Searches whose best operation is known beforehand; EGS has to find it."""

import math

import numpy as np
import pytest
import torch

from engine.data.images import ImageData, Split
from engine.domain.config import make_config
from engine.domain.derivation import DerivationRule, derive
from engine.domain.snapshot import operations_in
from engine.domain.space import SearchSpace
from engine.model.sampler import CodeSampler
from engine.search.build import assemble_search
from engine.search.observe import observe_rows
from engine.spaces import SPACES
from engine.tasks.randomness import generator

WAVES = tuple(
    lambda x, wave=wave, frequency=frequency: math.sqrt(2) * wave(frequency * math.pi * x)
    for frequency in (1, 2)
    for wave in (torch.sin, torch.cos)
)
FUNCTIONS = (torch.zeros_like, *WAVES)
"""Orthonormal on [-1, 1], so that one function cannot stand in for another."""

FUNCTION_SPACE = SearchSpace(
    "waves", "Waves", ("cell",), 1, 1, ("none", "sin 1", "cos 1", "sin 2", "cos 2")
)


@pytest.mark.parametrize("route", ["even", "first", "or"])
@pytest.mark.parametrize("wanted", [{1}, {4}, {1, 2}, {2, 3}])
def test_the_sum_of_functions_that_made_the_targets_is_found(route, wanted):
    """Targets are a plain sum of known functions; there are no weights to help out."""
    sampler = CodeSampler(
        FUNCTION_SPACE, draws=4, scope="edge", route=route, normalisation="softmax"
    )
    alpha = torch.zeros(1, len(FUNCTIONS), requires_grad=True)
    optimiser = torch.optim.Adam([alpha], lr=0.1, betas=(0.5, 0.999))
    for step in range(300):
        random = generator(0, "toy", step)
        x = torch.rand(256, generator=random) * 2 - 1
        values = torch.stack([function(x) for function in FUNCTIONS])
        target = values[sorted(wanted)].sum(0)
        code = sampler.draw(alpha, 1.0, random)
        loss = (code[0] @ values - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        rows = observe_rows({"cell": sampler.probabilities(alpha)})
    masks = derive(FUNCTION_SPACE, rows, DerivationRule("map", 4, "edge"))
    assert set(operations_in(masks["cell"][0])) == wanted


DISTANCE = 4


def _pairs(count: int, random: np.random.Generator) -> Split:
    """Noise of black and white; class 1 repeats each pixel four columns further on.

    A pixel and its partner are too far apart for the stem's 3x3 window and for
    pooling; only a wide convolution can compare them.
    """
    bits = random.integers(0, 2, (count, 12, 12))
    labels = random.integers(0, 2, count)
    repeated = bits.copy()
    for column in range(DISTANCE, 12):
        repeated[:, :, column] = repeated[:, :, column - DISTANCE]
    chosen = np.where(labels[:, None, None] == 1, repeated, bits)
    return Split((chosen * 255).astype(np.uint8)[..., None], labels.astype(np.int64))


WIDE_SPACE = SearchSpace(
    "wide",
    "Wide",
    ("normal", "reduction"),
    2,
    1,
    ("none", "avg_pool_3x3", "skip_connect", "dil_conv_5x5"),
)


@pytest.fixture(scope="module")
def pairs():
    """Training, validation and test images whose classes differ at a distance only."""
    random = np.random.default_rng(0)
    splits = [_pairs(count, random) for count in (1024, 256, 64)]
    return ImageData(*splits, class_names=("noise", "repeated"))


@pytest.mark.parametrize(("scope", "seed"), [("node", 0), ("edge", 1)])
def test_a_supernet_finds_the_only_operation_wide_enough_for_the_task(
    monkeypatch, pairs, scope, seed
):
    """Only the wide convolution sees a pixel and its partner at once."""
    monkeypatch.setitem(SPACES, "wide", WIDE_SPACE)
    config = make_config(
        {
            "space": "wide",
            "nodes": 1,
            "cells": 3,
            "channels": 6,
            "draws": 1,
            "scope": scope,
            "epochs": 12,
            "batch_size": 32,
            "seed": seed,
            "alpha_learning_rate": 0.05,
            "learning_rate": 0.05,
        }
    )
    last = list(assemble_search(config, pairs, torch.device("cpu")))[-1]
    assert last.metrics["child_accuracy"] > 90
    assert abs(last.metrics["gap"]) <= 2
    kept = {
        WIDE_SPACE.operations[operation]
        for masks in last.derived.values()
        for mask in masks
        for operation in operations_in(mask)
    }
    assert "dil_conv_5x5" in kept
