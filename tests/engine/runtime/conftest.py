"""A clock that tests move, a real database, and real processes that only sleep."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from engine.domain.catalog import Catalog
from engine.domain.config import make_config
from engine.domain.ports import Device, ProcessKind
from engine.domain.run import Run
from engine.runtime.identity import ProcessIdentity
from engine.runtime.launchers.local import LocalLauncher
from engine.runtime.supervisor import Supervisor
from storage.sql_store import SqlStore
from tests.waiting import PATIENCE_SECONDS

EMPTY_CATALOG = Catalog((), (), (), ())


@dataclass
class HandClock:
    """A clock that goes forward when told to."""

    time: datetime = field(default_factory=lambda: datetime(2030, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def sleeping_command(run_id: int, attempt: int) -> list[str]:
    return [sys.executable, "-c", "import time; time.sleep(600)"]


class RememberingLauncher(LocalLauncher):
    """The real launcher; a test can see afterwards what it started."""

    def __init__(self, log_folder: Path) -> None:
        super().__init__(log_folder, cpu_places=1)
        self.started: list[ProcessIdentity] = []

    def submit(
        self,
        run_id: int,
        attempt: int,
        argv: Sequence[str],
        device: Device,
        *,
        kind: ProcessKind = "run",
    ) -> str:
        handle = super().submit(run_id, attempt, argv, device, kind=kind)
        self.started.append(ProcessIdentity.from_json(handle))
        return handle


@dataclass
class Machine:
    """A database, a launcher and supervisors on it that a test ticks by hand."""

    clock: HandClock
    store: SqlStore
    launcher: RememberingLauncher

    def create(self, **settings: object) -> Run:
        priority = settings.pop("priority", 0)
        assert isinstance(priority, int)
        return self.store.create(make_config(settings), name="run", priority=priority)

    def supervisor(self, node: str = "here", **changes: object) -> Supervisor:
        options = {
            "node": node,
            "command": sleeping_command,
            "gather": lambda: EMPTY_CATALOG,
            **changes,
        }
        return Supervisor(self.store, self.launcher, self.clock, **options)

    def process(self, run: Run) -> psutil.Process:
        handle = self.store.run(run.id).handle
        assert handle is not None
        process = ProcessIdentity.from_json(handle).process()
        assert process is not None
        return process

    def close(self) -> None:
        for identity in self.launcher.started:
            process = identity.process()
            if process is not None:
                process.kill()
                process.wait(PATIENCE_SECONDS)
            assert self.launcher.probe(identity.to_json()) == "ended"
        self.store.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path / 'studio.db'}", clock)
    yield store
    store.close()


@pytest.fixture
def machine(tmp_path: Path, clock: HandClock, store: SqlStore) -> Iterator[Machine]:
    machine = Machine(clock, store, RememberingLauncher(tmp_path / "logs"))
    yield machine
    machine.close()
