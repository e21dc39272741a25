"""Shapes are checked while testing, and nothing is left to chance."""

import random

import hypothesis
import numpy
import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook("engine.model", "beartype.beartype")
torch.set_num_threads(1)
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _seeds():
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--new-pictures", action="store_true", help="keep new pictures of the screens")
