"""Shapes are checked while testing, and nothing is left to chance."""

import random

import hypothesis
import numpy
import pytest
import torch
from jaxtyping import install_import_hook

LONG = ("e2e", "processes")
"""Folders of the files that take longest."""

install_import_hook("engine.model", "beartype.beartype")
torch.set_num_threads(1)
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _seeds():
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for browsers and processes first: no worker ends alone with a long one."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--new-pictures", action="store_true", help="keep new pictures of the screens")
