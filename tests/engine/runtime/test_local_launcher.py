import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.domain.ports import Device
from engine.runtime.identity import ProcessIdentity
from engine.runtime.launchers.local import LocalLauncher
from tests.processes.conftest import until_gone
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.process

CPU = Device("cpu", None, "cpu", 1)
SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],\n"
    "                         start_new_session=True)\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)",
]


@pytest.fixture
def launcher(tmp_path: Path) -> LocalLauncher:
    return LocalLauncher(tmp_path / "logs")


def test_a_worker_runs_in_its_own_session_and_can_be_ended(launcher: LocalLauncher) -> None:
    handle = launcher.submit(1, 1, SLEEP, CPU)
    pid = ProcessIdentity.from_json(handle).pid
    assert launcher.probe(handle) == "running"
    assert os.getsid(pid) == pid
    until(lambda: launcher.logs(1, 1) == "up\n", "its first word")
    launcher.stop(handle, grace_seconds=PATIENCE_SECONDS)
    until(lambda: launcher.probe(handle) == "ended", "its end")
    launcher.stop(handle, grace_seconds=PATIENCE_SECONDS)


def test_a_worker_that_ignores_the_signal_is_killed_with_all_it_started(
    launcher: LocalLauncher,
) -> None:
    handle = launcher.submit(1, 1, DEAF, CPU)
    until(lambda: launcher.logs(1, 1).endswith("\n"), "its first word")
    child = psutil.Process(int(launcher.logs(1, 1)))
    launcher.stop(handle, grace_seconds=0.2)
    launcher.stop(handle, grace_seconds=0.2)
    until(lambda: launcher.probe(handle) == "ended", "its end")
    until_gone(child)


def test_another_launcher_finds_and_ends_the_same_process(
    launcher: LocalLauncher, tmp_path: Path
) -> None:
    handle = launcher.submit(1, 1, SLEEP, CPU)
    later = LocalLauncher(tmp_path / "logs")
    assert later.probe(handle) == "running"
    later.stop(handle, grace_seconds=PATIENCE_SECONDS)
    until(lambda: later.probe(handle) == "ended", "its end")
    assert launcher.probe(handle) == "ended"


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    identity = ProcessIdentity.of(child.pid)
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, "its end")
    assert identity.process() is None
    child.wait()


def test_another_process_with_the_same_pid_is_not_meant(launcher: LocalLauncher) -> None:
    mine = ProcessIdentity.mine()
    assert launcher.probe(mine.to_json()) == "running"
    earlier = ProcessIdentity(mine.boot, mine.pid, mine.started - 1.0)
    assert launcher.probe(earlier.to_json()) == "ended"
    before_boot = ProcessIdentity("another boot", mine.pid, mine.started)
    assert launcher.probe(before_boot.to_json()) == "ended"


def test_a_handle_of_another_launcher_is_lost(launcher: LocalLauncher) -> None:
    assert launcher.probe("egs-7-a1") == "lost"
    assert launcher.probe('{"boot": 1}') == "lost"


@pytest.mark.parametrize(
    ("device", "visible"), [(CPU, ""), (Device("GPU-1f", 3, "H100", 1), "GPU-1f")]
)
def test_a_worker_sees_its_own_gpu_or_none(
    launcher: LocalLauncher, device: Device, visible: str
) -> None:
    show = "import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']))"
    handle = launcher.submit(5, 2, [sys.executable, "-c", show], device)
    until(lambda: launcher.probe(handle) == "ended", "its end")
    assert launcher.logs(5, 2) == f"{visible!r}\n"
    assert launcher.logs(5, 2, tail_bytes=1) == "\n"
    assert launcher.logs(5, 3) == ""
