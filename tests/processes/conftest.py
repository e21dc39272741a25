"""A studio in a folder of its own, with real engines that are cleaned up."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from app.settings import Settings
from app.wiring import open_artifacts, open_store
from engine.domain.config import make_config
from engine.domain.run import Run, RunState
from engine.runtime.identity import ProcessIdentity

PATIENCE_SECONDS = 120.0
DIGITS = {
    "data": "digits",
    "epochs": 5,
    "cells": 2,
    "channels": 4,
    "nodes": 2,
    "draws": 2,
    "train_limit": 256,
    "batch_size": 16,
    "snapshot_interval": 2,
    "alpha_learning_rate": 0.05,
    "cpu_threads": 1,
}
ROOT = Path(__file__).parents[2]


class Studio:
    """One database and artifact folder, and the engines that serve them."""

    def __init__(self, home: Path) -> None:
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("EGS_")},
            "EGS_HOME": str(home),
            "EGS_EXAMPLE": "0",
            "OMP_NUM_THREADS": "1",
        }
        settings = Settings.from_environment(self.environment)
        self.store = open_store(settings)
        self.artifacts = open_artifacts(settings)
        self.home = home
        self.engine_log = home / "engine.log"
        self._engines: list[subprocess.Popen[bytes]] = []
        self._workers: set[ProcessIdentity] = set()

    def create(self, **changes: Any) -> Run:
        return self.store.create(make_config({**DIGITS, **changes}), name="digits")

    def engine(
        self, *options: str, rules: str = "", program: str = "tests.processes.start"
    ) -> subprocess.Popen[bytes]:
        with self.engine_log.open("a") as log:
            engine = subprocess.Popen(
                [sys.executable, "-m", program, "engine", *options],
                cwd=ROOT,
                env={**self.environment, "TEST_RULES": rules},
                stderr=log,
            )
        self._engines.append(engine)
        return engine

    def until(self, run: Run, holds: Callable[[Run], object]) -> Run:
        """The run as soon as it is as wanted; fails when it ends otherwise."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds(now := self.store.run(run.id)):
            assert time.monotonic() < deadline, f"waited too long: {now}"
            assert not now.is_ended, f"it ended: {now}"
            time.sleep(0.02)
        return now

    def until_state(self, run: Run, state: RunState) -> Run:
        return self.until(run, lambda now: now.state is state)

    def until_step(self, run: Run, step: int) -> Run:
        """As soon as the run has done that many steps and its process is known."""
        return self.until(run, lambda now: now.handle is not None and now.progress.step >= step)

    def worker(self, run: Run) -> psutil.Process:
        """The living process of a run."""
        handle = self.until(run, lambda now: now.handle is not None).handle
        assert handle is not None
        identity = ProcessIdentity.from_json(handle)
        self._workers.add(identity)
        process = identity.process()
        assert process is not None
        return process

    def suspend(self, process: psutil.Process) -> None:
        """Freeze a process at a moment at which it does not hold the database."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        process.suspend()
        while not self._is_writable():
            assert time.monotonic() < deadline
            process.resume()
            time.sleep(0.02)
            process.suspend()

    def _is_writable(self) -> bool:
        with closing(sqlite3.connect(self.home / "studio.db", timeout=0.0)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            database.rollback()
            return True

    def state_of(self, run: Run) -> dict[str, Any]:
        """What is in the newest checkpoint."""
        with self.artifacts.read(self.store.checkpoints(run.id)[-1].key) as file:
            return torch.load(file, weights_only=True)

    def result(self, run: Run) -> dict[str, Any]:
        """Final network, alphas included, and every figure that is not a time."""
        figures = {
            line.name: (list(line.steps), list(line.values))
            for line in self.store.series(run.id)
            if line.name != "step_seconds"
        }
        return {"network": self.state_of(run)["model"], "figures": figures}

    def close(self) -> None:
        for engine in self._engines:
            engine.kill()
            engine.wait()
        handles = [run.handle for run in self.store.runs({RunState.RUNNING})]
        workers = {ProcessIdentity.from_json(handle) for handle in handles if handle}
        for identity in workers | self._workers:
            process = identity.process()
            if process is not None:
                process.kill()
        self.store.close()


def until_gone(process: psutil.Process) -> None:
    """Return when a process has ended; a zombie has."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{process} lives on"
        time.sleep(0.02)


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Two searches gave the same numbers, bit for bit."""
    assert found["figures"] == expected["figures"]
    assert found["network"].keys() == expected["network"].keys()
    for name, value in expected["network"].items():
        assert torch.equal(found["network"][name], value), name


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path)
    yield studio
    studio.close()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The result of the search of ``DIGITS`` by ``egs engine`` that nobody disturbed."""
    studio = Studio(tmp_path_factory.mktemp("undisturbed"))
    run = studio.create()
    assert studio.engine("--until-idle", program="app.cli").wait(PATIENCE_SECONDS) == 0
    assert studio.store.run(run.id).state is RunState.COMPLETED
    yield studio.result(run)
    studio.close()
