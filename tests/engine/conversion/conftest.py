from io import BytesIO
from itertools import islice
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from engine.conversion.conversion import Converted
from engine.conversion.of_search import child_of_search
from engine.conversion.table import CONVERSIONS
from engine.data.sources import load_data, load_images
from engine.data.text import TextData
from engine.domain.config import make_config
from engine.domain.genotype import from_masks
from engine.search.build import assemble_search
from engine.spaces import SPACES

SPACE = SPACES["darts"].with_nodes(2)
TINY = {
    "data": "digits",
    "cells": 3,
    "channels": 4,
    "nodes": 2,
    "batch_size": 32,
    "train_limit": 64,
    "crop_padding": 1,
}
LINEAGE = {"run": "uid", "name": 'a "run" | with <marks>', "step": 0, "seed": 0}


def every_operation():
    """Each operation somewhere, all of them twice on the first edge; the last node is empty."""
    columns = range(1, len(SPACE.operations))
    masks = [sum(1 << k for k in columns), 1 << 3, 0, 0, 0]
    return {"normal": tuple(masks), "reduction": (0, *masks[:1], 0, 0, 0)}


@pytest.fixture(scope="session")
def digits():
    return load_images(make_config(TINY), cache=None, progress=None)


@pytest.fixture(scope="session")
def loop(digits):
    return assemble_search(make_config(TINY), digits, torch.device("cpu"))


@pytest.fixture(scope="session")
def genotype(loop):
    lineage = {**LINEAGE, "data_digest": loop.data_summary.digest}
    return from_masks(loop.space, every_operation(), loop.config.rule, lineage)


@pytest.fixture(scope="session")
def child(loop, genotype):
    return child_of_search(loop, genotype, origin={"run": 1})


SCENES = {
    "task": "semantic_segmentation",
    "data": "digit_scenes",
    "cells": 3,
    "channels": 4,
    "nodes": 1,
    "batch_size": 8,
    "train_limit": 16,
    "aspp_channels": 4,
    "stem_stride": 2,
    "output_stride": 4,
}
TEXT = {
    "task": "language_modelling",
    "data": "counting",
    "space": "rnn",
    "nodes": 3,
    "batch_size": 4,
    "bptt": 6,
    "embedding_size": 8,
    "hidden_size": 7,
}
WORDS = (*"abcdefgh", "<eos>", "<unk>")


def counting(length: int, seed: int) -> np.ndarray:
    """Each token is the one before plus one, or now and then another."""
    random = np.random.default_rng(seed)
    jumps = np.where(random.random(length) < 0.1, random.integers(0, 10, length), 1)
    return (jumps.cumsum() % 10).astype(np.int32)


@pytest.fixture(scope="session")
def texts():
    parts = (counting(length, seed) for seed, length in enumerate((400, 120, 60)))
    return TextData(*parts, vocabulary=WORDS, source="counting", digest="0" * 64)


@pytest.fixture(scope="session")
def text_loop(texts):
    """A search some steps on, so that its states are not those of the start."""
    loop = assemble_search(make_config(TEXT | {"learning_rate": 5.0}), texts, torch.device("cpu"))
    for _ in islice(loop.steps(), 6):
        pass
    return loop


@pytest.fixture(scope="session")
def text_genotype(text_loop):
    """The second node keeps nothing, the third one several activations of two states."""
    return from_masks(text_loop.space, {"recurrent": (0b11110, 0, 0, 0b10110, 0, 0b11000)})


@pytest.fixture(scope="session")
def text_child(text_loop, text_genotype):
    return child_of_search(text_loop, text_genotype)


@pytest.fixture(scope="session")
def scenes():
    return load_data(make_config(SCENES))


@pytest.fixture(scope="session")
def scenes_child(scenes):
    loop = assemble_search(make_config(SCENES), scenes, torch.device("cpu"))
    code = {"normal": (0b00101010, 0b1000), "reduction": (0b10001010, 0b1110)}
    return child_of_search(loop, from_masks(loop.space, code))


@pytest.fixture(scope="session")
def children(child, scenes_child, text_child):
    """A child of each task, by its name."""
    return {each.facts["task"]: each for each in (child, scenes_child, text_child)}


@pytest.fixture(scope="session")
def made_bundles(children):
    """The bundle of each task's child and what was found, made once."""
    return {task: CONVERSIONS["bundle"].convert(each) for task, each in children.items()}


@pytest.fixture(scope="session")
def bundles(made_bundles):
    """The bundle of each task's child."""
    return {task: made.content for task, made in made_bundles.items()}


@pytest.fixture(scope="session")
def files(made_bundles):
    """The ONNX graph of each task's child, as it lies in the bundle, and what was found."""
    return {
        task: Converted(ZipFile(BytesIO(made.content)).read("model.onnx"), made.facts)
        for task, made in made_bundles.items()
    }
