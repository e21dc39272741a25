import pytest
import torch

from engine.conversion.of_search import child_of_search
from engine.data.sources import load_images
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
