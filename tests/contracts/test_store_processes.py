"""What the stores promise when several processes write, and when one is killed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.domain.config import SearchConfig
from engine.domain.jobs import JobState
from engine.domain.ports import Device
from engine.domain.run import RunState
from storage.sql_store import SqlStore
from tests.contracts.samples import CPU, HeldClock

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.process

PRELUDE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from engine.domain.ports import Device
from storage.sql_store import SqlStore
from tests.contracts.samples import HeldClock, snapshot_at
from engine.domain.run import Progress

def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""

OPEN = """
ready()
store = SqlStore(sys.argv[1], HeldClock())
print(len(store.runs()))
"""

CLAIM = """
store = SqlStore(sys.argv[1], HeldClock())
ready()
device = Device("cpu", None, "CPU", 1, places=100)
for run in sorted(store.queue(), key=lambda run: run.id):
    if store.claim(run.id, node=sys.argv[2], device=device):
        print(run.id)
"""

ADOPT = """
store = SqlStore(sys.argv[1], HeldClock())
runs = store.runs()
ready()
for run in runs:
    if store.adopt(run.id, from_node="m1", attempt=1):
        print(run.id)
"""

TAKE = """
store = SqlStore(sys.argv[1], HeldClock())
ready()
while True:
    job = store.take_job(sys.argv[2])
    if job is None:
        break
    print(job.id)
"""

APPEND = """
store = SqlStore(sys.argv[1], HeldClock())
run_id, attempt, step = map(int, sys.argv[2:])
while True:
    batch = [snapshot_at(step + n) for n in range(5)]
    store.append(run_id, attempt, batch, Progress(step=step + 4))
    print(step + 4, flush=True)
    step += 5
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def race(script: str, arguments: Sequence[Sequence[object]]) -> list[str]:
    """All lines that the processes print after having been let off together."""
    processes = [start(script, *some) for some in arguments]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [line for output in outputs for line in output.split()]


def test_four_processes_open_a_new_database_together(address: str) -> None:
    assert race(OPEN, [(address,)] * 4) == ["0"] * 4


def test_four_processes_claim_each_run_once(address: str) -> None:
    store = SqlStore(address, HeldClock())
    ids = [store.create(SearchConfig(), name=str(n)).id for n in range(25)]
    claimed = race(CLAIM, [(address, f"m{n}") for n in range(4)])
    assert sorted(map(int, claimed)) == ids
    assert {run.attempt for run in store.runs({RunState.RUNNING})} == {1}
    assert len(store.runs({RunState.RUNNING})) == 25
    store.close()


def test_four_processes_adopt_each_orphan_once(address: str) -> None:
    store = SqlStore(address, HeldClock())
    for n in range(25):
        run = store.create(SearchConfig(), name=str(n))
        device = Device(f"gpu-{n}", n, "GPU", 1)
        assert store.claim(run.id, node="m1", device=device) is not None
    adopted = race(ADOPT, [(address,)] * 4)
    assert sorted(map(int, adopted)) == sorted(run.id for run in store.queue())
    assert len(adopted) == 25
    store.close()


def test_four_engines_take_each_job_once(address: str) -> None:
    store = SqlStore(address, HeldClock())
    run_id = store.create(SearchConfig(), name="x").id
    ids = [store.ask_job(run_id, "child", {"step": n}).id for n in range(25)]
    taken = race(TAKE, [(address, f"m{n}") for n in range(4)])
    assert sorted(map(int, taken)) == ids
    assert {job.attempt for job in store.jobs(states={JobState.WORKING})} == {1}
    store.close()


def test_killed_writer_loses_nothing_that_was_committed(address: str) -> None:
    store = SqlStore(address, HeldClock())
    run_id = store.create(SearchConfig(), name="x").id
    step = 0
    assert store.claim(run_id, node="m1", device=CPU) is not None
    for kill in range(4):
        writer = start(APPEND, address, run_id, 1, step)
        assert writer.stdout is not None
        committed = [int(writer.stdout.readline()) for _ in range(3 + 7 * kill)][-1]
        writer.kill()
        rest = writer.communicate()[0].split()
        committed = int(rest[-1]) if rest and rest[-1].isdigit() else committed
        steps = [one.step for one in store.snapshots(run_id)]
        assert steps == list(range(steps[-1] + 1))
        assert steps[-1] >= committed
        assert store.run(run_id).progress.step == steps[-1]
        assert store.frames(run_id, stride=5).steps == tuple(steps[::5])
        step = steps[-1] + 1
    store.close()
