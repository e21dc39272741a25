"""Changes of searches that go on: wishes, and when they came into force."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy import update as sql_update

from engine.domain.config import SearchConfig
from engine.domain.jobs import canonical
from engine.domain.run import EventKind, RunState
from engine.domain.steering import Change
from storage import changes, mapping, refusals, tables
from storage.sql.room import Room, require_run, run_row, update_fenced, update_run

change = tables.change


class ChangeRows(Room):
    """The part of :class:`~engine.domain.ports.RunStore` that is about changes."""

    def ask_change(self, run_id: int, settings: Mapping[str, Any]) -> Change:
        """See :class:`RunStore`."""
        allowed = refusals.CHANGEABLE | {RunState.RUNNING}
        with self.database.write() as connection:
            row = run_row(connection, run_id, lock=True)
            state = RunState(row["state"])
            if state not in allowed:
                raise refusals.wrong_state(f"a change of run {run_id}", state, allowed)
            last = select(func.max(change.c.number)).where(change.c.run_id == run_id)
            number = (connection.scalar(last) or 0) + 1
            asked = Change(number, self.clock.now(), json.loads(canonical(settings)))
            columns = {"run_id": run_id, **mapping.change_columns(asked)}
            connection.execute(change.insert().values(columns))
            self.log(connection, row, EventKind.REQUEST, changes.asked_words(asked))
            return asked

    def changes(self, run_id: int) -> list[Change]:
        """See :class:`RunStore`."""
        query = select(change).where(change.c.run_id == run_id).order_by(change.c.number)
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
            if not rows:
                require_run(connection, run_id)
        return [mapping.change_of(row) for row in rows]

    def take_change(
        self,
        run_id: int,
        number: int,
        config: SearchConfig,
        *,
        step: int,
        attempt: int | None = None,
    ) -> Change:
        """See :class:`RunStore`."""
        with self.database.write() as connection:
            row = run_row(connection, run_id, lock=True)
            state = RunState(row["state"])
            if attempt is None and state not in refusals.CHANGEABLE:
                asked = f"a change of run {run_id} at once"
                raise refusals.wrong_state(asked, state, refusals.CHANGEABLE)
            if attempt is not None:
                update_fenced(connection, run_id, attempt, {"attempt": attempt})
            run, taken = changes.taken(
                mapping.run_of(row), _change(connection, run_id, number), config, step
            )
            self._write(connection, run_id, taken)
            update_run(
                connection,
                run_id,
                {"config": config.model_dump_json(), "total_steps": run.progress.total_steps},
            )
            self.log(connection, row, EventKind.CHANGE, changes.taken_words(taken))
            return taken

    def refuse_change(self, run_id: int, number: int, why: str) -> None:
        """See :class:`RunStore`."""
        with self.database.write() as connection:
            row = run_row(connection, run_id, lock=True)
            found = _change(connection, run_id, number)
            changes.require_pending(run_id, found)
            mine = (change.c.run_id == run_id, change.c.number == number)
            connection.execute(sql_update(change).where(*mine).values(refused=why))
            self.log(connection, row, EventKind.CHANGE, changes.refused_words(found, why))

    def _write(self, connection: Connection, run_id: int, taken: Change) -> None:
        mine = (change.c.run_id == run_id, change.c.number == taken.number)
        columns = mapping.change_columns(taken)
        connection.execute(sql_update(change).where(*mine).values(columns))


def _change(connection: Connection, run_id: int, number: int) -> Change:
    query = select(change).where(change.c.run_id == run_id, change.c.number == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise refusals.no_such_change(run_id, number)
    return mapping.change_of(row)
