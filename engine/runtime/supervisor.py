"""The engine's own loop: gives queued runs a device and a process, and watches them.

It holds no truth: everything it knows is in the database, so that it may be
killed at any moment; the next engine finds the same runs and processes. An
error of the database ends it, the workers go on, and whoever started the
engine starts it again.
"""

import importlib.metadata
import logging
import platform
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Event
from types import FrameType

from engine.catalog import gather_catalog
from engine.domain.catalog import Catalog
from engine.domain.errors import DeviceMissing, FailureReason, Fenced, WrongState
from engine.domain.ports import Clock, Device, Launcher, Node, RunStore
from engine.domain.run import EventKind, Request, Run, RunState
from engine.runtime.alerts import Alerts
from engine.runtime.devices import choose_device, names_of
from engine.runtime.failures import last_words
from engine.runtime.identity import MODULE, ProcessIdentity, boot_id
from engine.runtime.job_place import JobPlace, job_command
from engine.runtime.rules import Rules, job_rules, patience_seconds

log = logging.getLogger(__name__)

PACKAGES = ("egs-studio", "torch", "torchvision", "numpy")
TAIL_CHARACTERS = 4000


def worker_command(run_id: int, attempt: int) -> list[str]:
    """The command line of a worker: numbers only, never text of a user."""
    return [sys.executable, *MODULE, "app.cli", "worker", str(run_id), "--attempt", str(attempt)]


class Supervisor:
    """The engine of one machine.

    Args:
        store: The database.
        launcher: Starts and ends the workers.
        clock: Time.
        node: Name of this machine.
        until_idle: Whether to return when no run is queued or running.
        command: The command line of a worker.
        job_command: The command line of a job's process.
        gather: The catalogue to publish at the start.
        rules: Times and counts.
        webhook: Address that is told of runs that end or go wrong; none without.
    """

    def __init__(
        self,
        store: RunStore,
        launcher: Launcher,
        clock: Clock,
        *,
        node: str | None = None,
        until_idle: bool = False,
        command: Callable[[int, int], Sequence[str]] = worker_command,
        job_command: Callable[[int, int], Sequence[str]] = job_command,
        gather: Callable[[], Catalog] = gather_catalog,
        rules: Rules | None = None,
        webhook: str = "",
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._clock = clock
        self._webhook = webhook
        self._alerts: Alerts | None = None
        self._node = node or platform.node() or "this-machine"
        self._until_idle = until_idle
        self._command = command
        self._gather = gather
        self._rules = rules or Rules()
        self._jobs = JobPlace(
            store,
            launcher,
            clock,
            node=self._node,
            command=job_command,
            rules=job_rules(self._rules),
        )
        self._process = ProcessIdentity.mine().to_json()
        self._devices: tuple[Device, ...] = ()
        self._leave = Event()
        self._beaten_at: datetime | None = None
        self._stop_seen: dict[tuple[int, int], datetime] = {}
        self._enforced: set[tuple[int, int]] = set()

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or, if asked so, until nothing is left to do.

        Must be called from the main thread.

        Raises:
            EngineAlreadyRunning: Another engine serves this machine.
        """
        with self._signals():
            self.start()
            while not self._leave.is_set():
                self.tick()
                if self._until_idle and self._is_idle():
                    break
                self._leave.wait(self._rules.tick_seconds)
            self.end()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._ask_to_leave) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask_to_leave(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._leave.set()

    def start(self) -> None:
        """Become the engine of this machine and publish what it can do.

        Raises:
            EngineAlreadyRunning: Another engine serves this machine.
        """
        self._devices = self._launcher.capacity().devices
        stale = 0.0 if self._predecessor_is_dead() else self._rules.engine_stale_seconds
        self._store.register_node(
            Node(self._node, self._process, self._clock.now(), self._devices, versions()),
            stale_seconds=stale,
        )
        self._beaten_at = self._clock.now()
        self._store.publish(self._gather())
        self._launcher.delete_logs("run", lambda: {run.id for run in self._store.summaries()})
        self._launcher.delete_logs("job", lambda: {job.id for job in self._store.jobs()})
        self._alerts = Alerts(self._store, self._webhook) if self._webhook else None
        labels = ", ".join(device.label for device in self._devices)
        log.info("engine of %s, with %s", self._node, labels)
        for run in self._mine():
            log.info("run %d (attempt %d) was running already", run.id, run.attempt)

    def _predecessor_is_dead(self) -> bool:
        """Whether the engine before this one was a process of this boot that is gone."""
        for node in self._store.nodes():
            if node.name == self._node:
                return is_dead_here(node.process)
        return False

    def end(self) -> None:
        """Let all workers make a checkpoint and leave; then give up the machine."""
        running = [run for run in self._mine() if run.handle is not None]
        for run in running:
            log.info("run %d: asked to leave with a checkpoint", run.id)
            self._stop(run, self._rules.leave_seconds * 0.75)
        deadline = time.monotonic() + self._rules.leave_seconds
        self._jobs.end(leave_seconds=self._rules.leave_seconds * 0.25)
        while any(self._lives(run) for run in running) and time.monotonic() < deadline:
            time.sleep(min(0.1, self._rules.tick_seconds))
        for run in running:
            if not self._lives(run):
                self._put_back(run, "The engine stopped before there was a newer checkpoint.")
        if self._alerts is not None:
            self._alerts.tick()
            self._alerts.close()
        self._store.release_node(self._node, self._process)
        log.info("engine of %s has ended", self._node)

    def tick(self) -> None:
        """One look at everything.

        Raises:
            EngineAlreadyRunning: Another engine has taken this machine.
        """
        self._beat()
        for run in self._mine():
            self._watch(run)
        self._rescue()
        self._start_queued()
        self._jobs.tick(self._devices, self._elsewhere)
        if self._alerts is not None:
            self._alerts.tick()

    def _beat(self) -> None:
        now = self._clock.now()
        if self._beaten_at is None or _age(now, self._beaten_at) >= self._rules.beat_seconds:
            self._store.beat_node(self._node, self._process)
            self._beaten_at = now

    def _mine(self) -> list[Run]:
        return [run for run in self._running() if run.node == self._node]

    def _running(self) -> list[Run]:
        return self._store.runs({RunState.RUNNING})

    def _is_idle(self) -> bool:
        return not self._store.runs({RunState.QUEUED, RunState.RUNNING}) and self._jobs.is_idle()

    def _lives(self, run: Run) -> bool:
        return run.handle is not None and self._launcher.probe(run.handle) == "running"

    def _watch(self, run: Run) -> None:
        """See whether a run's process lives, obeys and progresses."""
        if run.handle is None:
            self._close_if_silent(run)
            return
        state = self._launcher.probe(run.handle)
        if state == "ended":
            self._close(run)
        elif state == "running":
            self._enforce_stop(run)
            self._end_if_stuck(run)
        else:
            self._close_if_silent(run)

    def _close_if_silent(self, run: Run) -> None:
        """Nobody knows the process: an engine was killed before it noted the handle."""
        if _age(self._clock.now(), run.heartbeat_at or run.created_at) > self._rules.start_seconds:
            self._close(run)

    def _close(self, run: Run) -> None:
        """The process is gone: unless it said how it ended, it crashed or was made to end."""
        if run.request is Request.STOP:
            self._move(run, RunState.STOPPED, "Stopped by force; the last checkpoint remains.")
            return
        printed = self._launcher.logs(run.id, run.attempt)[-TAIL_CHARACTERS:].strip()
        forced = (run.id, run.attempt) in self._enforced
        how = "was ended for want of progress" if forced else "ended unexpectedly"
        if self._note_crash(run, f"The process {how}; {last_words(printed)}"):
            self._store.note(run.id, EventKind.ERROR, printed or "The process printed nothing.")

    def _note_crash(self, run: Run, why: str) -> bool:
        """Try again from the last checkpoint, unless that failed too often."""
        if run.crashes + 1 >= self._rules.crashes:
            sentence = f"{self._rules.crashes} crashes without a new checkpoint. {why}"
            return self._move(run, RunState.FAILED, sentence, FailureReason.CRASHED, crashed=True)
        if run.request is Request.PAUSE:
            return self._move(run, RunState.PAUSED, why, crashed=True)
        return self._move(run, RunState.QUEUED, why, crashed=True)

    def _put_back(self, run: Run, why: str) -> None:
        """As the worker would have done, had it answered."""
        wishes = {Request.STOP: RunState.STOPPED, Request.PAUSE: RunState.PAUSED}
        self._move(run, wishes[run.request] if run.request else RunState.QUEUED, why)

    def _move(
        self,
        run: Run,
        to: RunState,
        why: str,
        failure: FailureReason | None = None,
        *,
        crashed: bool = False,
    ) -> bool:
        """A fenced transition; False when the run has left RUNNING by itself."""
        try:
            self._store.transition(
                run.id,
                to,
                why=why,
                attempt=run.attempt,
                failure=failure,
                error=why if failure else None,
                crashed=crashed,
            )
        except (Fenced, WrongState):
            return False
        log.info("run %d: %s. %s", run.id, to.value, why)
        return True

    def _enforce_stop(self, run: Run) -> None:
        """Signals are for a worker that does not read its stop request in time."""
        if run.request is not Request.STOP:
            return
        seen = self._stop_seen.setdefault((run.id, run.attempt), self._clock.now())
        if _age(self._clock.now(), seen) > self._rules.stop_patience_seconds:
            why = "Does not answer to the stop request and is ended by force."
            self._force_once(run, EventKind.NOTE, why)

    def _end_if_stuck(self, run: Run) -> None:
        """The worker finds the error in the log and knows why it has to leave."""
        silence = _age(self._clock.now(), run.progress_at or run.created_at)
        if silence > patience_seconds(run, self._rules):
            why = f"No progress for {silence:.0f} s; the process is ended."
            self._force_once(run, EventKind.ERROR, why)

    def _force_once(self, run: Run, kind: EventKind, why: str) -> None:
        if (run.id, run.attempt) in self._enforced:
            return
        self._enforced.add((run.id, run.attempt))
        self._store.note(run.id, kind, why)
        self._stop(run, self._rules.stop_grace_seconds)

    def _stop(self, run: Run, grace_seconds: float) -> None:
        if run.handle is not None:
            self._launcher.stop(run.handle, grace_seconds=grace_seconds)

    def _rescue(self) -> None:
        """Take over what ran on machines that are gone, once each."""
        limit = self._rules.machine_lost_seconds
        now = self._clock.now()
        beats = {node.name: node.heartbeat_at for node in self._store.nodes()}
        for run in self._running():
            if run.node is None or run.node == self._node:
                continue
            signs = (beats.get(run.node), run.heartbeat_at)
            if any(sign is not None and _age(now, sign) <= limit for sign in signs):
                continue
            if self._store.adopt(run.id, from_node=run.node, attempt=run.attempt):
                log.info("run %d: taken over from %s", run.id, run.node)

    def _start_queued(self) -> None:
        """Give free devices to queued runs, in their order; say why the others wait."""
        queue = self._store.queue()
        if not queue:
            return
        taken = Counter(run.device for run in self._mine() if run.device is not None)
        elsewhere = self._elsewhere()
        for run in queue:
            try:
                choice = choose_device(
                    run.config.device, self._devices, taken=taken, elsewhere=elsewhere
                )
            except DeviceMissing as error:
                self._fail_without_device(run, error)
                continue
            if isinstance(choice, Device):
                taken[choice.id] += 1
                self._start(run, choice)
            elif run.waiting != choice:
                self._store.set_waiting(run.id, choice)

    def _elsewhere(self) -> set[str]:
        """Names of the devices of other machines with a living engine."""
        limit = self._rules.machine_lost_seconds
        return {
            name
            for node in self._store.nodes()
            if node.name != self._node and _age(self._clock.now(), node.heartbeat_at) <= limit
            for name in names_of(node.devices)
        }

    def _fail_without_device(self, run: Run, error: DeviceMissing) -> None:
        """Only a RUNNING run can fail, so it is claimed with the device that is missing."""
        missing = Device(run.config.device, None, run.config.device, 0)
        claimed = self._store.claim(run.id, node=self._node, device=missing)
        if claimed is not None:
            self._move(claimed, RunState.FAILED, str(error), error.reason)

    def _start(self, run: Run, device: Device) -> None:
        claimed = self._store.claim(run.id, node=self._node, device=device)
        if claimed is None:
            return
        argv = self._command(claimed.id, claimed.attempt)
        try:
            handle = self._launcher.submit(claimed.id, claimed.attempt, argv, device)
        except OSError as error:
            self._note_crash(claimed, f"The process did not start: {error}")
            return
        log.info("run %d: attempt %d on %s", claimed.id, claimed.attempt, device.label)
        try:
            self._store.set_handle(claimed.id, claimed.attempt, handle)
        except Fenced:
            log.info("run %d: has ended already", claimed.id)


def is_dead_here(process: str) -> bool:
    """Whether an engine's process belonged to this boot of this machine and is gone."""
    try:
        identity = ProcessIdentity.from_json(process)
    except ValueError:
        return False
    return identity.boot == boot_id() and identity.process() is None


def versions() -> dict[str, str]:
    """Versions of the packages that decide about numbers, and of Python."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _age(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds()
