"""How long a network takes for one batch, measured on the device at hand."""

import time
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass, in milliseconds.

    Attributes:
        median_ms: Half of the passes took less.
        low_ms: A quarter of the passes took less.
        high_ms: A quarter of the passes took more.
        device: Kind of the device: ``cpu`` or ``cuda``.
        batch: Inputs in one pass.
        threads: Threads of torch, which matter on a CPU.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    device: str
    batch: int
    threads: int


def measure_latency(
    network: nn.Module, example: Any, *, batch: int, warmup: int = 10, repeats: int = 50
) -> Latency:
    """Time forward passes of a network in evaluation mode, without gradients.

    The median and the quartiles are told, since other programs only ever make
    a pass longer. On a GPU each pass ends when its last kernel has.

    Args:
        network: On the device to measure; its mode is put back afterwards.
        example: Inputs of one pass, on the same device.
        batch: How many inputs the example holds.
        warmup: Passes that do not count: caches fill, kernels are chosen.
        repeats: Passes that count, at least 2.

    Raises:
        ValueError: There are too few passes, or the network has no parameter.
    """
    if repeats < 2 or warmup < 0:
        raise ValueError(f"{repeats} passes after {warmup} give no median")
    parameter = next(network.parameters(), None)
    if parameter is None:
        raise ValueError("a network without parameters is on no device")
    device = parameter.device
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for _ in range(warmup):
                network(example)
            times = [_time_once(network, example, device) for _ in range(repeats)]
    finally:
        network.train(training)
    low, median, high = (1000.0 * seconds for seconds in quantiles(times, n=4, method="inclusive"))
    return Latency(median, low, high, device.type, batch, torch.get_num_threads())


def _time_once(network: nn.Module, example: Any, device: torch.device) -> float:
    """Seconds of one pass."""
    _wait_for(device)
    started = time.perf_counter()
    network(example)
    _wait_for(device)
    return time.perf_counter() - started


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
