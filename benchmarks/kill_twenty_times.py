"""One digits search, its worker killed twenty times, against an undisturbed one.

    python benchmarks/kill_twenty_times.py [--kills 20] [--epochs 20] [--seed 0]

Runs the search once without disturbance, then once with ``kill -9`` at
moments drawn by the seed, and compares the final network, alphas included,
and every recorded figure that is not a time, bit for bit. Prints one line of
JSON; ends non-zero when anything differs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from app.settings import Settings
from app.wiring import open_artifacts, open_store
from engine.domain.config import SearchConfig
from engine.domain.ports import RunStore
from engine.domain.presets import preset_config
from engine.domain.run import RunState
from engine.runtime.identity import ProcessIdentity

DEADLINE_SECONDS = 3600.0


def main() -> int:
    options = parse_options()
    config = preset_config("digits", epochs=options.epochs, cpu_threads=1, device="cpu")
    with TemporaryDirectory() as calm, TemporaryDirectory() as wild:
        started = time.monotonic()
        expected = search(Path(calm), config, kills=0, seed=options.seed)
        calm_seconds = time.monotonic() - started
        found = search(Path(wild), config, kills=options.kills, seed=options.seed)
    verdict = {
        "kills": found["kills"],
        "attempts": found["attempts"],
        "final_state": found["state"],
        "tensors": len(expected["network"]),
        "values": sum(len(steps) for steps, _ in expected["figures"].values()),
        "networks_identical": same_tensors(found["network"], expected["network"]),
        "figures_identical": found["figures"] == expected["figures"],
        "child_accuracy": expected["figures"]["child_accuracy"][1][-1],
        "undisturbed_seconds": round(calm_seconds, 1),
        "killed_seconds": round(time.monotonic() - started - calm_seconds, 1),
    }
    print(json.dumps(verdict))
    complete = verdict["kills"] == options.kills and verdict["final_state"] == "completed"
    same = verdict["networks_identical"] and verdict["figures_identical"]
    return 0 if complete and same else 1


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def search(home: Path, config: SearchConfig, *, kills: int, seed: int) -> dict[str, Any]:
    """One search by a real engine; its result and how often it was killed."""
    environment = {**os.environ, "EGS_HOME": str(home)}
    settings = Settings.from_environment(environment)
    store = open_store(settings)
    run = store.create(config, name="digits")
    with (home / "engine.log").open("w") as log:
        command = [sys.executable, "-m", "app.cli", "engine", "--until-idle"]
        engine = subprocess.Popen(command, env=environment, stderr=log)
    done = kill_at_random(store, run.id, kills, random.Random(seed))
    if engine.wait(DEADLINE_SECONDS) != 0:
        raise SystemExit((home / "engine.log").read_text())
    ended = store.run(run.id)
    key = store.checkpoints(run.id)[-1].key
    with open_artifacts(settings).read(key) as file:
        network = torch.load(file, weights_only=True)["model"]
    figures = {
        line.name: (list(line.steps), list(line.values))
        for line in store.series(run.id)
        if line.name != "step_seconds"
    }
    return {
        "kills": done,
        "attempts": ended.attempt,
        "state": ended.state.value,
        "network": network,
        "figures": figures,
    }


def kill_at_random(store: RunStore, run_id: int, kills: int, moments: random.Random) -> int:
    """Kill the worker of each attempt at a random moment after a new checkpoint.

    An attempt is killed in one of three phases, chosen by the seed: while it
    starts, right at its first steps, or up to one and a half epochs later. The
    engine gives up after five crashes without a new checkpoint, so that at
    most three attempts in a row die before they made one.
    """
    done = barren = 0
    deadline = time.monotonic() + DEADLINE_SECONDS
    while done < kills and time.monotonic() < deadline:
        attempt = done + 1
        if not wait_for(store, run_id, attempt, deadline):
            break
        before = store.checkpoints(run_id)
        early = barren < 3 and moments.random() < 0.5
        if early:
            time.sleep(moments.uniform(0.0, 6.0))
        else:
            wait_for_checkpoint(store, run_id, attempt, len(before) and before[-1].step, deadline)
            time.sleep(moments.uniform(0.0, 1.0))
        barren = barren + 1 if before == store.checkpoints(run_id) else 0
        done += kill(store, run_id, attempt)
        if store.run(run_id).is_ended:
            break
    return done


def wait_for(store: RunStore, run_id: int, attempt: int, deadline: float) -> bool:
    """Until the attempt has a process; False when the run ended before."""
    while time.monotonic() < deadline:
        run = store.run(run_id)
        if run.is_ended:
            return False
        if run.attempt == attempt and run.handle is not None:
            return True
        time.sleep(0.02)
    return False


def wait_for_checkpoint(
    store: RunStore, run_id: int, attempt: int, step: int, deadline: float
) -> None:
    """Until the attempt made a checkpoint past ``step``, or ended."""
    while time.monotonic() < deadline:
        run = store.run(run_id)
        saved = store.checkpoints(run_id)
        if run.attempt != attempt or run.state is not RunState.RUNNING:
            return
        if saved and saved[-1].step > step:
            return
        time.sleep(0.02)


def kill(store: RunStore, run_id: int, attempt: int) -> int:
    """``kill -9`` the attempt's process; 1 if it was there."""
    run = store.run(run_id)
    if run.attempt != attempt or run.handle is None:
        return 0
    process = ProcessIdentity.from_json(run.handle).process()
    if process is None:
        return 0
    process.send_signal(signal.SIGKILL)
    return 1


def same_tensors(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    """Whether two networks are equal bit for bit."""
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], tensor) for name, tensor in expected.items()
    )


if __name__ == "__main__":
    sys.exit(main())
