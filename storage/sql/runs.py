"""Runs: their rows, states, leases and wishes."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, Connection, Select, and_, case, cast, delete, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from engine.domain.config import AnyConfig, Purpose
from engine.domain.errors import FailureReason
from engine.domain.ports import Device
from engine.domain.run import ENDED, EventKind, Progress, Request, Run, RunState, sources_of
from engine.domain.run_list import RunSummary
from storage import mapping, refusals, tables
from storage.sql.room import (
    Room,
    in_states,
    insert_into,
    require_run,
    run_row,
    update_fenced,
    update_run,
)

run, snapshot = tables.run, tables.snapshot
saves, lease = tables.checkpoint, tables.gpu_lease

SUMMARY_SETTINGS = ("task", "data", "epochs")
SUMMARY_COLUMNS = (
    "id",
    "name",
    "state",
    "request",
    "purpose",
    "created_us",
    "started_us",
    "waiting",
    "parent_id",
    "tags",
    "notes",
    "archived",
    *mapping.progress_columns(Progress()),
)

DELETABLE = ENDED | {RunState.PAUSED}
"""States in which a run may be deleted."""


class RunRows(Room):
    """The part of :class:`~engine.domain.ports.RunStore` that is about runs themselves."""

    def create(
        self,
        config: AnyConfig,
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
            created_at=self.clock.now(),
            priority=priority,
            parent_id=parent_id,
        )
        with self.database.write() as connection:
            if parent_id is not None:
                require_run(connection, parent_id)
            columns = mapping.run_columns(new)
            row = connection.execute(run.insert().values(columns).returning(run)).mappings().one()
            why = "created" if parent_id is None else f"forked from run {parent_id}"
            self.log(connection, row, EventKind.CREATED, why, after=RunState.QUEUED)
            return mapping.run_of(row)

    def run(self, run_id: int) -> Run:
        """See :class:`RunStore`."""
        with self.database.read() as connection:
            return mapping.run_of(run_row(connection, run_id))

    def runs(
        self,
        states: Iterable[RunState] | None = None,
        *,
        purpose: Purpose | None = None,
        parent_id: int | None = None,
    ) -> list[Run]:
        """See :class:`RunStore`."""
        query = select(run).order_by(run.c.id.desc())
        if states is not None:
            query = query.where(in_states(states))
        if purpose is not None:
            query = query.where(run.c.purpose == purpose)
        if parent_id is not None:
            query = query.where(run.c.parent_id == parent_id)
        return self._runs(query)

    def queue(self) -> list[Run]:
        """See :class:`RunStore`."""
        query = select(run).where(run.c.state == RunState.QUEUED.value)
        return self._runs(query.order_by(run.c.priority.desc(), run.c.id))

    def delete(self, run_id: int) -> None:
        """See :class:`RunStore`."""
        statement = delete(run).where(run.c.id == run_id, in_states(DELETABLE))
        with self.database.write() as connection:
            if connection.execute(statement).rowcount == 0:
                state = RunState(run_row(connection, run_id)["state"])
                raise refusals.wrong_state(f"deleting run {run_id}", state, DELETABLE)

    def set_priority(self, run_id: int, priority: int) -> None:
        """See :class:`RunStore`."""
        with self.database.write() as connection:
            row = update_run(connection, run_id, {"priority": priority})
            if row is None:
                raise refusals.no_such_run(run_id)
            self.log(connection, row, EventKind.NOTE, f"priority {priority}")

    def summaries(self) -> list[RunSummary]:
        """See :class:`RunStore`."""
        with self.database.read() as connection:
            settings = [_setting(connection, name) for name in SUMMARY_SETTINGS]
            query = select(*(run.c[name] for name in SUMMARY_COLUMNS), *settings)
            rows = connection.execute(query.order_by(run.c.id.desc())).mappings().all()
        return [mapping.summary_of(row) for row in rows]

    def annotate(
        self,
        run_id: int,
        *,
        tags: Iterable[str] | None = None,
        notes: str | None = None,
        archived: bool | None = None,
    ) -> Run:
        """See :class:`RunStore`."""
        changes = mapping.annotation_columns(tags, notes, archived)
        with self.database.write() as connection:
            row = update_run(connection, run_id, changes) if changes else None
            return mapping.run_of(run_row(connection, run_id) if row is None else row)

    def ask(self, run_id: int, request: Request) -> Run:
        """See :class:`RunStore`."""
        stop = literal(Request.STOP.value)
        wish = case((run.c.request == stop, stop), else_=literal(request.value))
        with self.database.write() as connection:
            row = update_run(connection, run_id, {"request": wish}, in_states({RunState.RUNNING}))
            if row is None:
                state = RunState(run_row(connection, run_id)["state"])
                asked = f"a {request.value} of run {run_id}"
                raise refusals.wrong_state(asked, state, {RunState.RUNNING})
            self.log(connection, row, EventKind.REQUEST, request.value)
            return mapping.run_of(row)

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
        changes = self._changes_of(to, failure=failure, error=error, crashed=crashed)
        conditions = [in_states(allowed)]
        if attempt is not None:
            conditions += [run.c.attempt == attempt, in_states({RunState.RUNNING})]
        with self.database.write() as connection:
            before = run_row(connection, run_id, lock=True)
            row = update_run(connection, run_id, changes, *conditions)
            if row is None:
                state = RunState(before["state"])
                if attempt is not None and (state, before["attempt"]) != (
                    RunState.RUNNING,
                    attempt,
                ):
                    raise refusals.fenced(run_id, attempt, state, before["attempt"])
                asked = f"run {run_id} to become {to.value!r}"
                raise refusals.wrong_state(asked, state, allowed)
            free(connection, run_id)
            self.log(
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
        now = self.now()
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
        with self.database.write() as connection:
            row = update_run(connection, run_id, changes, in_states({RunState.QUEUED}))
            if row is None:
                require_run(connection, run_id)
                return None
            if not self._lease(connection, row, device):
                connection.rollback()
                return None
            row = self._rewind(connection, row)
            why = f"attempt {row['attempt']} on {node}, device {device.id}"
            self.log(
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
            in_states({RunState.RUNNING}),
            run.c.node == from_node,
            run.c.attempt == attempt,
        )
        with self.database.write() as connection:
            row = update_run(connection, run_id, changes, *conditions)
            if row is None:
                require_run(connection, run_id)
                return False
            free(connection, run_id)
            self.log(
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
        with self.database.write() as connection:
            update_fenced(connection, run_id, attempt, {"handle": handle})

    def set_waiting(self, run_id: int, reason: str | None) -> None:
        """See :class:`RunStore`."""
        with self.database.write() as connection:
            row = update_run(connection, run_id, {"waiting": reason}, in_states({RunState.QUEUED}))
            if row is None:
                require_run(connection, run_id)

    def beat(self, run_id: int, attempt: int) -> Request | None:
        """See :class:`RunStore`."""
        with self.database.write() as connection:
            row = update_fenced(connection, run_id, attempt, {"heartbeat_us": self.now()})
            return None if row["request"] is None else Request(row["request"])

    def _runs(self, query: Select[Any]) -> list[Run]:
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [mapping.run_of(row) for row in rows]

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
            fresh = in_states({RunState.FAILED, RunState.PAUSED})
            changes["crashes"] = case((fresh, 0), else_=run.c.crashes + int(crashed))
            changes |= {"failure": None, "error": None, "ended_us": None}
        elif to in ENDED:
            changes |= {
                "failure": mapping.word(failure),
                "error": error and mapping.storable(error),
                "ended_us": self.now(),
            }
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
            taken = insert_into(connection, lease).values(columns).on_conflict_do_nothing()
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
        changed = update_run(connection, run_id, mapping.progress_columns(progress))
        return row if changed is None else changed


def _setting(connection: Connection, name: str) -> ColumnElement[str]:
    """One setting out of the text of all of them, read by the database."""
    if connection.dialect.name == "sqlite":
        return func.json_extract(run.c.config, f"$.{name}").label(name)
    return cast(run.c.config, JSON)[name].as_string().label(name)


def free(connection: Connection, run_id: int) -> None:
    """Give the device of a run back."""
    connection.execute(delete(lease).where(lease.c.run_id == run_id))
