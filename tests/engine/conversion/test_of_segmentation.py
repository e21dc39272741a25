"""A segmentation network to take home answers as the one that was searched."""

import pytest
import torch

from engine.conversion.conversion import TOLERANCE
from engine.conversion.of_search import child_of_search
from engine.conversion.onnx_graph import compare_onnx, convert_onnx
from engine.data.sources import load_data
from engine.domain.config import make_config
from engine.domain.genotype import from_masks
from engine.search.build import assemble_search

TINY = {
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


@pytest.fixture(scope="module")
def child():
    config = make_config(TINY)
    loop = assemble_search(config, load_data(config), torch.device("cpu"))
    code = {"normal": (0b00101010, 0b1000), "reduction": (0b10001010, 0b1110)}
    return child_of_search(loop, from_masks(loop.space, code))


def test_its_figures_are_of_pixels(child):
    assert child.facts["figures"].keys() == {"validation_mean_iou", "validation_loss"}
    assert child.facts["labels"] == ["background", *"0123456789"]
    (scores,) = child.answer(child.example)
    assert scores.shape == (8, 11, 32, 32)


def test_its_plain_file_builds_it(child):
    namespace: dict = {"__name__": "network"}
    exec(compile(child.source, "network.py", "exec"), namespace)
    network = eval(child.build, namespace)
    network.load_state_dict(child.network.state_dict())
    with torch.no_grad():
        again = network.eval()(*child.example)
    torch.testing.assert_close(again, child.answer(child.example)[0])


def test_its_onnx_graph_answers_alike(child):
    assert compare_onnx(child, convert_onnx(child).content) < TOLERANCE
