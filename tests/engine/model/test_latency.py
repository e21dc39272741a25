from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from engine.model.latency import measure_latency


class Slow(nn.Module):
    """Takes a known time on a clock of its own, every third pass three times as long as others."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.passes = 0
        self.seconds = 0.0
        self.modes: set[bool] = set()
        self.gradients: set[bool] = set()

    def forward(self, inputs: Tensor) -> Tensor:
        self.passes += 1
        self.modes.add(self.training)
        self.gradients.add((inputs * self.weight).requires_grad)
        self.seconds += 0.006 if self.passes % 3 == 0 else 0.002
        return inputs


def test_median_and_quartiles_are_those_of_the_passes_after_the_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Slow().train()
    clock = SimpleNamespace(perf_counter=lambda: network.seconds)
    monkeypatch.setattr("engine.model.latency.time", clock)
    found = measure_latency(network, torch.zeros(4, 1), batch=4, warmup=3, repeats=15)
    assert network.passes == 18
    assert network.modes == network.gradients == {False}
    assert network.training
    assert (found.low_ms, found.median_ms, found.high_ms) == pytest.approx((2.0, 2.0, 6.0))
    assert (found.device, found.batch, found.threads) == ("cpu", 4, torch.get_num_threads())


def test_mode_of_the_network_is_put_back_when_a_pass_fails() -> None:
    network = nn.Linear(2, 2).train()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        measure_latency(network, torch.zeros(1, 3), batch=1)
    assert network.training


def test_too_few_passes_and_a_network_without_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="1 passes"):
        measure_latency(nn.Linear(2, 2), torch.zeros(1, 2), batch=1, repeats=1)
    with pytest.raises(ValueError, match="no device"):
        measure_latency(nn.Identity(), torch.zeros(1), batch=1)
