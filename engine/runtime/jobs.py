"""One attempt at one job, in a process of its own."""

import logging
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import torch

from engine.domain.errors import FailureReason, Fenced, InvalidConfig, NotFound, StudioError
from engine.domain.jobs import JobState
from engine.domain.ports import ArtifactStore, RunStore
from engine.runtime.failures import explain
from engine.runtime.job_context import JobContext, Perform, folder_without_run
from engine.runtime.job_table import JOBS
from engine.runtime.worker import set_up_torch

log = logging.getLogger(__name__)

KEPT_WITHOUT_RUN = 50
"""So many answers about settings are kept, the latest ones; there is no run to go with."""


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
    data_roots: Sequence[Path] = (),
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
        data_roots: Folders in which the data of settings without a run have to
            lie; none means anywhere. Those of a run were checked before.
        table: What can be asked.

    Returns:
        The exit code, one of :class:`JobExit`.
    """
    try:
        job = store.job(job_id)
        run = None if job.run_id is None else store.run(job.run_id)
    except NotFound as refusal:
        log.warning("job %d: %s", job_id, refusal)
        return JobExit.FENCED
    if job.attempt != attempt or job.state is not JobState.WORKING:
        log.warning("job %d: attempt %d is not the present one", job_id, attempt)
        return JobExit.FENCED
    context = JobContext(store, artifacts, run, job, device_at_hand(), cache, data_roots)
    result, error = _answer(context, table)
    try:
        store.finish_job(job_id, attempt, result=result, error=error)
    except NotFound:
        log.warning("job %d: its run was deleted meanwhile", job_id)
        artifacts.delete_below(context.folder)
        return JobExit.FENCED
    except Fenced as refusal:
        log.warning("job %d: %s", job_id, refusal)
        return JobExit.FENCED
    if run is None:
        for old in store.prune_jobs(keep=KEPT_WITHOUT_RUN):
            artifacts.delete_below(folder_without_run(old))
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
        set_up_torch(context.config, context.device)
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
