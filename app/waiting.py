"""Seeing runs to their end from a terminal, with an engine where none lives."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from app import processes
from app.processes import Child, ProcessEnded
from app.settings import Settings
from app.studio import Studio
from app.terminal import Show, run_line, say, search_progress
from engine.domain.errors import StudioError
from engine.domain.jobs import Job
from engine.domain.run import Run, RunState

TICK_SECONDS = 0.5
ENGINE_ATTEMPTS = 3


def see_to_end(
    studio: Studio, settings: Settings, runs: Sequence[Run], *, quiet: bool
) -> list[Run]:
    """Wait until all runs have ended, with an engine started by itself where none lives.

    Args:
        studio: The use cases.
        settings: What a new engine inherits.
        runs: What is waited for; the bar shows them one after the other.
        quiet: Whether no bar is shown.

    Returns:
        The same runs as they ended.

    Raises:
        ProcessEnded: No engine stays.
        KeyboardInterrupt: Ctrl-C; the runs go on.
    """
    helper = processes.engine(settings, until_idle=True)
    ended: list[Run] = []
    with search_progress(quiet=quiet) as show, _interrupts_noted() as interrupt:
        for run in runs:
            ended.append(_watch(studio, helper, run, show, interrupt))
            if len(runs) > 1 and not quiet:
                say(f"{len(ended)} of {len(runs)}: {run_line(ended[-1])}")
    return ended


def see_answer(studio: Studio, settings: Settings, job: Job) -> Job:
    """Wait until a job has its answer, with an engine started by itself where none lives.

    Args:
        studio: The use cases.
        settings: What a new engine inherits.
        job: What was asked.

    Returns:
        The same job, done or failed.

    Raises:
        ProcessEnded: No engine stays.
        KeyboardInterrupt: Ctrl-C; the job goes on.
    """
    helper = processes.engine(settings, until_idle=True)
    with _interrupts_noted() as interrupt:
        while job.is_open:
            _keep_engine(studio, helper)
            time.sleep(TICK_SECONDS)
            if interrupt.asked:
                raise KeyboardInterrupt
            job = studio.store.job(job.id)
    return job


def _keep_engine(studio: Studio, helper: Child) -> None:
    """Start the helping engine where none lives, a few times at most."""
    if helper.is_alive or studio.living_nodes():
        return
    if helper.deaths == ENGINE_ATTEMPTS:
        raise _engine_does_not_start(helper)
    helper.deaths += 1
    helper.start()


class _Interrupt:
    """Whether Ctrl-C was pressed."""

    asked = False

    def note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.asked = True


@contextmanager
def _interrupts_noted() -> Iterator[_Interrupt]:
    """Within, Ctrl-C is noted: an exception raised anywhere might be swallowed where it is."""
    interrupt = _Interrupt()
    before = signal.signal(signal.SIGINT, interrupt.note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)


def _watch(studio: Studio, helper: Child, run: Run, show: Show, interrupt: _Interrupt) -> Run:
    run = studio.run(run.id)
    while not run.is_ended:
        active = run.state in {RunState.QUEUED, RunState.RUNNING}
        if active:
            _keep_engine(studio, helper)
        show(run)
        time.sleep(TICK_SECONDS)
        if interrupt.asked:
            raise KeyboardInterrupt
        run = studio.run(run.id)
        if run.state is RunState.RUNNING:
            helper.deaths = 0
    show(run)
    return run


def _engine_does_not_start(helper: Child) -> StudioError:
    return ProcessEnded(
        asked="an engine for this",
        found=f"that it ended {ENGINE_ATTEMPTS} times: {helper.last_words()}",
        allowed="an engine that stays",
        advice=f"read {str(helper.log)!r} and run `egs doctor`; what was asked stays queued",
    )
