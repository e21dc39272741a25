"""How much faster pooling by axes is than torch's own, on one CPU thread.

    python -m benchmarks.pooling_on_a_cpu

Both run alternately in one process; printed is the ratio of their medians,
forward alone (what an operation costs that was not drawn) and with the
backward pass.
"""

import json
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from engine.operations.pooling import hasten

SHAPES = [(64, 8, 16, 16), (64, 16, 8, 8), (96, 16, 32, 32)]
ROUNDS = 30


def main() -> None:
    """Print one line of JSON for each pooling and shape."""
    torch.set_num_threads(1)
    pools = {
        "mean": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        "maximum": lambda: nn.MaxPool2d(3, 1, 1),
    }
    for name, build in pools.items():
        for shape in SHAPES:
            ours = hasten(nn.Sequential(build()))
            print(json.dumps({"pool": name, "shape": shape, **ratios(build(), ours, shape)}))


def ratios(theirs: nn.Module, ours: nn.Module, shape: tuple[int, ...]) -> dict[str, float]:
    """Seconds of torch's pooling over ours, forward alone and with backward."""
    inputs = torch.randn(shape, requires_grad=True)
    still = inputs.detach()
    return {
        "forward": _ratio(lambda: theirs(still), lambda: ours(still)),
        "forward_and_backward": _ratio(
            lambda: _backward(theirs, inputs), lambda: _backward(ours, inputs)
        ),
    }


def _backward(pool: nn.Module, inputs: Tensor) -> None:
    outputs = pool(inputs)
    torch.autograd.grad(outputs, inputs, torch.ones_like(outputs))


def _ratio(slow: Callable[[], object], fast: Callable[[], object]) -> float:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for run, kept in zip((slow, fast), times, strict=True):
            start = perf_counter()
            run()
            kept.append(perf_counter() - start)
    return round(median(times[0]) / median(times[1]), 2)


if __name__ == "__main__":
    main()
