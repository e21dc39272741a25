"""The runs in an SQL database: SQLite or PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, Table, and_, case, delete, func, literal, select, text
from sqlalchemy import update as sql_update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig
from engine.domain.errors import FailureReason, InvalidConfig
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
from engine.domain.snapshot import Frames, Series, Snapshot
from engine.domain.space import SearchSpace
from storage import mapping, refusals, tables
from storage.migrations import migrate
from storage.session import connect

run, event, snapshot = tables.run, tables.event, tables.snapshot
saves, machines, lease = tables.checkpoint, tables.node, tables.gpu_lease

_IS_EPOCH = text(f"snapshot.enc = {tables.EPOCH_ENCODING}")
_DELETABLE = ENDED | {RunState.PAUSED}


class SqlStore:
    """A :class:`~engine.domain.ports.RunStore` in an SQL database.

    Args:
        address: ``sqlite:///PATH`` or ``postgresql://…``.
        clock: Source of all instants that the store writes by itself.

    Raises:
        InvalidConfig: The address is not one of a supported database.
        UnsafeDatabase: It lies where it cannot be kept safe, or is not ours.
        NewerDatabase: A later version of the studio wrote it.
    """

    def __init__(self, address: str, clock: Clock) -> None:
        self._database = connect(address)
        self._clock = clock
        migrate(self._database)

    def close(self) -> None:
        """Give all connections back."""
        self._database.close()

    # Runs ---------------------------------------------------------------------------------

    def create(
        self,
        config: SearchConfig,
        *,
        name: str,
        priority: int = 0,
        parent_id: int | None = None,
    ) -> Run:
        """See :class:`RunStore`."""
        new = Run(
            id=0,
            uid=uuid4().hex,
            name=name,
            state=RunState.QUEUED,
            config=config,
            created_at=self._clock.now(),
            priority=priority,
            parent_id=parent_id,
        )
        with self._database.write() as connection:
            if parent_id is not None:
                _require(connection, parent_id)
            columns = mapping.run_columns(new)
            row = connection.execute(run.insert().values(columns).returning(run)).mappings().one()
            why = "created" if parent_id is None else f"forked from run {parent_id}"
            self._log(connection, row, EventKind.CREATED, why, after=RunState.QUEUED)
            return mapping.run_of(row)

    def run(self, run_id: int) -> Run:
        """See :class:`RunStore`."""
        with self._database.read() as connection:
            return mapping.run_of(_run_row(connection, run_id))

    def runs(self, states: Iterable[RunState] | None = None) -> list[Run]:
        """See :class:`RunStore`."""
        query = select(run).order_by(run.c.id.desc())
        if states is not None:
            query = query.where(run.c.state.in_([state.value for state in states]))
        return self._runs(query)

    def queue(self) -> list[Run]:
        """See :class:`RunStore`."""
        query = select(run).where(run.c.state == RunState.QUEUED.value)
        return self._runs(query.order_by(run.c.priority.desc(), run.c.id))

    def delete(self, run_id: int) -> None:
        """See :class:`RunStore`."""
        statement = delete(run).where(run.c.id == run_id, _in_states(_DELETABLE))
        with self._database.write() as connection:
            if connection.execute(statement).rowcount == 0:
                state = RunState(_run_row(connection, run_id)["state"])
                raise refusals.wrong_state(f"deleting run {run_id}", state, _DELETABLE)

    def set_priority(self, run_id: int, priority: int) -> None:
        """See :class:`RunStore`."""
        with self._database.write() as connection:
            row = _update(connection, run_id, {"priority": priority})
            if row is None:
                raise refusals.no_such_run(run_id)
            self._log(connection, row, EventKind.NOTE, f"priority {priority}")

    def ask(self, run_id: int, request: Request) -> Run:
        """See :class:`RunStore`."""
        stop = literal(Request.STOP.value)
        wish = case((run.c.request == stop, stop), else_=literal(request.value))
        with self._database.write() as connection:
            row = _update(connection, run_id, {"request": wish}, _in_states({RunState.RUNNING}))
            if row is None:
                state = RunState(_run_row(connection, run_id)["state"])
                asked = f"a {request.value} of run {run_id}"
                raise refusals.wrong_state(asked, state, {RunState.RUNNING})
            self._log(connection, row, EventKind.REQUEST, request.value)
            return mapping.run_of(row)

    def transition(
        self,
        run_id: int,
        to: RunState,
        *,
        why: str,
        attempt: int | None = None,
        failure: FailureReason | None = None,
        error: str | None = None,
        crashed: bool = False,
    ) -> Run:
        """See :class:`RunStore`."""
        changes = self._changes_of(to, failure=failure, error=error, crashed=crashed)
        conditions = [_in_states(sources_of(to))]
        if attempt is not None:
            conditions += [run.c.attempt == attempt, _in_states({RunState.RUNNING})]
        with self._database.write() as connection:
            before = _run_row(connection, run_id, lock=True)
            row = _update(connection, run_id, changes, *conditions)
            if row is None:
                state = RunState(before["state"])
                if attempt is not None and (state, before["attempt"]) != (
                    RunState.RUNNING,
                    attempt,
                ):
                    raise refusals.fenced(run_id, attempt, state, before["attempt"])
                asked = f"run {run_id} to become {to.value!r}"
                raise refusals.wrong_state(asked, state, sources_of(to))
            _free(connection, run_id)
            self._log(
                connection,
                row,
                EventKind.TRANSITION,
                why,
                before=RunState(before["state"]),
                after=to,
            )
            return mapping.run_of(row)

    def claim(self, run_id: int, *, node: str, device: Device) -> Run | None:
        """See :class:`RunStore`."""
        now = self._now()
        changes = {
            "state": RunState.RUNNING.value,
            "attempt": run.c.attempt + 1,
            "node": node,
            "device": device.id,
            "handle": None,
            "request": None,
            "waiting": None,
            "started_us": func.coalesce(run.c.started_us, now),
            "heartbeat_us": now,
            "progress_us": now,
        }
        with self._database.write() as connection:
            row = _update(connection, run_id, changes, _in_states({RunState.QUEUED}))
            if row is None:
                _require(connection, run_id)
                return None
            if not self._lease(connection, row, device):
                connection.rollback()
                return None
            row = self._rewind(connection, row)
            why = f"attempt {row['attempt']} on {node}, device {device.id}"
            self._log(
                connection,
                row,
                EventKind.TRANSITION,
                why,
                before=RunState.QUEUED,
                after=RunState.RUNNING,
            )
            return mapping.run_of(row)

    def adopt(self, run_id: int, *, from_node: str, attempt: int) -> bool:
        """See :class:`RunStore`."""
        changes = self._changes_of(RunState.QUEUED)
        conditions = (
            _in_states({RunState.RUNNING}),
            run.c.node == from_node,
            run.c.attempt == attempt,
        )
        with self._database.write() as connection:
            row = _update(connection, run_id, changes, *conditions)
            if row is None:
                _require(connection, run_id)
                return False
            _free(connection, run_id)
            self._log(
                connection,
                row,
                EventKind.TRANSITION,
                f"the machine {from_node} was lost",
                before=RunState.RUNNING,
                after=RunState.QUEUED,
            )
            return True

    def set_handle(self, run_id: int, attempt: int, handle: str) -> None:
        """See :class:`RunStore`."""
        with self._database.write() as connection:
            _fenced_update(connection, run_id, attempt, {"handle": handle})

    def set_waiting(self, run_id: int, reason: str | None) -> None:
        """See :class:`RunStore`."""
        with self._database.write() as connection:
            row = _update(connection, run_id, {"waiting": reason}, _in_states({RunState.QUEUED}))
            if row is None:
                _require(connection, run_id)

    def beat(self, run_id: int, attempt: int) -> Request | None:
        """See :class:`RunStore`."""
        with self._database.write() as connection:
            row = _fenced_update(connection, run_id, attempt, {"heartbeat_us": self._now()})
            return None if row["request"] is None else Request(row["request"])

    # History ------------------------------------------------------------------------------

    def append(
        self, run_id: int, attempt: int, snapshots: Sequence[Snapshot], progress: Progress
    ) -> None:
        """See :class:`RunStore`. Snapshots come in ascending order of step.

        Raises:
            ValueError: A snapshot has another layout than those before it, or a
                step that is new but not the latest.
        """
        changes = {**mapping.progress_columns(progress), "progress_us": self._now()}
        with self._database.record() as connection:
            _fenced_update(connection, run_id, attempt, changes)
            if snapshots:
                _insert_snapshots(connection, run_id, snapshots)

    def snapshots(
        self,
        run_id: int,
        *,
        after: int = -1,
        limit: int | None = None,
        epochs_only: bool = False,
    ) -> list[Snapshot]:
        """See :class:`RunStore`."""
        query = select(snapshot).where(snapshot.c.run_id == run_id, snapshot.c.step > after)
        if epochs_only:
            query = query.where(_IS_EPOCH)
        return self._snapshots(run_id, query.order_by(snapshot.c.step).limit(limit))

    def snapshot(self, run_id: int, step: int | None = None) -> Snapshot | None:
        """See :class:`RunStore`."""
        query = select(snapshot).where(snapshot.c.run_id == run_id)
        if step is not None:
            query = query.where(snapshot.c.step <= step)
        found = self._snapshots(run_id, query.order_by(snapshot.c.step.desc()).limit(1))
        return found[0] if found else None

    def frames(
        self, run_id: int, *, after: int = -1, limit: int = 50_000, stride: int = 1
    ) -> Frames:
        """See :class:`RunStore`. With a stride, snapshots number 0, stride, 2 stride …"""
        if stride < 1:
            raise ValueError(f"stride {stride} is below 1")
        with self._database.read() as connection:
            _require(connection, run_id)
            layout = _layout(connection, run_id)
            rows = connection.execute(_frame_query(run_id, after, limit, stride)).all()
        return mapping.frames_of(rows, layout, stride)

    def series(self, run_id: int, *, after: int = -1) -> list[Series]:
        """See :class:`RunStore`."""
        query = select(snapshot.c.step, snapshot.c.metrics)
        query = query.where(snapshot.c.run_id == run_id, snapshot.c.step > after)
        with self._database.read() as connection:
            _require(connection, run_id)
            names = _series_names(connection, run_id)
            rows = connection.execute(query.order_by(snapshot.c.step)).all()
        return mapping.series_of(rows, names)

    def events(self, run_id: int) -> list[RunEvent]:
        """See :class:`RunStore`."""
        query = select(event).where(event.c.run_id == run_id).order_by(event.c.id)
        with self._database.read() as connection:
            _require(connection, run_id)
            return [mapping.event_of(row) for row in connection.execute(query).mappings()]

    def note(self, run_id: int, kind: EventKind, text: str) -> None:
        """See :class:`RunStore`."""
        with self._database.write() as connection:
            self._log(connection, _run_row(connection, run_id), kind, text)

    # Checkpoints --------------------------------------------------------------------------

    def add_checkpoint(self, run_id: int, attempt: int, checkpoint: Checkpoint) -> None:
        """See :class:`RunStore`. A repeated step replaces."""
        columns = mapping.checkpoint_columns(run_id, attempt, checkpoint)
        with self._database.write() as connection:
            row = _fenced_update(connection, run_id, attempt, {"crashes": 0})
            connection.execute(_upsert(connection, saves, columns))
            self._log(
                connection, row, EventKind.CHECKPOINT, f"checkpoint at step {checkpoint.step}"
            )

    def checkpoints(self, run_id: int) -> list[Checkpoint]:
        """See :class:`RunStore`."""
        query = select(saves).where(saves.c.run_id == run_id)
        with self._database.read() as connection:
            _require(connection, run_id)
            rows = connection.execute(query.order_by(saves.c.step)).mappings()
            return [mapping.checkpoint_of(row) for row in rows]

    def drop_checkpoint(self, run_id: int, key: str) -> None:
        """See :class:`RunStore`."""
        chosen = and_(saves.c.run_id == run_id, saves.c.key == key)
        with self._database.write() as connection:
            _require(connection, run_id)
            connection.execute(delete(saves).where(chosen))

    # Machines and the catalogue -----------------------------------------------------------

    def register_node(self, node: Node, *, stale_seconds: float) -> None:
        """See :class:`RunStore`."""
        stale = mapping.micros(node.heartbeat_at - timedelta(seconds=stale_seconds))
        free = (machines.c.process == node.process) | (machines.c.heartbeat_us <= stale)
        columns = mapping.node_columns(node)
        with self._database.write() as connection:
            statement = _upsert(connection, machines, columns, where=free)
            if connection.execute(statement.returning(machines.c.name)).first() is None:
                raise _taken(connection, node.name)

    def beat_node(self, name: str, process: str) -> None:
        """See :class:`RunStore`.

        Raises:
            EngineAlreadyRunning: Another process has taken the node.
            NotFound: Nobody has registered it.
        """
        mine = and_(machines.c.name == name, machines.c.process == process)
        with self._database.write() as connection:
            beat = sql_update(machines).where(mine).values(heartbeat_us=self._now())
            if connection.execute(beat).rowcount == 0:
                raise _taken(connection, name)

    def release_node(self, name: str, process: str) -> None:
        """See :class:`RunStore`."""
        with self._database.write() as connection:
            mine = and_(machines.c.name == name, machines.c.process == process)
            connection.execute(delete(machines).where(mine))

    def nodes(self) -> list[Node]:
        """See :class:`RunStore`."""
        with self._database.read() as connection:
            rows = connection.execute(select(machines).order_by(machines.c.name)).mappings()
            return [mapping.node_of(row) for row in rows]

    def publish(self, catalog: Catalog) -> None:
        """See :class:`RunStore`."""
        columns = {"id": 1, "content": mapping.catalog_text(catalog)}
        with self._database.write() as connection:
            connection.execute(_upsert(connection, tables.catalog, columns))

    def catalog(self) -> Catalog | None:
        """See :class:`RunStore`."""
        with self._database.read() as connection:
            content = connection.scalar(select(tables.catalog.c.content))
        return None if content is None else mapping.catalog_of(content)

    def space_of(self, run: Run) -> SearchSpace | None:
        """See :class:`RunStore`."""
        catalog = self.catalog()
        return None if catalog is None else space_in(catalog, run.config)

    # Parts --------------------------------------------------------------------------------

    def _now(self) -> int:
        return mapping.micros(self._clock.now())

    def _runs(self, query: Select[Any]) -> list[Run]:
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [mapping.run_of(row) for row in rows]

    def _snapshots(self, run_id: int, query: Select[Any]) -> list[Snapshot]:
        with self._database.read() as connection:
            _require(connection, run_id)
            layout = _layout(connection, run_id)
            names = _series_names(connection, run_id)
            rows = connection.execute(query).mappings().all()
        if layout is None:
            return []
        return [mapping.snapshot_of(row, layout, names) for row in rows]

    def _log(
        self,
        connection: Connection,
        row: mapping.Row,
        kind: EventKind,
        words: str,
        *,
        before: RunState | None = None,
        after: RunState | None = None,
    ) -> None:
        line = RunEvent(self._clock.now(), row["attempt"], kind, words, before, after)
        connection.execute(event.insert().values(mapping.event_columns(row["id"], line)))

    def _changes_of(
        self,
        to: RunState,
        *,
        failure: FailureReason | None = None,
        error: str | None = None,
        crashed: bool = False,
    ) -> dict[str, Any]:
        changes: dict[str, Any] = {
            "state": to.value,
            "request": None,
            "device": None,
            "handle": None,
            "waiting": None,
        }
        if crashed:
            changes["crashes"] = run.c.crashes + 1
        if to is RunState.QUEUED:
            fresh = _in_states({RunState.FAILED, RunState.PAUSED})
            changes["crashes"] = case((fresh, 0), else_=run.c.crashes + int(crashed))
            changes |= {"failure": None, "error": None, "ended_us": None}
        elif to in ENDED:
            changes |= {"failure": mapping.word(failure), "error": error, "ended_us": self._now()}
        return changes

    def _lease(self, connection: Connection, row: mapping.Row, device: Device) -> bool:
        """Take the first free place of a device; false if there is none."""
        for place in range(device.places):
            columns = {
                "node": row["node"],
                "device": device.id,
                "place": place,
                "run_id": row["id"],
                "attempt": row["attempt"],
            }
            taken = _insert(connection, lease).values(columns).on_conflict_do_nothing()
            if connection.execute(taken.returning(lease.c.place)).first() is not None:
                return True
        return False

    def _rewind(self, connection: Connection, row: mapping.Row) -> mapping.Row:
        """Delete the history past the last checkpoint and set progress back to it."""
        run_id = row["id"]
        last = select(saves).where(saves.c.run_id == run_id)
        last = last.order_by(saves.c.step.desc()).limit(1)
        saved = connection.execute(last).mappings().first()
        step = -1 if saved is None else saved["step"]
        past = and_(snapshot.c.run_id == run_id, snapshot.c.step > step)
        connection.execute(delete(snapshot).where(past))
        progress = Progress()
        if saved is not None:
            kept = select(snapshot.c.seconds).where(snapshot.c.run_id == run_id)
            seconds = connection.scalar(kept.order_by(snapshot.c.step.desc()).limit(1))
            progress = mapping.progress_at(row, mapping.checkpoint_of(saved), seconds or 0.0)
        changed = _update(connection, run_id, mapping.progress_columns(progress))
        return row if changed is None else changed


def space_in(catalog: Catalog, config: SearchConfig) -> SearchSpace | None:
    """The configured space in a catalogue; None for a space that is gone."""
    try:
        return catalog.space(config.space).with_nodes(config.nodes)
    except InvalidConfig:
        return None


def _in_states(states: Iterable[RunState]) -> ColumnElement[bool]:
    return run.c.state.in_(sorted(state.value for state in states))


def _run_row(connection: Connection, run_id: int, *, lock: bool = False) -> mapping.Row:
    query = select(run).where(run.c.id == run_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise refusals.no_such_run(run_id)
    return row


def _require(connection: Connection, run_id: int) -> None:
    if connection.scalar(select(run.c.id).where(run.c.id == run_id)) is None:
        raise refusals.no_such_run(run_id)


def _update(
    connection: Connection,
    run_id: int,
    changes: Mapping[str, Any],
    *conditions: ColumnElement[bool],
) -> mapping.Row | None:
    """Change a run if the conditions hold, and return its new row."""
    statement = sql_update(run).where(run.c.id == run_id, *conditions).values(dict(changes))
    return connection.execute(statement.returning(run)).mappings().first()


def _fenced_update(
    connection: Connection, run_id: int, attempt: int, changes: Mapping[str, Any]
) -> mapping.Row:
    """Change a run that this attempt still owns."""
    mine = (run.c.attempt == attempt, run.c.state == RunState.RUNNING.value)
    row = _update(connection, run_id, changes, *mine)
    if row is None:
        found = _run_row(connection, run_id)
        raise refusals.fenced(run_id, attempt, RunState(found["state"]), found["attempt"])
    return row


def _free(connection: Connection, run_id: int) -> None:
    connection.execute(delete(lease).where(lease.c.run_id == run_id))


def _insert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def _upsert(
    connection: Connection,
    table: Table,
    columns: Mapping[str, Any],
    *,
    where: ColumnElement[bool] | None = None,
) -> Any:
    """Insert a row, or replace the one with its key where the condition holds."""
    keys = [column.name for column in table.primary_key]
    values = {name: value for name, value in columns.items() if name not in keys}
    statement = _insert(connection, table).values(dict(columns))
    return statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)


def _taken(connection: Connection, name: str) -> Exception:
    row = connection.execute(select(machines).where(machines.c.name == name)).mappings().first()
    if row is None:
        return refusals.no_such_node(name)
    other = mapping.node_of(row)
    return refusals.node_taken(name, other.process, other.heartbeat_at)


def _layout(connection: Connection, run_id: int) -> mapping.Layout | None:
    query = select(tables.layout).where(tables.layout.c.run_id == run_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else mapping.layout_of(row)


def _series_names(connection: Connection, run_id: int) -> dict[int, str]:
    query = select(tables.series.c.id, tables.series.c.name)
    rows = connection.execute(query.where(tables.series.c.run_id == run_id))
    return {row.id: row.name for row in rows}


def _frame_query(run_id: int, after: int, limit: int, stride: int) -> Select[Any]:
    """(step, epoch, enc, probabilities, codes) of the snapshots that become frames.

    With a stride the numbers ``seq`` are counted out first, and each of them is
    one look-up by primary key.
    """
    columns = snapshot.c
    query = select(columns.step, columns.epoch, columns.enc, columns.probabilities, columns.codes)
    if stride == 1:
        chosen = query.where(columns.run_id == run_id, columns.step > after)
        return chosen.order_by(columns.step).limit(limit)
    mine = columns.run_id == run_id
    first = select(func.min(columns.seq)).where(mine, columns.step > after).scalar_subquery()
    last = select(func.max(columns.seq)).where(mine).scalar_subquery()
    start = select(((first + stride - 1) // stride * stride).label("seq"))
    picked = start.cte("picked", recursive=True)
    onward = select(picked.c.seq + stride).where(picked.c.seq + stride <= last)
    picked = picked.union_all(onward)
    joined = query.join_from(picked, snapshot, and_(mine, columns.seq == picked.c.seq))
    return joined.order_by(columns.seq).limit(limit)


def _insert_snapshots(connection: Connection, run_id: int, snapshots: Sequence[Snapshot]) -> None:
    layout = _layout(connection, run_id)
    if layout is None:
        layout = mapping.layout_of_snapshot(snapshots[0])
        columns = mapping.layout_columns(run_id, layout)
        connection.execute(tables.layout.insert().values(columns))
    numbers = _series_numbers(connection, run_id, snapshots)
    latest = {one.step: one for one in snapshots}
    places = _places(connection, run_id, sorted(latest))
    connection.execute(
        delete(snapshot).where(snapshot.c.run_id == run_id, snapshot.c.step.in_(list(latest)))
    )
    rows = [
        {
            "run_id": run_id,
            "seq": place,
            **mapping.snapshot_columns(latest[step], layout, numbers),
        }
        for step, place in places.items()
    ]
    connection.execute(snapshot.insert(), rows)


def _places(connection: Connection, run_id: int, steps: Sequence[int]) -> dict[int, int]:
    """``seq`` of each step: its present one, or the next ones for new steps."""
    mine = snapshot.c.run_id == run_id
    last = select(snapshot.c.step, snapshot.c.seq).where(mine)
    latest = connection.execute(last.order_by(snapshot.c.seq.desc()).limit(1)).first()
    last_step, last_seq = (-1, -1) if latest is None else latest
    known: dict[int, int] = {}
    if steps[0] <= last_step:
        present = select(snapshot.c.step, snapshot.c.seq).where(mine, snapshot.c.step.in_(steps))
        known = {row.step: row.seq for row in connection.execute(present)}
    new = [step for step in steps if step not in known]
    if new and new[0] < last_step:
        raise ValueError(f"step {new[0]} of run {run_id} comes after step {last_step}")
    return known | {step: last_seq + 1 + place for place, step in enumerate(new)}


def _series_numbers(
    connection: Connection, run_id: int, snapshots: Sequence[Snapshot]
) -> dict[str, int]:
    """The number of each metric of a run; new ones are added."""
    numbers = {name: number for number, name in _series_names(connection, run_id).items()}
    names = dict.fromkeys(name for one in snapshots for name in one.metrics)
    new = [name for name in names if name not in numbers]
    added = {name: len(numbers) + place for place, name in enumerate(new)}
    if added:
        rows = [{"run_id": run_id, "id": number, "name": name} for name, number in added.items()]
        connection.execute(tables.series.insert(), rows)
    return numbers | added
