"""Jobs in the memory of one process."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from engine.domain.jobs import ENDED, FAILED, Job, JobState, question_digest
from engine.domain.ports import Clock
from engine.domain.run import Run
from storage import mapping, refusals


class MemoryJobs(ABC):
    """The part of :class:`~engine.domain.ports.RunStore` that is about jobs.

    Jobs are kept as rows, so that arguments and answers go through JSON as in
    a database.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._jobs: dict[int, dict[str, Any]] = {}
        self._last_job_id = 0

    @abstractmethod
    def run(self, run_id: int) -> Run:
        """See :class:`RunStore`."""

    def ask_job(
        self,
        run_id: int | None,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        afresh: bool = False,
    ) -> Job:
        """See :class:`RunStore`."""
        columns = mapping.asked_columns(run_id, kind, arguments, self._clock.now())
        with self._lock:
            same = self._same(run_id, columns["digest"])
            if same is not None:
                return self._asked_again(same, columns, ENDED if afresh else FAILED)
            self._last_job_id += 1
            empty = dict.fromkeys(("node", "handle", "started_us", "ended_us", "result", "error"))
            self._jobs[self._last_job_id] = {"id": self._last_job_id, **columns, **empty}
            return self.job(self._last_job_id)

    def asked_job(self, run_id: int | None, kind: str, arguments: Mapping[str, Any]) -> Job | None:
        """See :class:`RunStore`."""
        with self._lock:
            row = self._same(run_id, question_digest(kind, arguments))
            return None if row is None else mapping.job_of(row)

    def _same(self, run_id: int | None, digest: str) -> dict[str, Any] | None:
        if run_id is not None:
            self.run(run_id)
        same = (run_id, digest)
        found = (row for row in self._jobs.values() if (row["run_id"], row["digest"]) == same)
        return next(found, None)

    def _asked_again(
        self, row: dict[str, Any], columns: Mapping[str, Any], ended: frozenset[JobState]
    ) -> Job:
        if row["state"] in ended:
            empty = dict.fromkeys(("node", "handle", "started_us", "ended_us", "result", "error"))
            row.update({**columns, **empty, "attempt": row["attempt"]})
        return mapping.job_of(row)

    def job(self, job_id: int) -> Job:
        """See :class:`RunStore`."""
        with self._lock:
            return mapping.job_of(self._job_row(job_id))

    def jobs(
        self, run_id: int | None = None, *, states: Iterable[JobState] | None = None
    ) -> list[Job]:
        """See :class:`RunStore`."""
        wanted = frozenset(JobState) if states is None else frozenset(states)
        with self._lock:
            if run_id is not None:
                self.run(run_id)
            found = [mapping.job_of(row) for row in reversed(self._jobs.values())]
        return [job for job in found if job.state in wanted and run_id in (None, job.run_id)]

    def take_job(self, node: str, job_id: int | None = None) -> Job | None:
        """See :class:`RunStore`."""
        with self._lock:
            if job_id is not None:
                self._job_row(job_id)
            waiting = self.jobs(states={JobState.WAITING})
            chosen = [job for job in waiting if job_id in (None, job.id)]
            if not chosen:
                return None
            first = min(chosen, key=lambda job: (job.created_at, job.id))
            self._jobs[first.id].update(
                state=JobState.WORKING.value,
                attempt=first.attempt + 1,
                node=node,
                handle=None,
                started_us=mapping.micros(self._clock.now()),
            )
            return self.job(first.id)

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
        ended = {"ended_us": mapping.micros(self._clock.now())}
        return self._update_mine(
            job_id, attempt, {**mapping.answer_columns(result, error), **ended}
        )

    def return_job(self, job_id: int, attempt: int, *, crashed: bool = False) -> Job:
        """See :class:`RunStore`."""
        with self._lock:
            crashes = self._job_row(job_id)["crashes"] + int(crashed)
            changes = {"state": JobState.WAITING.value, "crashes": crashes, "handle": None}
            return self._update_mine(job_id, attempt, changes)

    def prune_jobs(self, *, keep: int) -> list[int]:
        """See :class:`RunStore`."""
        with self._lock:
            ended = [
                (row["ended_us"], key)
                for key, row in self._jobs.items()
                if row["run_id"] is None and row["state"] in ENDED
            ]
            old = sorted(key for _, key in sorted(ended, reverse=True)[keep:])
            self._jobs = {key: row for key, row in self._jobs.items() if key not in old}
            return old

    def _forget_jobs(self, run_id: int) -> None:
        self._jobs = {key: row for key, row in self._jobs.items() if row["run_id"] != run_id}

    def _job_row(self, job_id: int) -> dict[str, Any]:
        if job_id not in self._jobs:
            raise refusals.no_such_job(job_id)
        return self._jobs[job_id]

    def _update_mine(self, job_id: int, attempt: int, changes: Mapping[str, Any]) -> Job:
        with self._lock:
            row = self._job_row(job_id)
            if (row["state"], row["attempt"]) != (JobState.WORKING.value, attempt):
                raise refusals.job_fenced(job_id, attempt, row["state"], row["attempt"])
            row.update(changes)
            return self.job(job_id)
