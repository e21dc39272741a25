"""The history of a running search, written beside it by one thread."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition
from types import TracebackType
from typing import Self

from engine.domain.errors import StudioError
from engine.domain.ports import RunStore
from engine.domain.run import EventKind, Progress, Request
from engine.domain.snapshot import Snapshot
from engine.domain.steering import Change

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How often the thread writes.

    Attributes:
        commit_seconds: Longest time that a snapshot waits for its commit.
        commit_rows: Snapshots that are committed without waiting.
        beat_seconds: Time between two heartbeats, which also read what is wished.
        capacity: Snapshots that may wait; the search waits when there are more.
    """

    commit_seconds: float = 0.5
    commit_rows: int = 200
    beat_seconds: float = 1.0
    capacity: int = 1000


class StoreLost(Exception):
    """The database failed under the recorder; the run is left for the supervisor."""


@dataclass
class _Batch:
    snapshots: list[Snapshot]
    notes: list[str]
    progress: Progress | None


class Recorder:
    """Takes snapshots from the search and commits them in batches.

    Used as a context manager: leaving it commits what is left, unless the
    thread has failed. Every method raises what made the thread fail:
    :class:`Fenced` when a newer attempt owns the run, :class:`StoreLost` for
    an error that the database did not explain.

    Args:
        store: Where the history goes.
        run_id: The run.
        attempt: The attempt that this process is.
        progress: How far the run was before this attempt.
        pace: How often to write.
    """

    def __init__(
        self,
        store: RunStore,
        run_id: int,
        attempt: int,
        *,
        progress: Progress,
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._attempt = attempt
        self._pace = pace or Pace()
        self._changed = Condition()
        self._pending = _Batch([], [], None)
        self._latest = progress
        self._request: Request | None = None
        self._wishes: tuple[Change, ...] = ()
        self._taken = self._asked = self._committed = 0
        self._closing = False
        self._ended = False
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._thread: Future[None] | None = None

    def __enter__(self) -> Self:
        self._thread = self._executor.submit(self._write)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._executor.shutdown()
        if error is None:
            self._raise_failure()

    @property
    def request(self) -> Request | None:
        """The wish as of the last heartbeat."""
        return self._request

    @property
    def wishes(self) -> tuple[Change, ...]:
        """Changes that were pending at the last heartbeat."""
        return self._wishes

    def put(self, snapshot: Snapshot | None, progress: Progress) -> None:
        """Hand over one step; waits while too many snapshots are pending."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or len(self._pending.snapshots) < self._pace.capacity
            )
            self._raise_failure()
            self._latest = self._pending.progress = progress
            if snapshot is not None:
                self._pending.snapshots.append(snapshot)
            if len(self._pending.snapshots) >= self._pace.commit_rows:
                self._changed.notify_all()

    def report(self, sentence: str) -> None:
        """Add a sentence to the run's log; this counts as progress."""
        log.info("run %d: %s", self._run_id, sentence)
        with self._changed:
            self._raise_failure()
            self._pending.notes.append(sentence)
            self._pending.progress = self._latest

    def alive(self) -> None:
        """Count as progress without a word in the log: something long goes on."""
        with self._changed:
            self._raise_failure()
            self._pending.progress = self._latest

    def flush(self) -> None:
        """Return when everything handed over so far is committed."""
        with self._changed:
            self._asked = target = self._taken + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ended or self._committed >= target)
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._thread is None or not self._ended:
            return
        error = self._thread.exception()
        if isinstance(error, StudioError):
            raise error
        if error is not None:
            raise StoreLost(f"{type(error).__name__}: {error}") from error

    def _write(self) -> None:
        """The thread: beat, then commit what came, until closed and empty."""
        try:
            beat_due = 0.0
            while True:
                if time.monotonic() >= beat_due:
                    self._request = self._store.beat(self._run_id, self._attempt)
                    found = self._store.changes(self._run_id)
                    self._wishes = tuple(change for change in found if change.is_pending)
                    beat_due = time.monotonic() + self._pace.beat_seconds
                closing = self._wait(beat_due)
                self._commit()
                if closing:
                    return
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _wait(self, beat_due: float) -> bool:
        """Until a commit is due or urgent; whether this is the last one."""
        timeout = max(0.0, min(self._pace.commit_seconds, beat_due - time.monotonic()))
        with self._changed:
            self._changed.wait_for(self._is_urgent, timeout)
            return self._closing

    def _is_urgent(self) -> bool:
        full = len(self._pending.snapshots) >= self._pace.commit_rows
        return full or self._closing or self._asked > self._taken

    def _commit(self) -> None:
        with self._changed:
            batch, self._pending = self._pending, _Batch([], [], None)
            self._taken += 1
            number = self._taken
            self._changed.notify_all()
        for sentence in batch.notes:
            self._store.note(self._run_id, EventKind.NOTE, sentence)
        if batch.progress is not None:
            self._store.append(self._run_id, self._attempt, batch.snapshots, batch.progress)
        with self._changed:
            self._committed = number
            self._changed.notify_all()
