import pytest
import torch

from engine.data.sources import load_images
from engine.domain.config import make_config
from engine.search.build import assemble_search

TINY = {
    "data": "digits",
    "cells": 3,
    "channels": 4,
    "nodes": 2,
    "draws": 3,
    "epochs": 2,
    "batch_size": 32,
    "train_limit": 128,
    "snapshot_interval": 3,
    "alpha_learning_rate": 0.05,
}


@pytest.fixture(scope="session")
def digits():
    """The digits as the tiny search sees them; loaded once."""
    return load_images(make_config(TINY), cache=None, progress=None)


@pytest.fixture
def make_loop(digits):
    """Builds a tiny search on digits, with some settings changed."""

    def make(**changes):
        return assemble_search(make_config({**TINY, **changes}), digits, torch.device("cpu"))

    return make
