"""Tiny trainings on digits, on a text that counts, and on scenes."""

import numpy as np
import pytest
import torch

from engine.data.scenes import SceneData, SceneSplit
from engine.data.sources import load_images
from engine.data.text import TextData
from engine.domain.config import make_config, make_training_config
from engine.domain.genotype import Gene, Genotype, to_json
from engine.evaluate.build import assemble_training
from engine.spaces import SPACES


def genotype_of(space, kept):
    """Node n keeps the n-th set of (source, operation), in every kind of cell."""
    nodes = tuple(frozenset(Gene(*pair) for pair in pairs) for pairs in kept)
    sized = SPACES[space].with_nodes(len(nodes))
    return Genotype(sized, dict.fromkeys(sized.cell_kinds, nodes))


CELLS = genotype_of(
    "darts",
    [[(0, "sep_conv_3x3"), (1, "skip_connect")], [(1, "max_pool_3x3"), (2, "dil_conv_3x3")]],
)
STAGES = genotype_of(
    "nb201",
    [[(0, "nor_conv_3x3")], [(1, "skip_connect")], [(0, "avg_pool_3x3"), (2, "skip_connect")]],
)
RECURRENT = genotype_of("rnn", [[(0, "tanh")], [(0, "relu"), (1, "identity")], []])

IMAGES = {
    "genotype": to_json(CELLS),
    "data": "digits",
    "cells": 3,
    "channels": 4,
    "epochs": 2,
    "batch_size": 32,
    "train_limit": 128,
    "snapshot_interval": 3,
    "learning_rate": 0.05,
}
TEXT = {
    "genotype": to_json(RECURRENT),
    "task": "language_modelling",
    "data": "counting",
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
}
SCENES = {
    **IMAGES,
    "task": "semantic_segmentation",
    "data": "squares",
    "batch_size": 8,
    "aspp_channels": 8,
    "train_limit": 0,
}


@pytest.fixture(scope="session")
def digits():
    settings = {"data": "digits", "train_limit": IMAGES["train_limit"]}
    return load_images(make_config(settings), cache=None, progress=None)


def counting():
    """Each token is the one before plus one, or now and then another."""

    def text(length, seed):
        random = np.random.default_rng(seed)
        jumps = np.where(random.random(length) < 0.1, random.integers(0, 10, length), 1)
        return (jumps.cumsum() % 10).astype(np.int32)

    texts = [text(n, seed) for seed, n in enumerate((400, 240, 240))]
    return TextData(*texts, vocabulary=tuple("abcdefghij"), source="counting", digest="0")


def squares():
    """A bright square on a dark image is class 1."""

    def split(count, seed):
        random = np.random.default_rng(seed)
        images = random.integers(0, 80, (count, 12, 12, 1)).astype(np.uint8)
        masks = np.zeros((count, 12, 12), np.uint8)
        for number, (top, left) in enumerate(random.integers(0, 7, (count, 2))):
            masks[number, top : top + 5, left : left + 5] = 1
        images[masks.astype(bool)] += 150
        return SceneSplit(images, masks)

    splits = [split(n, seed) for seed, n in enumerate((24, 8, 8))]
    return SceneData(*splits, class_names=("ground", "square"), source="squares")


@pytest.fixture
def make_training(digits):
    """Builds a tiny training of a task, with some settings changed."""

    def make(settings=IMAGES, report=lambda _: None, data=None, **changes):
        config = make_training_config({**settings, **changes})
        known = {
            "image_classification": lambda: digits,
            "language_modelling": counting,
            "semantic_segmentation": squares,
        }
        found = known[config.task]() if data is None else data
        return assemble_training(config, found, torch.device("cpu"), report=report)

    return make
