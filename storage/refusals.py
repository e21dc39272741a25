"""The refusals that every store utters in the same words."""

from collections.abc import Iterable
from datetime import datetime

from engine.domain.errors import EngineAlreadyRunning, Fenced, NotFound, WrongState
from engine.domain.run import RunState


def no_such_run(run_id: int) -> NotFound:
    """There is no run of that number."""
    return NotFound(
        asked=f"run {run_id}",
        found="no run of that number",
        allowed="the number of a run in the list",
        advice="look up its number in the list of runs",
    )


def wrong_state(asked: str, state: RunState, allowed: Iterable[RunState]) -> WrongState:
    """The run is in a state from which the thing asked for cannot be done."""
    states = sorted(allowed)
    return WrongState(
        asked=asked,
        found=f"the state {state.value!r}",
        allowed=f"the states {', '.join(states)}" if states else "nothing",
        advice="wait for the run to get there, or reload the page to see its present state",
    )


def fenced(run_id: int, attempt: int, state: RunState, present: int) -> Fenced:
    """The writer belongs to an attempt that no longer owns the run."""
    return Fenced(
        asked=f"a write to run {run_id} by attempt {attempt}",
        found=f"the state {state.value!r} and attempt {present}",
        allowed="a write by the attempt that runs now",
        advice="end this process",
    )


def node_taken(name: str, process: str, heartbeat_at: datetime) -> EngineAlreadyRunning:
    """Another engine process serves the machine."""
    return EngineAlreadyRunning(
        asked=f"the engine of the machine {name!r}",
        found=f"another engine, process {process!r}, alive at {heartbeat_at:%Y-%m-%d %H:%M:%S} UTC",
        allowed="one engine on a machine and database",
        advice="use the engine that runs, or stop it first",
    )


def no_such_node(name: str) -> NotFound:
    """No engine registered itself under that name."""
    return NotFound(
        asked=f"the machine {name!r}",
        found="no engine registered there",
        allowed="a machine on which an engine runs",
        advice="start the engine again",
    )


def no_such_job(job_id: int) -> NotFound:
    """There is no job of that number."""
    return NotFound(
        asked=f"job {job_id}",
        found="no job of that number",
        allowed="the number of a job in the list",
        advice="look it up with `egs jobs`, or ask again; a deleted run takes its jobs along",
    )


def job_fenced(job_id: int, attempt: int, state: str, present: int) -> Fenced:
    """The process belongs to an attempt that no longer works on the job."""
    return Fenced(
        asked=f"a write to job {job_id} by attempt {attempt}",
        found=f"the state {state!r} and attempt {present}",
        allowed="a write by the attempt that works on it now",
        advice="end this process",
    )


def no_such_change(run_id: int, number: int) -> NotFound:
    """The run has no change of that number."""
    return NotFound(
        asked=f"change {number} of run {run_id}",
        found="no change of that number",
        allowed="a change in the run's log",
        advice="reload the page",
    )


def change_is_settled(run_id: int, number: int) -> WrongState:
    """The change is in force or refused already."""
    return WrongState(
        asked=f"a decision about change {number} of run {run_id}",
        found="one that was made before",
        allowed="a change that nothing has become of yet",
        advice="ask for another change",
    )


CHANGEABLE = frozenset({RunState.QUEUED, RunState.PAUSED, RunState.FAILED})
"""States in which a change comes into force at once; a running search takes it itself."""
