"""Predicted against measured seconds per step, and how far alphas decide over one path length.

    python benchmarks/proposals.py times [--cifar10 cifar10.npz] [--rounds 3]
    python benchmarks/proposals.py pace [--cifar10 cifar10.npz] [--paths 15 30 60]

``times`` measures the speed of this machine as an engine does and a few steps of
searches of other sizes, in turn; it prints a table of predictions and
measurements. ``pace`` runs whole searches on sets of different sizes with the
same path length of the alphas, and prints the entropy at their end. Both use
one thread, and only the digits if there is no CIFAR-10.
"""

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from engine.catalog import gather_catalog
from engine.data.facts import facts_of
from engine.data.inspection import inspect_data
from engine.data.sources import load_data
from engine.domain.config import SearchConfig, make_config
from engine.domain.presets import preset_config
from engine.domain.proposal_limits import GUESSED_SPEEDS, SCHEDULE_MEANS
from engine.domain.search_time import duration, training_items
from engine.domain.snapshot import SnapshotKind
from engine.domain.workload import Speed, calibrated
from engine.runtime.rehearsal import rehearse
from engine.runtime.speed_job import measured_works
from engine.search.build import build_search

CPU = torch.device("cpu")
CATALOG = gather_catalog()
STEPS = 9


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", default="times", choices=["times", "pace"])
    parser.add_argument("--cifar10", metavar="FILE", help="CIFAR-10 as .npz")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--paths", nargs="*", type=float, default=[30.0])
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.table == "times":
        print_times(given.cifar10, given.rounds)
    else:
        print_pace(given.cifar10, given.paths)


# Times


def print_times(cifar10: str | None, rounds: int) -> None:
    """One row per size of search: predicted and measured seconds per step."""
    print("| search | predicted | measured | predicted / measured |")
    print("|---|---:|---:|---:|")
    ratios = []
    for name, config in sizes(cifar10):
        predicted, measured = _both(config, rounds)
        ratios.append(predicted / measured)
        print(f"| {name} | {predicted:.3f} s | {measured:.3f} s | {ratios[-1]:.2f} |", flush=True)
    within = sum(1 / 1.5 <= ratio <= 1.5 for ratio in ratios)
    print(f"\n{within} of {len(ratios)} within a factor of 1.5.")


def sizes(cifar10: str | None) -> Iterator[tuple[str, SearchConfig]]:
    """Searches of several sizes, tasks and ways of probing."""
    digits = preset_config("digits")
    topics, scenes = preset_config("topics"), preset_config("digit-scenes")
    yield "digits, exact", digits
    yield "digits, probed", _changed(digits, gradient="probed", probe="steps")
    yield "digits, 8 cells of 16 channels", _changed(digits, cells=8, channels=16)
    yield "topics, 96 units", topics
    yield "topics, 200 units", _changed(topics, embedding_size=200, hidden_size=200)
    yield "digits on a canvas", scenes
    if cifar10 is not None:
        images = _changed(preset_config("cifar10-cpu", data=cifar10), train_limit=2500)
        nb201 = _changed(preset_config("nb201-cpu", data=cifar10), train_limit=2500)
        yield "CIFAR-10, 4 cells of 8 channels", images
        yield "CIFAR-10, 6 cells of 12 channels", _changed(images, cells=6, channels=12)
        yield "CIFAR-10, M = 7, exact", _changed(images, draws=7, gradient="exact")
        yield "CIFAR-10, NAS-Bench-201", nb201


def _changed(config: SearchConfig, **settings: Any) -> SearchConfig:
    return make_config({**config.model_dump(), **settings})


def _both(config: SearchConfig, rounds: int) -> tuple[float, float]:
    """Predicted and measured seconds per step, in turn, so that other load slows both."""
    facts = facts_of(config, inspect_data(config))
    data = load_data(config, cache=None, progress=None)
    predictions, measurements = [], []
    for _ in range(rounds):
        speed = this_machine()
        predictions.append(duration(config, facts, CATALOG, speed).step_seconds)
        taken = rehearse(config, data, CPU, steps=STEPS)
        if taken is None:
            raise MemoryError("too little memory for these steps")
        measurements.append(taken.step_seconds)
    return statistics.median(predictions), statistics.median(measurements)


def this_machine() -> Speed:
    """The speed as an engine measures it."""
    return calibrated(GUESSED_SPEEDS["cpu"], measured_works(CPU))


# Pace


def print_pace(cifar10: str | None, paths: Sequence[float]) -> None:
    """One row per search: its steps, alpha's rate, and the entropy at its end."""
    print("| search | training images | steps | alpha's rate | path length | entropy |")
    print("|---|---:|---:|---:|---:|---:|")
    for path in paths:
        for name, config in searches(cifar10):
            print(f"| {name} | {_pace_row(config, path)} |", flush=True)


def _pace_row(config: SearchConfig, path: float) -> str:
    """Run a search whose alphas can move by a path length; figures of a row."""
    images = training_items(config, facts_of(config, inspect_data(config)))
    steps = config.epochs * (images // config.batch_size)
    rated = _changed(config, alpha_learning_rate=path / (SCHEDULE_MEANS["cosine"] * steps))
    loop = build_search(rated, CPU, report=_silent)
    ends = [s for s in loop.steps() if s is not None and s.kind is SnapshotKind.EPOCH]
    rate, entropy = rated.alpha_learning_rate, ends[-1].metrics["entropy"]
    return f"{images:,} | {loop.position.step:,} | {rate:.3f} | {path:g} | {entropy:.2f}"


def searches(cifar10: str | None) -> Iterator[tuple[str, SearchConfig]]:
    """Searches on sets of different sizes, with about as many steps."""
    common: Mapping[str, Any] = {
        "gradient": "probed",
        "probe": "steps",
        "alpha_learning_rate_schedule": "cosine",
        "snapshot_interval": 1000,
    }
    yield "digits", _changed(preset_config("digits"), epochs=38, **common)
    if cifar10 is not None:
        images = preset_config("cifar10-cpu", data=cifar10, validation_fraction=0.02)
        yield "CIFAR-10", _changed(images, train_limit=2500, epochs=20, **common)
        yield "CIFAR-10", _changed(images, train_limit=8000, epochs=6, **common)


def _silent(_: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    main()
