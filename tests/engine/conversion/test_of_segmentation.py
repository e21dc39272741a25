"""A segmentation network to take home answers as the one that was searched."""

import pytest
import torch


@pytest.fixture
def child(scenes_child):
    return scenes_child


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
