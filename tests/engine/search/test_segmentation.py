"""A search directly on scenes: a class for each pixel."""

import numpy as np
import pytest
import torch

from engine.data.scenes import SceneData, SceneSplit
from engine.domain.config import make_config
from engine.search.build import assemble_search

TINY = {
    "task": "semantic_segmentation",
    "data": "digit_scenes",
    "cells": 3,
    "channels": 4,
    "nodes": 1,
    "draws": 2,
    "epochs": 2,
    "batch_size": 8,
    "aspp_channels": 8,
    "stem_stride": 2,
    "output_stride": 4,
    "alpha_learning_rate": 0.1,
    "learning_rate": 0.2,
    "snapshot_interval": 100,
}


def bright_squares(count: int, seed: int) -> SceneSplit:
    """Class 1 is a bright square on a dark ground, with a frame that is ignored."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 60, (count, 16, 16, 1), dtype=np.uint8)
    masks = np.zeros((count, 16, 16), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        top, left = random.integers(1, 8, 2)
        image[top : top + 7, left : left + 7] += 150
        mask[top : top + 7, left : left + 7] = 1
    masks[:, 0] = 255
    return SceneSplit(images, masks)


@pytest.fixture(scope="module")
def data() -> SceneData:
    splits = (bright_squares(count, seed) for seed, count in enumerate((64, 16, 8)))
    return SceneData(*splits, class_names=("ground", "square"))


@pytest.fixture
def make_loop(data):
    def make(**changes):
        return assemble_search(make_config({**TINY, **changes}), data, torch.device("cpu"))

    return make


def test_the_child_learns_to_find_the_squares(make_loop):
    """All ground has a mean IoU below 45."""
    last = list(make_loop(epochs=8, stem_stride=1))[-1]
    assert last.metrics["child_mean_iou"] > 80
    assert last.metrics["supernet_mean_iou"] > 60
    gap = last.metrics["supernet_mean_iou"] - last.metrics["child_mean_iou"]
    assert last.metrics["gap"] == pytest.approx(gap)


def test_a_continued_search_is_the_uninterrupted_one(make_loop):
    whole, first = make_loop(crop_padding=2, flip=True), make_loop(crop_padding=2, flip=True)
    steps, halves = whole.steps(), first.steps()
    for _ in range(5):
        next(steps), next(halves)
    second = make_loop(crop_padding=2, flip=True)
    second.load_state_dict(first.state_dict())
    again = second.steps()
    for _ in range(6):
        next(steps), next(again)
    for name, value in whole.supernet.state_dict().items():
        assert torch.equal(value, second.supernet.state_dict()[name]), name


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "darts", "scope": "edge", "update": "alternating"},
        {"space": "nb201", "nodes": 0, "class_weights": "balanced"},
        {"method": "random", "candidates": 2},
    ],
)
def test_every_method_and_space_searches_on_scenes(make_loop, changes):
    loop = make_loop(**changes)
    figures = [s.metrics for s in loop if "child_mean_iou" in s.metrics]
    assert len(figures) == 2
    assert all(0 <= f["child_mean_iou"] <= 100 for f in figures)
