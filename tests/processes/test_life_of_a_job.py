"""Jobs with real engines and processes, killed in every way that there is."""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.commands.job import NICENESS
from engine.domain.jobs import Job, JobState
from engine.domain.run import Run, RunState
from engine.runtime.identity import ProcessIdentity
from tests.processes.conftest import DIGITS, EGS, Studio, until_gone
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.process

SHORT = {**DIGITS, "epochs": 1, "train_limit": 64}
LOWEST_PRIORITY = 19


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a studio with one short search that has ended."""
    home = tmp_path_factory.mktemp("searched") / "home"
    studio = Studio(home)
    run = studio.create(**SHORT)
    assert studio.engine("--until-idle", program=EGS).wait(PATIENCE_SECONDS) == 0
    assert studio.store.run(run.id).state is RunState.COMPLETED
    studio.close()
    return home


@pytest.fixture
def studio(searched: Path, tmp_path: Path) -> Iterator[Studio]:
    """A copy of that home, whose gate no job passes yet."""
    shutil.copytree(searched, tmp_path / "home")
    studio = Studio(tmp_path / "home")
    studio.gate.hold_jobs()
    yield studio
    for job in studio.store.jobs(states={JobState.WORKING}):
        end(job)
    studio.close()


@pytest.fixture
def run(studio: Studio) -> Run:
    return studio.store.runs()[0]


def end(job: Job) -> None:
    process = None if job.handle is None else ProcessIdentity.from_json(job.handle).process()
    if process is not None:
        process.kill()


def until_job(studio: Studio, job: Job, holds: Callable[[Job], object]) -> Job:
    """The job once it is as wanted, and is to stay so; fails when it ends otherwise."""

    def is_as_wanted() -> bool:
        nonlocal job
        job = studio.store.job(job.id)
        if holds(job):
            return True
        assert job.is_open, f"it ended: {job}"
        return False

    until(is_as_wanted, f"what was wanted of job {job.id}")
    return job


def working(studio: Studio, job: Job, attempt: int = 1) -> psutil.Process:
    """The living process of a job that waits at the gate."""
    now = until_job(studio, job, lambda now: now.attempt == attempt and now.handle is not None)
    assert now.handle is not None
    process = ProcessIdentity.from_json(now.handle).process()
    assert process is not None
    return process


def done(studio: Studio, job: Job) -> Job:
    studio.gate.let_jobs_pass()
    return until_job(studio, job, lambda now: now.state is JobState.DONE)


def assert_recorded(studio: Studio, run: Run, job: Job) -> None:
    """The answer is what the search itself measured at its last epoch."""
    recorded = studio.store.snapshots(run.id, epochs_only=True)[-1]
    assert job.result is not None
    assert job.result["loss"] == recorded.metrics["child_loss"]
    assert job.result["step"] == recorded.step


def test_a_job_is_done_at_low_priority_while_a_search_has_the_only_place(
    studio: Studio, run: Run
) -> None:
    other = studio.create()
    job = studio.store.ask_job(run.id, "child", {})
    studio.hold(other, at=1)
    process = working(studio, job)
    priority = min(psutil.Process().nice() + NICENESS, LOWEST_PRIORITY)
    until(lambda: process.nice() == priority, "a job to step back")
    answered = done(studio, job)
    assert (answered.attempt, answered.crashes) == (1, 0)
    assert_recorded(studio, run, answered)
    assert studio.store.run(other.id).state is RunState.RUNNING
    until_gone(process)


def test_a_killed_process_of_a_job_is_followed_by_one_that_answers(
    studio: Studio, run: Run
) -> None:
    job = studio.store.ask_job(run.id, "child", {})
    studio.engine()
    working(studio, job).kill()
    working(studio, job, attempt=2).kill()
    answered = done(studio, job)
    assert (answered.attempt, answered.crashes) == (3, 2)
    assert_recorded(studio, run, answered)


def test_a_job_outlives_its_engine_and_the_next_engine_goes_on(studio: Studio, run: Run) -> None:
    job = studio.store.ask_job(run.id, "child", {})
    second = studio.store.ask_job(run.id, "latency", {"batch": 2})
    refused = studio.store.ask_job(run.id, "child", {"masks": {"normal": [1]}})
    engine = studio.engine()
    process = working(studio, job)
    engine.kill()
    engine.wait()
    assert process.is_running()
    second_engine = studio.engine("--until-idle")
    studio.until_serving(second_engine)
    studio.gate.let_jobs_pass()
    assert second_engine.wait(PATIENCE_SECONDS) == 0
    answered = studio.store.job(job.id)
    assert (answered.state, answered.attempt) == (JobState.DONE, 1)
    assert_recorded(studio, run, answered)
    latency = studio.store.job(second.id)
    assert latency.result is not None
    assert latency.result["median_ms"] > 0
    failed = studio.store.job(refused.id)
    assert (failed.state, failed.attempt) == (JobState.FAILED, 1)
    assert failed.error is not None
    assert failed.error.startswith("Asked for a child with the code")


def test_engine_and_process_killed_together_lose_nothing(studio: Studio, run: Run) -> None:
    job = studio.store.ask_job(run.id, "child", {})
    engine = studio.engine()
    process = working(studio, job)
    engine.kill()
    process.kill()
    engine.wait()
    assert studio.store.job(job.id).state is JobState.WORKING
    studio.gate.let_jobs_pass()
    assert studio.engine("--until-idle").wait(PATIENCE_SECONDS) == 0
    answered = studio.store.job(job.id)
    assert (answered.state, answered.attempt, answered.crashes) == (JobState.DONE, 2, 1)
    assert_recorded(studio, run, answered)


def test_an_engine_that_ends_in_order_lets_its_job_wait(studio: Studio, run: Run) -> None:
    job = studio.store.ask_job(run.id, "child", {})
    engine = studio.engine(rules=f"leave_seconds={PATIENCE_SECONDS}")
    process = working(studio, job)
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(PATIENCE_SECONDS) == 0
    until_gone(process)
    waiting = studio.store.job(job.id)
    assert (waiting.state, waiting.crashes) == (JobState.WAITING, 0)
    studio.gate.let_jobs_pass()
    assert studio.engine("--until-idle").wait(PATIENCE_SECONDS) == 0
    assert_recorded(studio, run, studio.store.job(job.id))


def test_a_job_that_takes_too_long_is_ended_and_says_so(studio: Studio, run: Run) -> None:
    job = studio.store.ask_job(run.id, "child", {})
    studio.engine(rules="job_seconds=0.2,stop_grace_seconds=1,tick_seconds=0.05")
    failed = until_job(studio, job, lambda now: now.state is JobState.FAILED)
    assert failed.error == "It took longer than 0 minutes and was ended."
