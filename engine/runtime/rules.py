"""When a process counts as late, stuck or lost."""

from dataclasses import dataclass

from engine.domain.run import Run
from engine.runtime.job_place import JobRules


@dataclass(frozen=True)
class Rules:
    """What the engine puts up with; all times in seconds.

    Attributes:
        tick_seconds: Pause between two looks.
        beat_seconds: Between two heartbeats of the engine.
        engine_stale_seconds: An engine with an older heartbeat may be replaced.
        start_seconds: A run without a process handle and heartbeat is taken
            back after this.
        machine_lost_seconds: So old are the heartbeats of an engine and of its
            run when another engine takes the run over.
        stop_patience_seconds: A stop is enforced after this.
        stop_grace_seconds: From SIGTERM to SIGKILL.
        stuck_seconds: Without progress, a search is never called stuck earlier.
        stuck_steps: Nor before this many times its usual step.
        leave_seconds: For the workers to make checkpoints when the engine ends.
        crashes: So many in a row, without a new checkpoint, end a run.
        job_seconds: A job that works longer has failed.
    """

    tick_seconds: float = 0.5
    beat_seconds: float = 5.0
    engine_stale_seconds: float = 30.0
    start_seconds: float = 30.0
    machine_lost_seconds: float = 60.0
    stop_patience_seconds: float = 30.0
    stop_grace_seconds: float = 10.0
    stuck_seconds: float = 600.0
    stuck_steps: float = 10.0
    leave_seconds: float = 20.0
    crashes: int = 5
    job_seconds: float = 900.0


def job_rules(rules: Rules) -> JobRules:
    """The rules of jobs that follow from those of the engine."""
    return JobRules(
        longest_seconds=rules.job_seconds,
        start_seconds=rules.start_seconds,
        machine_lost_seconds=rules.machine_lost_seconds,
        grace_seconds=rules.stop_grace_seconds,
    )


def patience_seconds(run: Run, rules: Rules) -> float:
    """How long a search may be without progress: ten usual steps, or ten minutes."""
    progress = run.progress
    usual = progress.seconds / progress.step if progress.step else 0.0
    return max(rules.stuck_steps * usual, rules.stuck_seconds)
