"""What all rooms of the SQL store share: the connection, the log, and its statements."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from engine.domain.ports import Clock
from engine.domain.run import EventKind, RunEvent, RunState
from storage import mapping, refusals, tables
from storage.session import Database

run, event = tables.run, tables.event


class Room:
    """One subject of the store, on the database that all of them share.

    Attributes:
        database: Where the rows are.
        clock: Source of all instants that the store writes by itself.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    def now(self) -> int:
        """The present moment as a column holds it."""
        return mapping.micros(self.clock.now())

    def log(
        self,
        connection: Connection,
        row: mapping.Row,
        kind: EventKind,
        words: str,
        *,
        before: RunState | None = None,
        after: RunState | None = None,
    ) -> None:
        """Add a line to the log of the run in a row."""
        line = RunEvent(self.clock.now(), row["attempt"], kind, words, before, after)
        connection.execute(event.insert().values(mapping.event_columns(row["id"], line)))


def in_states(states: Iterable[RunState]) -> ColumnElement[bool]:
    """Whether a run is in one of the states."""
    return run.c.state.in_(sorted(state.value for state in states))


def run_row(connection: Connection, run_id: int, *, lock: bool = False) -> mapping.Row:
    """The row of a run. Raises :class:`NotFound`."""
    query = select(run).where(run.c.id == run_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise refusals.no_such_run(run_id)
    return row


def require_run(connection: Connection, run_id: int) -> None:
    """Raise :class:`NotFound` unless the run exists."""
    if connection.scalar(select(run.c.id).where(run.c.id == run_id)) is None:
        raise refusals.no_such_run(run_id)


def update_run(
    connection: Connection,
    run_id: int,
    changes: Mapping[str, Any],
    *conditions: ColumnElement[bool],
) -> mapping.Row | None:
    """Change a run if the conditions hold, and return its new row."""
    statement = sql_update(run).where(run.c.id == run_id, *conditions).values(dict(changes))
    return connection.execute(statement.returning(run)).mappings().first()


def update_fenced(
    connection: Connection, run_id: int, attempt: int, changes: Mapping[str, Any]
) -> mapping.Row:
    """Change a run that this attempt still owns."""
    mine = (run.c.attempt == attempt, run.c.state == RunState.RUNNING.value)
    row = update_run(connection, run_id, changes, *mine)
    if row is None:
        found = run_row(connection, run_id)
        raise refusals.fenced(run_id, attempt, RunState(found["state"]), found["attempt"])
    return row


def insert_into(connection: Connection, table: Table) -> Any:
    """An insert that can have an ON CONFLICT clause."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def upsert_into(
    connection: Connection,
    table: Table,
    columns: Mapping[str, Any],
    *,
    where: ColumnElement[bool] | None = None,
) -> Any:
    """Insert a row, or replace the one with its key where the condition holds."""
    keys = [column.name for column in table.primary_key]
    values = {name: value for name, value in columns.items() if name not in keys}
    statement = insert_into(connection, table).values(dict(columns))
    return statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)
