"""The one place for jobs on a machine: beside the searches, one job at a time.

Jobs are short and run at low priority, so that they do not wait for a free
device. As with runs, all that is known is in the database: an engine may be
killed at any moment, and the next one finds the same job and process.
"""

import logging
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.domain.errors import DeviceMissing, Fenced, NotFound
from engine.domain.jobs import OPEN, Job, JobState
from engine.domain.ports import Clock, Device, Launcher, RunStore
from engine.domain.run import RunState
from engine.runtime.devices import CPU, find_cpu, names_of
from engine.runtime.failures import last_words
from engine.runtime.identity import MODULE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobRules:
    """When a job's process counts as late or lost; all times in seconds.

    Attributes:
        longest_seconds: A job that works longer has failed.
        start_seconds: A job whose process nobody knows waits again after this.
        machine_lost_seconds: So old is the heartbeat of an engine when its
            job waits again.
        grace_seconds: From SIGTERM to SIGKILL.
        crashes: So many processes may die before the job has failed.
    """

    longest_seconds: float = 900.0
    start_seconds: float = 30.0
    machine_lost_seconds: float = 60.0
    grace_seconds: float = 5.0
    crashes: int = 3


def job_command(job_id: int, attempt: int) -> list[str]:
    """The command line of a job's process: numbers only, never text of a user."""
    return [sys.executable, *MODULE, "app.cli", "job", str(job_id), "--attempt", str(attempt)]


class JobPlace:
    """Takes jobs, gives each a process, and watches it.

    Args:
        store: The database.
        launcher: Starts and ends the processes.
        clock: Time.
        node: Name of this machine.
        command: The command line of a job's process.
        rules: Times and counts.
    """

    def __init__(
        self,
        store: RunStore,
        launcher: Launcher,
        clock: Clock,
        *,
        node: str,
        command: Callable[[int, int], Sequence[str]] = job_command,
        rules: JobRules | None = None,
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._clock = clock
        self._node = node
        self._command = command
        self._rules = rules or JobRules()
        self._known: set[str] = set()
        self._late: set[str] = set()

    def is_idle(self) -> bool:
        """Whether no job waits or works anywhere."""
        return not self._store.jobs(states=OPEN)

    def tick(self, devices: Sequence[Device], elsewhere: Callable[[], Collection[str]]) -> None:
        """One look at everything; never waits for a process.

        Args:
            devices: The devices of this machine.
            elsewhere: Gives the names of the devices of other machines.
        """
        jobs = self._store.jobs(states=OPEN)
        working = [job for job in jobs if job.state is JobState.WORKING]
        mine = [job for job in working if job.node == self._node]
        self._end_forgotten({job.handle for job in mine if job.handle})
        self._rescue([job for job in working if job.node != self._node])
        for job in mine:
            self._watch(job)
        waiting = sorted(
            (job for job in jobs if job.state is JobState.WAITING),
            key=lambda job: (job.created_at, job.id),
        )
        if not mine and waiting:
            self._take_first(waiting, devices, elsewhere())

    def end(self, *, leave_seconds: float) -> None:
        """End this machine's jobs; they wait for the next engine."""
        mine = self._mine()
        for job in mine:
            if job.handle is not None:
                self._launcher.stop(job.handle, grace_seconds=self._rules.grace_seconds)
        deadline = time.monotonic() + leave_seconds
        while any(self._lives(job) for job in mine) and time.monotonic() < deadline:
            time.sleep(0.05)
        for job in mine:
            if not self._lives(job):
                self._give_back(job)

    def _mine(self) -> list[Job]:
        working = self._store.jobs(states={JobState.WORKING})
        return [job for job in working if job.node == self._node]

    def _lives(self, job: Job) -> bool:
        return job.handle is not None and self._launcher.probe(job.handle) == "running"

    def _end_forgotten(self, handles: set[str]) -> None:
        """Processes whose job is over, or was deleted with its run, have nothing left to do."""
        for handle in self._known - handles:
            self._launcher.stop(handle, grace_seconds=self._rules.grace_seconds)
        self._known = handles
        self._late &= handles

    def _rescue(self, jobs: Sequence[Job]) -> None:
        """Let the jobs of machines that are gone wait again."""
        if not jobs:
            return
        limit = self._rules.machine_lost_seconds
        now = self._clock.now()
        beats = {node.name: node.heartbeat_at for node in self._store.nodes()}
        for job in jobs:
            signs = (beats.get(job.node or ""), job.started_at)
            if all(sign is None or _age(now, sign) > limit for sign in signs):
                self._note_crash(job, f"The machine {job.node} was lost.")

    def _watch(self, job: Job) -> None:
        state = "lost" if job.handle is None else self._launcher.probe(job.handle)
        age = _age(self._clock.now(), job.started_at or job.created_at)
        if state == "ended":
            self._close(job)
        elif state == "running" and age > self._rules.longest_seconds:
            self._end_late(job)
        elif state == "lost" and age > self._rules.start_seconds:
            self._note_crash(job, "Nobody knows its process.")

    def _end_late(self, job: Job) -> None:
        if job.handle is not None and job.handle not in self._late:
            self._late.add(job.handle)
            self._launcher.stop(job.handle, grace_seconds=self._rules.grace_seconds)

    def _close(self, job: Job) -> None:
        """The process is gone and has written no answer: it was late, or it crashed."""
        if job.handle in self._late:
            minutes = self._rules.longest_seconds / 60
            self._fail(job, f"It took longer than {minutes:.0f} minutes and was ended.")
            return
        printed = self._launcher.logs(job.id, job.attempt, kind="job")
        self._note_crash(job, f"The process ended unexpectedly; {last_words(printed)}")

    def _note_crash(self, job: Job, why: str) -> None:
        """Let another process try, unless that failed too often."""
        log.warning("job %d: %s", job.id, why)
        if job.crashes + 1 >= self._rules.crashes:
            self._fail(job, f"{self._rules.crashes} processes died over it. {why}")
        else:
            self._give_back(job, crashed=True)

    def _give_back(self, job: Job, *, crashed: bool = False) -> None:
        """It may have ended, or its run been deleted, just before."""
        try:
            self._store.return_job(job.id, job.attempt, crashed=crashed)
        except (Fenced, NotFound) as error:
            log.info("job %d: %s", job.id, error)

    def _fail(self, job: Job, sentence: str) -> None:
        try:
            self._store.finish_job(job.id, job.attempt, error=sentence)
        except (Fenced, NotFound) as error:
            log.info("job %d: %s", job.id, error)

    def _take_first(
        self, waiting: Sequence[Job], devices: Sequence[Device], elsewhere: Collection[str]
    ) -> None:
        """The first job that this machine can serve."""
        for job in waiting:
            wanted = str(job.arguments.get("device", "auto"))
            if wanted in elsewhere and wanted not in names_of(_with_cpu(devices)):
                continue
            taken = self._store.take_job(self._node, job.id)
            if taken is not None:
                self._start(taken, wanted, devices)
                return

    def _start(self, job: Job, wanted: str, devices: Sequence[Device]) -> None:
        try:
            device = device_for_job(wanted, devices, taken=self._taken())
        except DeviceMissing as error:
            self._fail(job, str(error))
            return
        argv = self._command(job.id, job.attempt)
        try:
            handle = self._launcher.submit(job.id, job.attempt, argv, device, kind="job")
        except OSError as error:
            self._note_crash(job, f"The process did not start: {error}")
            return
        about = "settings" if job.run_id is None else f"run {job.run_id}"
        log.info("job %d (%s of %s): on %s", job.id, job.kind, about, device.label)
        self._known.add(handle)
        try:
            self._store.set_job_handle(job.id, job.attempt, handle)
        except (Fenced, NotFound):
            log.info("job %d: has ended already", job.id)

    def _taken(self) -> set[str]:
        """The devices of this machine that runs use."""
        running = self._store.runs({RunState.RUNNING})
        return {run.device for run in running if run.device and run.node == self._node}


def device_for_job(wanted: str, devices: Sequence[Device], *, taken: Collection[str]) -> Device:
    """Where a job runs: a GPU that no search uses if nothing is wished, else the CPU.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda:<index>`` or a GPU's UUID.
        devices: The devices of this machine.
        taken: Ids of the devices that searches use.

    Raises:
        DeviceMissing: This machine has no such device.
    """
    present = _with_cpu(devices)
    cpu = next(device for device in present if device.id == CPU)
    if wanted == "auto":
        idle = (device for device in present if device.id != CPU and device.id not in taken)
        return next(idle, cpu)
    for device in present:
        if wanted in names_of([device]):
            return device
    raise DeviceMissing(
        asked=f"device = {wanted!r} for a job",
        found="no such device on any machine with an engine",
        allowed=f"one of {', '.join(('auto', *names_of(present)))}",
        advice="ask again with one of these",
    )


def _with_cpu(devices: Sequence[Device]) -> tuple[Device, ...]:
    """A job may use the CPU even where searches may not."""
    if any(device.id == CPU for device in devices):
        return tuple(devices)
    return (*devices, find_cpu(1))


def _age(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds()
