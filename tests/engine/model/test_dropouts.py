import pytest
import torch

from engine.model.dropouts import dropout_mask, masked


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_mask_drops_its_share_and_keeps_the_mean(rate):
    mask = dropout_mask((400, 500), rate, torch.Generator().manual_seed(0), torch.zeros(1))
    assert (mask == 0).double().mean().item() == pytest.approx(rate, abs=3e-3)
    assert mask.mean().item() == pytest.approx(1.0, abs=0.02)
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])


def test_nothing_is_dropped_without_a_rate_or_a_generator():
    values = torch.ones(2, 3)
    assert dropout_mask((2, 3), 0.0, torch.Generator(), values) is None
    assert dropout_mask((2, 3), 0.5, None, values) is None
    assert masked(values, None) is values
