"""One attempt at one job, in a process of its own."""

import logging
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

import torch

from engine.domain.errors import FailureReason, Fenced, InvalidConfig, NotFound, StudioError
from engine.domain.jobs import JobState
from engine.domain.ports import ArtifactStore, RunStore
from engine.runtime.failures import explain
from engine.runtime.job_context import JobContext, Perform
from engine.runtime.job_table import JOBS
from engine.runtime.worker import set_up_torch

log = logging.getLogger(__name__)


class JobExit(IntEnum):
    """What a job's process ends with."""

    DONE = 0
    FAILED = 1
    FENCED = 3


def perform(
    store: RunStore,
    artifacts: ArtifactStore,
    job_id: int,
    attempt: int,
    *,
    cache: Path | None = None,
    table: Mapping[str, Perform] = JOBS,
) -> int:
    """Work out a job's answer and write it, or the sentence that says why there is none.

    An error that nobody foresaw is raised: the process dies, and the engine
    lets another one try, a limited number of times.

    Args:
        store: The database.
        artifacts: Where checkpoints lie and files go.
        job_id: The job.
        attempt: The attempt that this process is; another one fences it.
        cache: Folder for downloaded data sets.
        table: What can be asked.

    Returns:
        The exit code, one of :class:`JobExit`.
    """
    try:
        job = store.job(job_id)
        run = store.run(job.run_id)
    except NotFound as refusal:
        log.warning("job %d: %s", job_id, refusal)
        return JobExit.FENCED
    if job.attempt != attempt or job.state is not JobState.WORKING:
        log.warning("job %d: attempt %d is not the present one", job_id, attempt)
        return JobExit.FENCED
    device = device_at_hand()
    set_up_torch(run.config, device)
    context = JobContext(store, artifacts, run, job, device, cache)
    result, error = _answer(context, table)
    try:
        store.finish_job(job_id, attempt, result=result, error=error)
    except NotFound:
        log.warning("job %d: its run was deleted meanwhile", job_id)
        for key in artifacts.keys(context.folder):
            artifacts.delete(key)
        return JobExit.FENCED
    except Fenced as refusal:
        log.warning("job %d: %s", job_id, refusal)
        return JobExit.FENCED
    return JobExit.DONE if error is None else JobExit.FAILED


def device_at_hand() -> torch.device:
    """The GPU that the engine shows this process, or the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def _answer(
    context: JobContext, table: Mapping[str, Perform]
) -> tuple[Mapping[str, Any] | None, str | None]:
    """The answer, or the sentence."""
    job = context.job
    try:
        if job.kind not in table:
            raise _unknown_kind(job.kind, table)
        return table[job.kind](context, job.arguments), None
    except StudioError as error:
        log.warning("job %d: %s", job.id, error)
        return None, str(error)
    except (RuntimeError, MemoryError, OSError) as error:
        reason, sentence = explain(error)
        if reason is FailureReason.CRASHED:
            raise
        log.warning("job %d", job.id, exc_info=error)
        return None, sentence


def _unknown_kind(kind: str, table: Mapping[str, Perform]) -> InvalidConfig:
    return InvalidConfig(
        asked=f"a job of the kind {kind!r}",
        found="no such kind in this version of the engine",
        allowed=f"one of {', '.join(table)}",
        advice="update the engine, or ask for one of these",
    )
