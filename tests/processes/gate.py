"""A gate at which runs and jobs wait until a test lets them go on.

A test that pauses, changes or kills something must not race it. It closes the gate before the run
starts; the run does its steps up to the gate and stays there, alive and listening: its worker
beats, records, and answers to requests and signals, as between any two steps.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from engine.domain.snapshot import Snapshot
from engine.optimisation.loop import Loop

PROGRAM = ("-m", "tests.processes.start")
"""Starts engines whose runs and jobs wait at the gate of their home."""

LOOK_SECONDS = 0.01
STEP_SECONDS = float(os.environ.get("TEST_STEP_SECONDS", "0"))
"""By how much each step is slowed down; with ``TEST_LATE_SECONDS`` it shows what races."""


class Gate:
    """The gate of one home, for all of its runs and jobs; open at first.

    It is two files, so that tests and workers see the same one.

    Args:
        home: Folder of the studio.
    """

    def __init__(self, home: Path) -> None:
        self._last_step = home / "gate-last-step"
        self._jobs = home / "gate-jobs"

    def hold_runs(self, *, at: int) -> None:
        """Let searches and trainings take this many steps and no more."""
        new = self._last_step.with_suffix(".new")
        new.write_text(str(at))
        new.replace(self._last_step)

    def hold_jobs(self) -> None:
        """Let no job begin its work."""
        self._jobs.touch()

    def let_jobs_pass(self) -> None:
        """Let jobs work."""
        self._jobs.unlink(missing_ok=True)

    def open(self) -> None:
        """Let everything go on."""
        self._last_step.unlink(missing_ok=True)
        self.let_jobs_pass()

    def holds_run(self, step: int) -> bool:
        """Whether a run that has taken this many steps has to wait."""
        try:
            return step >= int(self._last_step.read_text())
        except FileNotFoundError:
            return False

    def wait_with_job(self) -> None:
        """Return when jobs may begin."""
        while self._jobs.exists():
            time.sleep(LOOK_SECONDS)


def hold(loop: Loop, gate: Gate) -> Loop:
    """Let a loop wait at a gate after any of its steps.

    Meanwhile it yields None, as it does after a step without a snapshot.

    Returns:
        The same loop.
    """
    steps = loop.steps

    def waiting() -> Iterator[None]:
        while gate.holds_run(loop.progress.step):
            time.sleep(LOOK_SECONDS)
            yield

    def held() -> Iterator[Snapshot | None]:
        yield from waiting()
        for snapshot in steps():
            yield snapshot
            time.sleep(STEP_SECONDS)
            yield from waiting()

    loop.steps = held
    return loop
