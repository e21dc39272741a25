"""Jobs: what was asked about runs, who works on it, and the answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy import update as sql_update
from sqlalchemy.sql.elements import ColumnElement

from engine.domain.jobs import ENDED, FAILED, Job, JobState, question_digest
from storage import mapping, refusals, tables
from storage.sql.room import Room, insert_into, require_run

job = tables.job


class JobRows(Room):
    """The part of :class:`~engine.domain.ports.RunStore` that is about jobs."""

    def ask_job(
        self,
        run_id: int | None,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        afresh: bool = False,
    ) -> Job:
        """See :class:`RunStore`."""
        columns = mapping.asked_columns(run_id, kind, arguments, self.clock.now())
        fresh = {
            "state": JobState.WAITING.value,
            "created_us": columns["created_us"],
            "crashes": 0,
            **dict.fromkeys(("node", "handle", "started_us", "ended_us", "result", "error")),
        }
        ended = job.c.state.in_([state.value for state in (ENDED if afresh else FAILED)])
        same = select(job).where(*_same(run_id, columns["digest"]))
        with self.database.write() as connection:
            if run_id is not None:
                require_run(connection, run_id)
            statement = insert_into(connection, job).values(columns)
            statement = statement.on_conflict_do_update(
                index_elements=["digest"] if run_id is None else ["run_id", "digest"],
                index_where=job.c.run_id.is_(None) if run_id is None else None,
                set_=fresh,
                where=ended,
            )
            row = connection.execute(statement.returning(job)).mappings().first()
            return mapping.job_of(row or connection.execute(same).mappings().one())

    def asked_job(self, run_id: int | None, kind: str, arguments: Mapping[str, Any]) -> Job | None:
        """See :class:`RunStore`."""
        same = _same(run_id, question_digest(kind, arguments))
        with self.database.read() as connection:
            if run_id is not None:
                require_run(connection, run_id)
            row = connection.execute(select(job).where(*same)).mappings().first()
        return None if row is None else mapping.job_of(row)

    def job(self, job_id: int) -> Job:
        """See :class:`RunStore`."""
        with self.database.read() as connection:
            return mapping.job_of(_job_row(connection, job_id))

    def jobs(
        self, run_id: int | None = None, *, states: Iterable[JobState] | None = None
    ) -> list[Job]:
        """See :class:`RunStore`."""
        query = select(job).order_by(job.c.id.desc())
        if run_id is not None:
            query = query.where(job.c.run_id == run_id)
        if states is not None:
            query = query.where(job.c.state.in_(sorted(state.value for state in states)))
        with self.database.read() as connection:
            if run_id is not None:
                require_run(connection, run_id)
            return [mapping.job_of(row) for row in connection.execute(query).mappings()]

    def take_job(self, node: str, job_id: int | None = None) -> Job | None:
        """See :class:`RunStore`."""
        waiting = job.c.state == JobState.WAITING.value
        chosen = select(job.c.id).where(waiting).order_by(job.c.created_us, job.c.id).limit(1)
        if job_id is not None:
            chosen = chosen.where(job.c.id == job_id)
        changes = {
            "state": JobState.WORKING.value,
            "attempt": job.c.attempt + 1,
            "node": node,
            "handle": None,
            "started_us": self.now(),
        }
        with self.database.write() as connection:
            if job_id is not None:
                _job_row(connection, job_id)
            found = connection.scalar(chosen.with_for_update(skip_locked=True))
            if found is None:
                return None
            row = _update_job(connection, found, changes, waiting)
            return None if row is None else mapping.job_of(row)

    def set_job_handle(self, job_id: int, attempt: int, handle: str) -> None:
        """See :class:`RunStore`."""
        self._update_mine(job_id, attempt, {"handle": handle})

    def finish_job(
        self,
        job_id: int,
        attempt: int,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> Job:
        """See :class:`RunStore`."""
        columns = mapping.answer_columns(result, error)
        return self._update_mine(job_id, attempt, {**columns, "ended_us": self.now()})

    def return_job(self, job_id: int, attempt: int, *, crashed: bool = False) -> Job:
        """See :class:`RunStore`."""
        changes = {
            "state": JobState.WAITING.value,
            "crashes": job.c.crashes + int(crashed),
            "handle": None,
        }
        return self._update_mine(job_id, attempt, changes)

    def prune_jobs(self, *, keep: int) -> list[int]:
        """See :class:`RunStore`."""
        ended = job.c.state.in_([state.value for state in ENDED])
        over = (
            select(job.c.id)
            .where(job.c.run_id.is_(None), ended)
            .order_by(job.c.ended_us.desc(), job.c.id.desc())
        )
        with self.database.write() as connection:
            old = connection.scalars(over).all()[keep:]
            gone = delete(job).where(job.c.id.in_(old), ended).returning(job.c.id)
            return sorted(connection.scalars(gone))

    def _update_mine(self, job_id: int, attempt: int, changes: Mapping[str, Any]) -> Job:
        """Change a job on which this attempt still works."""
        mine = (job.c.attempt == attempt, job.c.state == JobState.WORKING.value)
        with self.database.write() as connection:
            row = _update_job(connection, job_id, changes, *mine)
            if row is None:
                found = _job_row(connection, job_id)
                raise refusals.job_fenced(job_id, attempt, found["state"], found["attempt"])
            return mapping.job_of(row)


def _same(run_id: int | None, digest: str) -> tuple[ColumnElement[bool], ...]:
    about = job.c.run_id.is_(None) if run_id is None else job.c.run_id == run_id
    return about, job.c.digest == digest


def _job_row(connection: Connection, job_id: int) -> mapping.Row:
    row = connection.execute(select(job).where(job.c.id == job_id)).mappings().first()
    if row is None:
        raise refusals.no_such_job(job_id)
    return row


def _update_job(
    connection: Connection,
    job_id: int,
    changes: Mapping[str, Any],
    *conditions: ColumnElement[bool],
) -> mapping.Row | None:
    statement = sql_update(job).where(job.c.id == job_id, *conditions).values(dict(changes))
    return connection.execute(statement.returning(job)).mappings().first()
