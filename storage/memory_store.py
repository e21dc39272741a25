"""The runs in the memory of one process, for tests and trials without a disk."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from engine.domain.catalog import Catalog
from engine.domain.config import AnyConfig, Purpose
from engine.domain.errors import FailureReason
from engine.domain.ports import Clock, Device, Node
from engine.domain.run import (
    ENDED,
    Checkpoint,
    EventKind,
    Progress,
    Request,
    Run,
    RunEvent,
    RunState,
    sources_of,
)
from engine.domain.run_list import RunSummary, summary_of
from engine.domain.snapshot import Frames, Series, Snapshot
from engine.domain.space import SearchSpace
from storage import mapping, packing, refusals
from storage.memory_changes import MemoryChanges
from storage.memory_jobs import MemoryJobs
from storage.spaces import space_in

_DELETABLE = ENDED | {RunState.PAUSED}


@dataclass
class _History:
    """Everything about a run beside the run itself.

    Attributes:
        packed: Columns of each snapshot by step, in ascending order.
        names: The series of the run; a series' number is its place.
    """

    layout: packing.Layout | None = None
    packed: dict[int, dict[str, Any]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)


class MemoryStore(MemoryChanges, MemoryJobs):
    """A :class:`~engine.domain.ports.RunStore` that ends with its process.

    Snapshots are packed as in a database, so that both return equal values.

    Args:
        clock: Source of all instants that the store writes by itself.
    """

    def __init__(self, clock: Clock) -> None:
        MemoryJobs.__init__(self, clock)
        MemoryChanges.__init__(self)
        self._runs: dict[int, Run] = {}
        self._histories: defaultdict[int, _History] = defaultdict(_History)
        self._leases: dict[int, tuple[str, str]] = {}
        self._nodes: dict[str, Node] = {}
        self._catalog: Catalog | None = None
        self._last_id = 0

    # Runs ---------------------------------------------------------------------------------

    def create(
        self,
        config: AnyConfig,
        *,
        name: str,
        priority: int = 0,
        parent_id: int | None = None,
    ) -> Run:
        """See :class:`RunStore`."""
        with self._lock:
            if parent_id is not None:
                self.run(parent_id)
            self._last_id += 1
            new = Run(
                id=self._last_id,
                uid=uuid4().hex,
                name=mapping.storable(name),
                state=RunState.QUEUED,
                config=config,
                created_at=self._clock.now(),
                priority=priority,
                parent_id=parent_id,
            )
            why = "created" if parent_id is None else f"forked from run {parent_id}"
            return self._put(new, EventKind.CREATED, why, after=RunState.QUEUED)

    def run(self, run_id: int) -> Run:
        """See :class:`RunStore`."""
        with self._lock:
            if run_id not in self._runs:
                raise refusals.no_such_run(run_id)
            return self._runs[run_id]

    def runs(
        self,
        states: Iterable[RunState] | None = None,
        *,
        purpose: Purpose | None = None,
        parent_id: int | None = None,
    ) -> list[Run]:
        """See :class:`RunStore`."""
        wanted = frozenset(RunState) if states is None else frozenset(states)
        with self._lock:
            found = [
                run
                for run in self._runs.values()
                if run.state in wanted
                and purpose in (None, run.config.purpose)
                and parent_id in (None, run.parent_id)
            ]
        return sorted(found, key=lambda run: -run.id)

    def queue(self) -> list[Run]:
        """See :class:`RunStore`."""
        return sorted(self.runs({RunState.QUEUED}), key=lambda run: (-run.priority, run.id))

    def delete(self, run_id: int) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            state = self.run(run_id).state
            if state not in _DELETABLE:
                raise refusals.wrong_state(f"deleting run {run_id}", state, _DELETABLE)
            del self._runs[run_id]
            self._histories.pop(run_id, None)
            self._forget_jobs(run_id)
            self._changes.pop(run_id, None)
            for other in self.runs():
                if other.parent_id == run_id:
                    self._runs[other.id] = replace(other, parent_id=None)

    def set_priority(self, run_id: int, priority: int) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            changed = replace(self.run(run_id), priority=priority)
            self._put(changed, EventKind.NOTE, f"priority {priority}")

    def summaries(self) -> list[RunSummary]:
        """See :class:`RunStore`."""
        return [summary_of(run) for run in self.runs()]

    def annotate(
        self,
        run_id: int,
        *,
        tags: Iterable[str] | None = None,
        notes: str | None = None,
        archived: bool | None = None,
    ) -> Run:
        """See :class:`RunStore`."""
        with self._lock:
            run = self.run(run_id)
            self._runs[run_id] = replace(
                run,
                tags=run.tags if tags is None else tuple(sorted(set(tags))),
                notes=run.notes if notes is None else mapping.storable(notes),
                archived=run.archived if archived is None else archived,
            )
            return self._runs[run_id]

    def ask(self, run_id: int, request: Request) -> Run:
        """See :class:`RunStore`."""
        with self._lock:
            run = self.run(run_id)
            if run.state is not RunState.RUNNING:
                asked = f"a {request.value} of run {run_id}"
                raise refusals.wrong_state(asked, run.state, {RunState.RUNNING})
            wish = Request.STOP if run.request is Request.STOP else request
            return self._put(replace(run, request=wish), EventKind.REQUEST, request.value)

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
        """See :class:`RunStore`."""
        allowed = sources_of(to) if sources is None else sources_of(to) & set(sources)
        with self._lock:
            run = self.run(run_id) if attempt is None else self._owned(run_id, attempt)
            if run.state not in allowed:
                asked = f"run {run_id} to become {to.value!r}"
                raise refusals.wrong_state(asked, run.state, allowed)
            return self._move(run, to, why, failure=failure, error=error, crashed=crashed)

    def claim(self, run_id: int, *, node: str, device: Device) -> Run | None:
        """See :class:`RunStore`."""
        with self._lock:
            run = self.run(run_id)
            taken = list(self._leases.values()).count((node, device.id))
            if run.state is not RunState.QUEUED or taken >= device.places:
                return None
            now = self._clock.now()
            self._leases[run_id] = (node, device.id)
            claimed = replace(
                run,
                state=RunState.RUNNING,
                attempt=run.attempt + 1,
                node=node,
                device=device.id,
                handle=None,
                request=None,
                waiting=None,
                started_at=run.started_at or now,
                heartbeat_at=now,
                progress_at=now,
                progress=self._rewind(run),
            )
            why = f"attempt {claimed.attempt} on {node}, device {device.id}"
            return self._put(
                claimed, EventKind.TRANSITION, why, before=run.state, after=RunState.RUNNING
            )

    def adopt(self, run_id: int, *, from_node: str, attempt: int) -> bool:
        """See :class:`RunStore`."""
        with self._lock:
            run = self.run(run_id)
            present = (run.state, run.node, run.attempt)
            if present != (RunState.RUNNING, from_node, attempt):
                return False
            self._move(run, RunState.QUEUED, f"the machine {from_node} was lost")
            return True

    def set_handle(self, run_id: int, attempt: int, handle: str) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            self._runs[run_id] = replace(self._owned(run_id, attempt), handle=handle)

    def set_waiting(self, run_id: int, reason: str | None) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            run = self.run(run_id)
            if run.state is RunState.QUEUED:
                self._runs[run_id] = replace(run, waiting=reason)

    def beat(self, run_id: int, attempt: int) -> Request | None:
        """See :class:`RunStore`."""
        with self._lock:
            run = replace(self._owned(run_id, attempt), heartbeat_at=self._clock.now())
            self._runs[run_id] = run
            return run.request

    # History ------------------------------------------------------------------------------

    def append(
        self, run_id: int, attempt: int, snapshots: Sequence[Snapshot], progress: Progress
    ) -> None:
        """See :class:`RunStore`. Snapshots come in ascending order of step.

        Raises:
            ValueError: A snapshot has another layout than those before it, or a
                step that is new but not the latest.
        """
        with self._lock:
            run = self._owned(run_id, attempt)
            if snapshots:
                self._add(run_id, snapshots)
            self._runs[run_id] = replace(run, progress=progress, progress_at=self._clock.now())

    def snapshots(
        self,
        run_id: int,
        *,
        after: int = -1,
        limit: int | None = None,
        epochs_only: bool = False,
    ) -> list[Snapshot]:
        """See :class:`RunStore`."""
        with self._lock:
            rows = [
                row
                for step, row in self._history(run_id).packed.items()
                if step > after and not (epochs_only and row["enc"] != packing.EPOCH_ENCODING)
            ]
            return self._unpacked(run_id, rows[:limit])

    def snapshot(self, run_id: int, step: int | None = None) -> Snapshot | None:
        """See :class:`RunStore`."""
        with self._lock:
            packed = self._history(run_id).packed
            rows = (packed[one] for one in reversed(packed) if step is None or one <= step)
            found = self._unpacked(run_id, list(itertools.islice(rows, 1)))
            return found[0] if found else None

    def frames(
        self, run_id: int, *, after: int = -1, limit: int = 50_000, stride: int = 1
    ) -> Frames:
        """See :class:`RunStore`."""
        if stride < 1:
            raise ValueError(f"stride {stride} is below 1")
        columns = ("step", "epoch", "enc", "probabilities", "codes")
        with self._lock:
            history = self._history(run_id)
            chosen = [
                row
                for seq, row in enumerate(history.packed.values())
                if row["step"] > after and _is_picked(seq, row, stride)
            ]
            rows = [tuple(row[name] for name in columns) for row in chosen[:limit]]
            return packing.frames_of(rows, history.layout, stride)

    def series(self, run_id: int, *, after: int = -1, stride: int = 1) -> list[Series]:
        """See :class:`RunStore`."""
        with self._lock:
            history = self._history(run_id)
            rows = [
                (step, row["metrics"])
                for seq, (step, row) in enumerate(history.packed.items())
                if step > after and _is_picked(seq, row, stride)
            ]
            return packing.series_of(rows, dict(enumerate(history.names)))

    def events(self, run_id: int) -> list[RunEvent]:
        """See :class:`RunStore`."""
        with self._lock:
            return list(self._history(run_id).events)

    def note(self, run_id: int, kind: EventKind, text: str) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            self._put(self.run(run_id), kind, text)

    # Checkpoints --------------------------------------------------------------------------

    def add_checkpoint(self, run_id: int, attempt: int, checkpoint: Checkpoint) -> None:
        """See :class:`RunStore`. A repeated step replaces."""
        with self._lock:
            run = replace(self._owned(run_id, attempt), crashes=0)
            self._histories[run_id].checkpoints[checkpoint.step] = checkpoint
            self._put(run, EventKind.CHECKPOINT, f"checkpoint at step {checkpoint.step}")

    def checkpoints(self, run_id: int) -> list[Checkpoint]:
        """See :class:`RunStore`."""
        with self._lock:
            return [saved for _, saved in sorted(self._history(run_id).checkpoints.items())]

    def drop_checkpoint(self, run_id: int, key: str) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            saved = self._history(run_id).checkpoints
            for step in [step for step, one in saved.items() if one.key == key]:
                del saved[step]

    # Machines and the catalogue -----------------------------------------------------------

    def register_node(self, node: Node, *, stale_seconds: float) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            other = self._nodes.get(node.name)
            if other is not None and other.process != node.process:
                stale = node.heartbeat_at - timedelta(seconds=stale_seconds)
                if other.heartbeat_at > stale:
                    raise refusals.node_taken(node.name, other.process, other.heartbeat_at)
            self._nodes[node.name] = node

    def beat_node(self, name: str, process: str) -> None:
        """See :class:`RunStore`.

        Raises:
            EngineAlreadyRunning: Another process has taken the node.
            NotFound: Nobody has registered it.
        """
        with self._lock:
            node = self._nodes.get(name)
            if node is None:
                raise refusals.no_such_node(name)
            if node.process != process:
                raise refusals.node_taken(name, node.process, node.heartbeat_at)
            self._nodes[name] = replace(node, heartbeat_at=self._clock.now())

    def release_node(self, name: str, process: str) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            if name in self._nodes and self._nodes[name].process == process:
                del self._nodes[name]

    def nodes(self) -> list[Node]:
        """See :class:`RunStore`."""
        with self._lock:
            return [self._nodes[name] for name in sorted(self._nodes)]

    def publish(self, catalog: Catalog) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            self._catalog = catalog

    def catalog(self) -> Catalog | None:
        """See :class:`RunStore`."""
        with self._lock:
            return self._catalog

    def space_of(self, run: Run) -> SearchSpace | None:
        """See :class:`RunStore`."""
        return space_in(self.catalog(), run.config)

    # Parts --------------------------------------------------------------------------------

    def _history(self, run_id: int) -> _History:
        return self._histories[self.run(run_id).id]

    def _owned(self, run_id: int, attempt: int) -> Run:
        run = self.run(run_id)
        if (run.state, run.attempt) != (RunState.RUNNING, attempt):
            raise refusals.fenced(run_id, attempt, run.state, run.attempt)
        return run

    def _put(
        self,
        run: Run,
        kind: EventKind,
        text: str,
        *,
        before: RunState | None = None,
        after: RunState | None = None,
    ) -> Run:
        self._runs[run.id] = run
        line = RunEvent(self._clock.now(), run.attempt, kind, mapping.storable(text), before, after)
        self._histories[run.id].events.append(line)
        return run

    def _move(
        self,
        run: Run,
        to: RunState,
        why: str,
        *,
        failure: FailureReason | None = None,
        error: str | None = None,
        crashed: bool = False,
    ) -> Run:
        resumed = to is RunState.QUEUED and run.state in {RunState.FAILED, RunState.PAUSED}
        moved = replace(
            run,
            state=to,
            request=None,
            device=None,
            handle=None,
            waiting=None,
            crashes=0 if resumed else run.crashes + int(crashed),
        )
        if to is RunState.QUEUED:
            moved = replace(moved, failure=None, error=None, ended_at=None)
        elif to in ENDED:
            moved = replace(
                moved,
                failure=failure,
                error=error and mapping.storable(error),
                ended_at=self._clock.now(),
            )
        self._leases.pop(run.id, None)
        return self._put(moved, EventKind.TRANSITION, why, before=run.state, after=to)

    def _rewind(self, run: Run) -> Progress:
        history = self._histories[run.id]
        last = max(history.checkpoints, default=None)
        step = -1 if last is None else last
        history.packed = {at: row for at, row in history.packed.items() if at <= step}
        if last is None:
            return Progress()
        seconds = [row["seconds"] for row in history.packed.values()]
        columns = mapping.progress_columns(run.progress)
        return mapping.progress_at(
            columns, history.checkpoints[last], seconds[-1] if seconds else 0.0
        )

    def _add(self, run_id: int, snapshots: Sequence[Snapshot]) -> None:
        history = self._histories[run_id]
        layout = history.layout or packing.layout_of_snapshot(snapshots[0])
        fresh = dict.fromkeys(name for one in snapshots for name in one.metrics)
        names = history.names + [name for name in fresh if name not in history.names]
        numbers = {name: number for number, name in enumerate(names)}
        packed = dict(history.packed)
        for one in sorted(snapshots, key=lambda one: one.step):
            last = next(reversed(packed), -1)
            if one.step not in packed and one.step < last:
                raise ValueError(f"step {one.step} of run {run_id} comes after step {last}")
            packed[one.step] = packing.snapshot_columns(one, layout, numbers)
        history.layout, history.names, history.packed = layout, names, packed

    def _unpacked(self, run_id: int, rows: Sequence[Mapping[str, Any]]) -> list[Snapshot]:
        history = self._history(run_id)
        if history.layout is None:
            return []
        names = dict(enumerate(history.names))
        return [packing.snapshot_of(row, history.layout, names) for row in rows]


def _is_picked(seq: int, row: Mapping[str, Any], stride: int) -> bool:
    """Whether a snapshot is in an overview: each ``stride``-th and every epoch's end are."""
    return seq % stride == 0 or row["enc"] == packing.EPOCH_ENCODING
