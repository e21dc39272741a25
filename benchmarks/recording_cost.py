"""What recording costs: the digits search bare, and as a worker runs it.

Both run in this one process, in turn, on the same data and seed: the bare
loop is only iterated; the worker commits a snapshot every 10 steps to a real
SQLite database and writes a durable checkpoint at each epoch. Prints the
seconds of each round, the ratio of each pair, and their median.

    python benchmarks/recording_cost.py [--rounds 5] [--epochs 4]
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from app.settings import Settings
from app.wiring import open_artifacts, open_store
from engine.data.sources import load_images
from engine.domain.ports import Device
from engine.domain.presets import preset_config
from engine.runtime.worker import set_up_torch, work
from engine.search.build import assemble_search

CPU = Device("cpu", None, "CPU", 0)


def main() -> None:
    """Run the rounds and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    given = parser.parse_args()
    config = preset_config("digits", epochs=given.epochs)
    data = load_images(config, cache=None, progress=None)
    device = torch.device("cpu")
    set_up_torch(config, device)
    list(assemble_search(config, data, device))
    bare, recorded = [], []
    for number in range(given.rounds):
        pair = [(bare, bare_seconds), (recorded, recorded_seconds)]
        for seconds, measure in pair if number % 2 else pair[::-1]:
            seconds.append(measure(config, data, device))
    ratios = [with_ / without for with_, without in zip(recorded, bare, strict=True)]
    print(
        json.dumps(
            {
                "bare_seconds": bare,
                "recorded_seconds": recorded,
                "ratios": ratios,
                "median_ratio": statistics.median(ratios),
            },
            indent=2,
        )
    )


def bare_seconds(config, data, device) -> float:
    """Seconds to iterate the search and drop what it yields."""
    loop = assemble_search(config, data, device)
    started = time.perf_counter()
    for _ in loop.steps():
        pass
    return time.perf_counter() - started


def recorded_seconds(config, data, device) -> float:
    """Seconds of the same search in a worker, building it not counted."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment({"EGS_HOME": str(Path(home) / "home")})
        store, artifacts = open_store(settings), open_artifacts(settings)
        run = store.create(config, name="recording")
        claimed = store.claim(run.id, node="here", device=CPU)
        started = []

        def build(*_args, **_kwargs):
            loop = assemble_search(config, data, device)
            started.append(time.perf_counter())
            return loop

        code = work(store, artifacts, claimed.id, claimed.attempt, build=build)
        elapsed = time.perf_counter() - started[0]
        if code != 0:
            raise SystemExit(f"the worker ended with {code}: {store.run(run.id).error}")
        return elapsed


if __name__ == "__main__":
    main()
