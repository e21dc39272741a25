"""Workers as processes of this machine that outlive the engine that started them."""

import os
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from threading import Thread

import psutil

from engine.domain.ports import Capacity, Device, ProcessKind, ProcessState
from engine.runtime.devices import CPU, find_devices
from engine.runtime.identity import ProcessIdentity


class LocalLauncher:
    """Starts each worker in a session of its own, with its output in a file.

    A handle is the JSON of a :class:`ProcessIdentity`, so that an engine can
    watch and end workers which an earlier engine has started.

    Args:
        log_folder: Where the output goes, one file a run or job and attempt.
        cpu_places: How many searches may share the CPU.
        gpu_places: How many searches may share one GPU.
        environment: Variables for the workers beside those of this process.
    """

    def __init__(
        self,
        log_folder: Path,
        *,
        cpu_places: int = 1,
        gpu_places: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._log_folder = log_folder
        self._places = {"cpu_places": cpu_places, "gpu_places": gpu_places}
        self._environment = dict(environment or {})
        self._children: list[subprocess.Popen[bytes]] = []
        self._ending: dict[str, Thread] = {}

    def capacity(self) -> Capacity:
        """The devices that are there now."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        return Capacity(find_devices(**self._places, visible=visible))

    def submit(
        self,
        run_id: int,
        attempt: int,
        argv: Sequence[str],
        device: Device,
        *,
        kind: ProcessKind = "run",
    ) -> str:
        """Start a worker that sees one GPU, by its UUID, or none.

        Raises:
            OSError: The process or its log file could not be made.
        """
        self._log_folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            **self._environment,
            "CUDA_VISIBLE_DEVICES": "" if device.id == CPU else device.id,
            "PYTHONFAULTHANDLER": "1",
        }
        with self._log_file(kind, run_id, attempt).open("ab") as log:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        self._children.append(child)
        return ProcessIdentity.of(child.pid).to_json()

    def probe(self, handle: str) -> ProcessState:
        """``running`` or ``ended``; ``lost`` for a handle of another launcher."""
        try:
            identity = ProcessIdentity.from_json(handle)
        except ValueError:
            return "lost"
        process = identity.process()
        self._reap()
        return "ended" if process is None else "running"

    def _reap(self) -> None:
        """Take the exit status of children that ended, so that none stays a zombie."""
        self._children = [child for child in self._children if child.poll() is None]

    def stop(self, handle: str, *, grace_seconds: float) -> None:
        """SIGTERM to the process and all below it; SIGKILL after the grace."""
        ending = self._ending.get(handle)
        if self.probe(handle) != "running" or (ending is not None and ending.is_alive()):
            return
        processes = _tree(ProcessIdentity.from_json(handle))
        for process in processes:
            _signal(process.terminate)
        self._ending[handle] = Thread(
            target=_force, args=(processes, grace_seconds), name="force", daemon=True
        )
        self._ending[handle].start()

    def logs(
        self,
        run_id: int,
        attempt: int,
        *,
        kind: ProcessKind = "run",
        tail_bytes: int = 65_536,
    ) -> str:
        """The end of what the worker printed; empty if it printed nothing."""
        path = self._log_file(kind, run_id, attempt)
        if not path.exists():
            return ""
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - tail_bytes))
            return log.read().decode(errors="replace")

    def delete_logs(self, kind: ProcessKind, kept: Callable[[], Collection[int]]) -> None:
        """Delete the logs of the runs, or jobs, that are not among those kept."""
        found = [*self._log_folder.glob(f"{kind}-*-attempt-*.log")]
        numbers = {str(number) for number in kept()}
        for path in found:
            if path.name.split("-")[1] not in numbers:
                path.unlink(missing_ok=True)

    def _log_file(self, kind: ProcessKind, number: int, attempt: int) -> Path:
        return self._log_folder / f"{kind}-{number}-attempt-{attempt}.log"


def _tree(identity: ProcessIdentity) -> list[psutil.Process]:
    """The process, everything it started, and what else is in its session."""
    root = identity.process()
    if root is None:
        return []
    try:
        below = root.children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    members = [process for process in psutil.process_iter() if _session(process) == root.pid]
    return [root, *{process for process in (*below, *members) if process != root}]


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _force(processes: Sequence[psutil.Process], grace_seconds: float) -> None:
    """Wait for the processes to end, then kill those that did not, and their children."""
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in alive:
        try:
            below = process.children(recursive=True)
        except psutil.NoSuchProcess:
            continue
        for each in (process, *below):
            _signal(each.kill)


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
