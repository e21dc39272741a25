"""What pages and commands ask of an engine beside the searches, and how it stands.

A question is a row; an engine works it out in a process of its own. The same
question asked again, by anybody, is the same job with the same answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.studio import Studio
from engine.data.inspection import check_place
from engine.domain.config import make_config
from engine.domain.errors import InvalidConfig, NotFound
from engine.domain.jobs import KINDS, OPEN, WITHOUT_RUN, Job, JobState

OF_A_CHECKPOINT = frozenset({"child", "export"})
"""Kinds whose answer depends on the weights, and so on the checkpoint."""

ENGINE_COMMAND = "egs engine"


@dataclass(frozen=True)
class Standing:
    """A job as people see it.

    Attributes:
        job: The job.
        words: How it stands, in a sentence without a full stop where it is
            open or done; the refusal where it failed.
        needs_engine: Whether it waits and no engine lives.
    """

    job: Job
    words: str
    needs_engine: bool = False


def ask(
    studio: Studio,
    run_id: int | None,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    afresh: bool = False,
) -> Job:
    """Ask something about a run, or about the settings in the arguments; returns at once.

    Without a ``step``, what depends on weights is asked of the newest
    checkpoint there is now, so that a later one is another question.

    Args:
        studio: The use cases.
        run_id: The run; None for kinds that are about settings.
        kind: What is asked.
        arguments: What exactly.
        afresh: Whether an answer that is there already shall be forgotten.

    Raises:
        InvalidConfig: There is no such kind, it is not about that, the
            settings do not fit, or the arguments have no JSON form.
        DataError: The data of the settings are not there, or may not be read.
        NotFound: The run or, where one is needed, a checkpoint does not exist.
    """
    if kind not in KINDS:
        raise InvalidConfig(
            asked=f"a job of the kind {kind!r}",
            found="no such kind",
            allowed=f"one of {', '.join(KINDS)}",
            advice="choose one of these",
        )
    if run_id is None:
        _check_settings(studio, kind, arguments)
        return studio.store.ask_job(None, kind, arguments, afresh=afresh)
    wanted = _with_step(studio, run_id, kind, arguments)
    return studio.store.ask_job(run_id, kind, wanted, afresh=afresh)


def _check_settings(studio: Studio, kind: str, arguments: Mapping[str, Any]) -> None:
    """What can be refused before an engine looks."""
    settings = arguments.get("config")
    if kind not in WITHOUT_RUN or not isinstance(settings, Mapping):
        raise InvalidConfig(
            asked=f"a job of the kind {kind!r} without a run",
            found="no settings that it could be about",
            allowed=f"settings under 'config', for one of {', '.join(sorted(WITHOUT_RUN))}",
            advice="ask about a run, or about settings",
        )
    check_place(make_config(settings), studio.data_roots)


def find(studio: Studio, run_id: int | None, kind: str, arguments: Mapping[str, Any]) -> Job | None:
    """The job that :func:`ask` would return, if the question has been asked already.

    Raises:
        NotFound: The run does not exist.
    """
    if run_id is None:
        return studio.store.asked_job(None, kind, arguments)
    try:
        wanted = _with_step(studio, run_id, kind, arguments)
    except NotFound:
        studio.store.run(run_id)
        return None
    return studio.store.asked_job(run_id, kind, wanted)


def standing(studio: Studio, job_id: int) -> Standing:
    """How a job stands now.

    Raises:
        NotFound: It does not exist; a deleted run takes its jobs along.
    """
    job = studio.store.job(job_id)
    if job.state is JobState.FAILED:
        return Standing(job, job.error or "It failed")
    if job.state is JobState.DONE:
        return Standing(job, f"Done in {_seconds(job)} s")
    if job.state is JobState.WORKING:
        waited = (studio.clock.now() - (job.started_at or job.created_at)).total_seconds()
        return Standing(job, f"An engine works on it since {max(0, round(waited))} s")
    if not studio.living_nodes():
        return Standing(
            job, f"It waits, since no engine is running; start one with `{ENGINE_COMMAND}`", True
        )
    return Standing(job, _place_in_line(studio, job))


def _place_in_line(studio: Studio, job: Job) -> str:
    mine = (job.created_at, job.id)
    others = studio.store.jobs(states=OPEN)
    before = sum((other.created_at, other.id) < mine for other in others)
    crashes = f", after {job.crashes} process(es) died over it" if job.crashes else ""
    if before:
        return f"It waits for {before} other job(s){crashes}"
    return f"It starts in a moment{crashes}"


def _seconds(job: Job) -> str:
    if job.started_at is None or job.ended_at is None:
        return "0"
    return f"{(job.ended_at - job.started_at).total_seconds():.1f}"


def _with_step(
    studio: Studio, run_id: int, kind: str, arguments: Mapping[str, Any]
) -> Mapping[str, Any]:
    if kind not in OF_A_CHECKPOINT or arguments.get("step") is not None:
        return arguments
    checkpoints = studio.store.checkpoints(run_id)
    if not checkpoints:
        raise NotFound(
            asked=f"weights of run {run_id}",
            found="no checkpoint",
            allowed="a run that has ended an epoch or was paused",
            advice="wait for the end of the first epoch",
        )
    return {**arguments, "step": checkpoints[-1].step}
