"""A run, its states, and the one table of allowed transitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.domain.config import AnyConfig, SearchConfig
from engine.domain.errors import FailureReason, WrongState


class RunState(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class Request(StrEnum):
    """What a person wants of a running run; a wish, not a state."""

    PAUSE = "pause"
    STOP = "stop"


TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.STOPPED}),
    RunState.RUNNING: frozenset(
        {
            RunState.COMPLETED,
            RunState.FAILED,
            RunState.STOPPED,
            RunState.PAUSED,
            RunState.QUEUED,
        }
    ),
    RunState.PAUSED: frozenset({RunState.QUEUED, RunState.STOPPED}),
    RunState.FAILED: frozenset({RunState.QUEUED}),
    RunState.COMPLETED: frozenset(),
    RunState.STOPPED: frozenset(),
}

ENDED = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.STOPPED})

FINAL = frozenset(state for state, targets in TRANSITIONS.items() if not targets)
"""States that a run never leaves; a failed one can be resumed."""


def sources_of(target: RunState) -> frozenset[RunState]:
    """The states from which ``target`` may be reached in one transition."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)


@dataclass(frozen=True)
class Progress:
    """How far a search has come, for tables and time left.

    Attributes:
        step: Completed weight updates.
        total_steps: Updates of the whole search.
        epoch: Completed epochs.
        seconds: Training time so far, without pauses.
        score: Latest figure of the child in the task's main metric, in per cent.
        score_name: Name of that metric, such as ``child_accuracy``.
        gap: Child error minus supernet error, in percentage points.
    """

    step: int = 0
    total_steps: int = 0
    epoch: int = 0
    seconds: float = 0.0
    score: float | None = None
    score_name: str | None = None
    gap: float | None = None


@dataclass(frozen=True)
class Run:
    """One search or training: its identity, configuration, state and times (UTC).

    Attributes:
        id: Short number that people type.
        uid: Identity that never collides, used in paths.
        request: Pending wish, if any.
        priority: Higher runs start earlier; equal ones in order of creation.
        attempt: How often a process has taken the run; fences stale writers.
        crashes: Crashes in a row without a new checkpoint between them.
        parent_id: The run it was forked from.
        node: Machine that runs it.
        device: Device it holds, such as ``cpu`` or a GPU's UUID.
        handle: The launcher's own name for the process.
        waiting: Why a queued run does not start yet.
        failure: Why a failed run failed, and ``error`` the sentence about it.
        tags: Words of a person, to find the run again; sorted, none twice.
        notes: What a person wrote about it, in any number of lines.
        archived: Whether lists leave it out unless they are asked for it.
    """

    id: int
    uid: str
    name: str
    state: RunState
    config: AnyConfig
    created_at: datetime
    request: Request | None = None
    priority: int = 0
    attempt: int = 0
    crashes: int = 0
    parent_id: int | None = None
    node: str | None = None
    device: str | None = None
    handle: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    heartbeat_at: datetime | None = None
    progress_at: datetime | None = None
    progress: Progress = Progress()
    waiting: str | None = None
    failure: FailureReason | None = None
    error: str | None = None
    tags: tuple[str, ...] = ()
    notes: str = ""
    archived: bool = False

    @property
    def search(self) -> SearchConfig:
        """The settings of a search.

        Raises:
            WrongState: It is a training, which has no search space and no alphas.
        """
        if isinstance(self.config, SearchConfig):
            return self.config
        raise WrongState(
            asked=f"the search of run {self.id}",
            found="a training from scratch",
            allowed="a run that is a search",
            advice="choose the search that the training came from",
        )

    @property
    def is_ended(self) -> bool:
        """Whether no process will touch the run again by itself."""
        return self.state in ENDED


class EventKind(StrEnum):
    """Kinds of entries in a run's log."""

    CREATED = "created"
    TRANSITION = "transition"
    REQUEST = "request"
    CHECKPOINT = "checkpoint"
    CHANGE = "change"
    NOTE = "note"
    ERROR = "error"


@dataclass(frozen=True)
class RunEvent:
    """One line of a run's log: when, by which attempt, what and why."""

    at: datetime
    attempt: int
    kind: EventKind
    text: str
    before: RunState | None = None
    after: RunState | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A file from which the search continues exactly; the record makes it exist.

    Attributes:
        step: Completed weight updates in it.
        epoch: Completed epochs in it.
        key: Name in the artifact store.
        size_bytes: Length of the file.
        sha256: Digest of its content, in hexadecimal.
        score: The child's figure at that moment, if measured.
    """

    step: int
    epoch: int
    key: str
    size_bytes: int
    sha256: str
    created_at: datetime
    score: float | None = None


def nearest(checkpoints: Sequence[Checkpoint], step: int | None) -> Checkpoint | None:
    """The last of the checkpoints, given by ascending step, at or before a step, else the first."""
    if not checkpoints:
        return None
    before = [saved for saved in checkpoints if step is None or saved.step <= step]
    return before[-1] if before else checkpoints[0]
