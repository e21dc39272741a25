"""A studio in a folder of its own, with real engines that are cleaned up."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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
from tests.processes.gate import PROGRAM, Gate
from tests.waiting import PATIENCE_SECONDS, until

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
SOME_STEPS = 20
"""In the midst of the second epoch, after the checkpoint of the first."""

EGS = ("-m", "app.cli")
"""The product's own command, which knows no gate."""


class Studio:
    """One database and artifact folder, the engines that serve them, and the gate in their way."""

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
        self.gate = Gate(home)
        self.engine_log = home / "engine.log"
        self._engines: list[subprocess.Popen[bytes]] = []
        self._workers: set[ProcessIdentity] = set()

    def create(self, **changes: Any) -> Run:
        return self.store.create(make_config({**DIGITS, **changes}), name="digits")

    def engine(
        self, *options: str, rules: str = "", program: Sequence[str] = PROGRAM
    ) -> subprocess.Popen[bytes]:
        """Start an engine, by default one whose runs and jobs wait at the gate."""
        with self.engine_log.open("a") as log:
            engine = subprocess.Popen(
                [sys.executable, *program, "engine", *options],
                cwd=ROOT,
                env={**self.environment, "TEST_RULES": rules},
                stderr=log,
            )
        self._engines.append(engine)
        return engine

    def until(self, run: Run, holds: Callable[[Run], object]) -> Run:
        """The run once it is as wanted, and is to stay so; fails when it ends otherwise."""

        def is_as_wanted() -> bool:
            nonlocal now
            now = self.store.run(run.id)
            if holds(now):
                return True
            assert not now.is_ended, f"it ended: {now}"
            return False

        now = run
        until(is_as_wanted, f"what was wanted of run {run.id}")
        return now

    def until_state(self, run: Run, state: RunState) -> Run:
        return self.until(run, lambda now: now.state is state)

    def hold(self, run: Run, *, at: int = SOME_STEPS, rules: str = "") -> subprocess.Popen[bytes]:
        """Start an engine; return it once the run waits at the gate after that many steps."""
        self.gate.hold_runs(at=at)
        engine = self.engine(rules=rules)
        self.until_held(run, at)
        return engine

    def until_held(self, run: Run, step: int) -> Run:
        """Once the run waits at the gate after that many steps, and its process is known."""
        held = self.until(run, lambda now: now.handle is not None and now.progress.step >= step)
        assert held.progress.step == step, f"the gate was closed too late for {held}"
        return held

    def until_serving(self, engine: subprocess.Popen[bytes]) -> None:
        """Once an engine is the one of this machine."""
        process = ProcessIdentity.of(engine.pid).to_json()
        until(
            lambda: process in [node.process for node in self.store.nodes()], "an engine to serve"
        )

    def until_adopted(self, run: Run) -> None:
        """Once another engine has said that it found the run running."""
        attempt = self.store.run(run.id).attempt
        found = f"run {run.id} (attempt {attempt}) was running already"
        until(lambda: found in self.engine_log.read_text(), f"an engine to find run {run.id}")

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

        def is_out_of_the_way() -> bool:
            process.suspend()
            if self._is_writable():
                return True
            process.resume()
            return False

        until(is_out_of_the_way, "a process to leave the database")

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

    def is_gone() -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    until(is_gone, f"the end of {process}")


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
    assert studio.engine("--until-idle", program=EGS).wait(PATIENCE_SECONDS) == 0
    assert studio.store.run(run.id).state is RunState.COMPLETED
    yield studio.result(run)
    studio.close()
