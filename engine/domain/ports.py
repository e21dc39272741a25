"""What the engine and the pages ask of the outside world.

Each protocol states its contract in prose; one test class runs against every
implementation.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Literal, Protocol

from engine.domain.catalog import Catalog
from engine.domain.config import AnyConfig, Purpose, SearchConfig
from engine.domain.errors import FailureReason
from engine.domain.jobs import Job, JobState
from engine.domain.run import (
    Checkpoint,
    EventKind,
    Progress,
    Request,
    Run,
    RunEvent,
    RunState,
)
from engine.domain.run_list import RunSummary
from engine.domain.snapshot import Frames, Series, Snapshot
from engine.domain.space import SearchSpace
from engine.domain.steering import Change


@dataclass(frozen=True)
class Device:
    """One place where a search can run.

    Attributes:
        id: ``cpu`` or the UUID of a GPU.
        index: Number in ``cuda:<index>``; None for a CPU.
        label: Name for people.
        memory_bytes: Memory of the device.
        places: How many searches may share it at a time.
    """

    id: str
    index: int | None
    label: str
    memory_bytes: int
    places: int = 1


@dataclass(frozen=True)
class Node:
    """One machine with an engine on it.

    Attributes:
        name: Host name.
        process: Identity of the engine process: boot id, pid and start time.
        heartbeat_at: When it last said that it lives.
    """

    name: str
    process: str
    heartbeat_at: datetime
    devices: tuple[Device, ...] = ()
    versions: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Artifact:
    """A stored file: its key, length and SHA-256 digest."""

    key: str
    size_bytes: int
    sha256: str


class Clock(Protocol):
    """Time, so that tests can hold it."""

    def now(self) -> datetime:
        """The present moment, timezone-aware UTC."""


class RunStore(Protocol):
    """Runs with all their rows; the only truth that processes share.

    Every method is one transaction: it happens wholly or not at all. Methods
    with ``attempt`` raise :class:`Fenced` when the run's attempt is another or
    its state is not RUNNING, and then change nothing. Methods with ``run_id``
    raise :class:`NotFound` for a run that does not exist. In names, errors and
    the log a NUL is left out and a lone surrogate escaped, since not every
    database takes them.
    """

    def create(
        self,
        config: AnyConfig,
        *,
        name: str,
        priority: int = 0,
        parent_id: int | None = None,
    ) -> Run:
        """Add a QUEUED run and its first event."""

    def run(self, run_id: int) -> Run:
        """One run."""

    def runs(
        self,
        states: Iterable[RunState] | None = None,
        *,
        purpose: Purpose | None = None,
        parent_id: int | None = None,
    ) -> list[Run]:
        """Runs, latest first: in the given states, of a purpose, forked from a run."""

    def ask_change(self, run_id: int, settings: Mapping[str, Any]) -> Change:
        """Write down that other settings shall be in force, in any state but an ended one.

        A FAILED run may still be resumed, and counts as not ended.

        Raises:
            WrongState: The run is completed or stopped.
        """

    def changes(self, run_id: int) -> list[Change]:
        """Changes of a run by number, ascending."""

    def take_change(
        self,
        run_id: int,
        number: int,
        config: SearchConfig,
        *,
        step: int,
        attempt: int | None = None,
    ) -> Change:
        """Let a pending change be in force from a step on, and log it.

        ``config`` becomes the run's; the values until then are kept with the
        change. The total of steps follows the epochs. With ``attempt``,
        fenced; without, nobody may run it.

        Raises:
            WrongState: Without ``attempt``, the run is RUNNING or ended; or the
                change is not pending.
            NotFound: There is no such change.
        """

    def refuse_change(self, run_id: int, number: int, why: str) -> None:
        """Say why a pending change will never be in force, and log it.

        Raises:
            WrongState: The change is not pending.
            NotFound: There is no such change.
        """

    def queue(self) -> list[Run]:
        """QUEUED runs in the order in which they shall start: priority, then id."""

    def delete(self, run_id: int) -> None:
        """Remove an ended or paused run with all its rows.

        Raises:
            WrongState: It is queued or running.
        """

    def set_priority(self, run_id: int, priority: int) -> None:
        """Change the place in the queue."""

    def summaries(self) -> list[RunSummary]:
        """What a list shows of every run, latest first; reads no more than that."""

    def annotate(
        self,
        run_id: int,
        *,
        tags: Iterable[str] | None = None,
        notes: str | None = None,
        archived: bool | None = None,
    ) -> Run:
        """Change what a person says about a run, in any state; None leaves a part as it is.

        Tags are kept sorted and once each.
        """

    def ask(self, run_id: int, request: Request) -> Run:
        """Write a wish on a RUNNING run; a stop replaces a pause.

        Raises:
            WrongState: It is not running.
        """

    def transition(
        self,
        run_id: int,
        to: RunState,
        *,
        why: str,
        attempt: int | None = None,
        sources: Collection[RunState] | None = None,
        failure: FailureReason | None = None,
        error: str | None = None,
        crashed: bool = False,
    ) -> Run:
        """Compare-and-set along ``TRANSITIONS`` and log it.

        With ``attempt``, fenced; with ``sources``, from these states only.
        Leaving RUNNING clears request, device and handle and frees the device;
        entering QUEUED clears failure and ``ended_at``; entering an ended
        state sets ``ended_at``. ``crashed`` adds one to the crashes in a row;
        a QUEUED after FAILED or PAUSED sets them to 0.

        Raises:
            WrongState: The present state does not lead there.
        """

    def claim(self, run_id: int, *, node: str, device: Device) -> Run | None:
        """Take a QUEUED run: RUNNING, attempt + 1, device leased.

        In the same transaction the history past the last checkpoint (all of
        it, if there is none) is deleted and progress set back to it. None when
        somebody else was faster or the device has no free place.
        """

    def adopt(self, run_id: int, *, from_node: str, attempt: int) -> bool:
        """Put a RUNNING run of a dead node back into the queue, once."""

    def set_handle(self, run_id: int, attempt: int, handle: str) -> None:
        """Remember the launcher's name of the process. Fenced."""

    def set_waiting(self, run_id: int, reason: str | None) -> None:
        """Say why a QUEUED run waits; nothing happens in other states."""

    def beat(self, run_id: int, attempt: int) -> Request | None:
        """Record the heartbeat and return the pending wish. Fenced."""

    def append(
        self, run_id: int, attempt: int, snapshots: Sequence[Snapshot], progress: Progress
    ) -> None:
        """Add snapshots (a repeated step replaces) and set progress. Fenced."""

    def snapshots(
        self,
        run_id: int,
        *,
        after: int = -1,
        limit: int | None = None,
        epochs_only: bool = False,
    ) -> list[Snapshot]:
        """Snapshots with step above ``after``, ascending."""

    def snapshot(self, run_id: int, step: int | None = None) -> Snapshot | None:
        """The latest snapshot at or before ``step``; None if there is none."""

    def frames(
        self, run_id: int, *, after: int = -1, limit: int = 50_000, stride: int = 1
    ) -> Frames:
        """Snapshots above step ``after`` in the browser's compact form.

        With a stride, those number 0, stride, 2 stride … and every epoch's end.
        """

    def series(self, run_id: int, *, after: int = -1, stride: int = 1) -> list[Series]:
        """Every metric over time, above step ``after``.

        With a stride, of the snapshots number 0, stride, 2 stride … and of every
        epoch's end.
        """

    def events(self, run_id: int) -> list[RunEvent]:
        """The log, oldest first."""

    def note(self, run_id: int, kind: EventKind, text: str) -> None:
        """Add a line to the log."""

    def add_checkpoint(self, run_id: int, attempt: int, checkpoint: Checkpoint) -> None:
        """Make a checkpoint exist, and set the crashes in a row to 0. Fenced."""

    def checkpoints(self, run_id: int) -> list[Checkpoint]:
        """Checkpoints by step, ascending."""

    def drop_checkpoint(self, run_id: int, key: str) -> None:
        """Forget a checkpoint; its file is the caller's."""

    def register_node(self, node: Node, *, stale_seconds: float) -> None:
        """Become the engine of a machine.

        Raises:
            EngineAlreadyRunning: Another process with that node name has a
                heartbeat younger than ``stale_seconds``.
        """

    def beat_node(self, name: str, process: str) -> None:
        """Record an engine's heartbeat.

        Raises:
            EngineAlreadyRunning: Another process has taken the node.
        """

    def release_node(self, name: str, process: str) -> None:
        """Forget an engine that ends in order."""

    def nodes(self) -> list[Node]:
        """Every machine that had an engine."""

    def publish(self, catalog: Catalog) -> None:
        """Replace the catalogue."""

    def catalog(self) -> Catalog | None:
        """The catalogue that an engine published last."""

    def space_of(self, run: Run) -> SearchSpace | None:
        """The space of a run: a training's is in its genotype, a search's in the catalogue."""

    def ask_job(
        self,
        run_id: int | None,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        afresh: bool = False,
    ) -> Job:
        """Ask something about a run, or without one about what the arguments hold.

        The same question is the same job; one that has failed waits again,
        with its crashes forgotten, and so does one that is done where
        ``afresh`` asks for another answer.

        Raises:
            InvalidConfig: The arguments have no JSON form.
        """

    def asked_job(self, run_id: int | None, kind: str, arguments: Mapping[str, Any]) -> Job | None:
        """The job that :meth:`ask_job` would return; None if nobody has asked."""

    def job(self, job_id: int) -> Job:
        """One job. Raises :class:`NotFound`, as all methods with ``job_id`` do."""

    def jobs(
        self, run_id: int | None = None, *, states: Iterable[JobState] | None = None
    ) -> list[Job]:
        """Jobs, latest first: of a run, in the given states."""

    def take_job(self, node: str, job_id: int | None = None) -> Job | None:
        """Take the WAITING job that was asked first, or just this one: WORKING, attempt + 1.

        None when nothing waits or somebody else was faster.
        """

    def set_job_handle(self, job_id: int, attempt: int, handle: str) -> None:
        """Remember the launcher's name of the process.

        Raises:
            Fenced: The job's attempt is another or it is not WORKING, here and
                in the two methods below; nothing is changed then.
        """

    def finish_job(
        self,
        job_id: int,
        attempt: int,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> Job:
        """Write the answer (DONE) or the sentence about why there is none (FAILED)."""

    def return_job(self, job_id: int, attempt: int, *, crashed: bool = False) -> Job:
        """Let a job wait again; ``crashed`` counts that its process died."""

    def prune_jobs(self, *, keep: int) -> list[int]:
        """Forget jobs without a run that have ended, but the latest ``keep``; returns which."""


class ArtifactStore(Protocol):
    """Files by key. A key that can be read was written to its end."""

    def write(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A file to write; it appears under its key, complete and durable, on
        leaving without an exception, and not at all otherwise.

        Raises:
            DiskFull: There was no room.
        """

    def describe(self, key: str) -> Artifact:
        """Length and digest. Raises :class:`NotFound`."""

    def read(self, key: str) -> AbstractContextManager[BinaryIO]:
        """The file, for reading. Raises :class:`NotFound`."""

    def keys(self, prefix: str) -> list[str]:
        """Keys below a folder, sorted."""

    def delete(self, key: str) -> None:
        """Remove a file; nothing happens if there is none."""

    def delete_below(self, folder: str) -> None:
        """Remove every file below a folder, what killed writers left there too."""

    def delete_unfinished(self, folder: str) -> None:
        """Remove what killed writers left below a folder; one that still writes there fails."""


@dataclass(frozen=True)
class Capacity:
    """What a launcher can run: its devices."""

    devices: tuple[Device, ...]


ProcessState = Literal["pending", "running", "ended", "lost"]
ProcessKind = Literal["run", "job"]


class Launcher(Protocol):
    """Starts and ends worker processes; every verb may be called twice."""

    def capacity(self) -> Capacity:
        """The devices that are there now."""

    def submit(
        self,
        run_id: int,
        attempt: int,
        argv: Sequence[str],
        device: Device,
        *,
        kind: ProcessKind = "run",
    ) -> str:
        """Start a worker and return a handle that outlives this process.

        With kind ``job``, here and in :meth:`logs`, the number is that of a job.
        """

    def probe(self, handle: str) -> ProcessState:
        """``ended``: it is gone; ``lost``: nobody can say."""

    def stop(self, handle: str, *, grace_seconds: float) -> None:
        """Ask to end; after the grace, force it. Does not wait for it."""

    def logs(
        self,
        run_id: int,
        attempt: int,
        *,
        kind: ProcessKind = "run",
        tail_bytes: int = 65_536,
    ) -> str:
        """The end of what the worker printed."""

    def delete_logs(self, kind: ProcessKind, kept: Callable[[], Collection[int]]) -> None:
        """Delete what workers have printed for runs, or jobs, that are gone.

        Args:
            kind: Whose logs.
            kept: Numbers of those that exist; asked for after the logs were
                listed, so that one that starts meanwhile keeps its own.
        """
