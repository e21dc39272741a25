"""The engine's place for jobs: a real database, a clock moved by hand, real processes."""

import sys
from dataclasses import replace

import psutil
import pytest

from engine.domain.errors import DeviceMissing
from engine.domain.jobs import Job, JobState
from engine.domain.ports import Device, Node
from engine.domain.run import RunState
from engine.runtime.identity import ProcessIdentity
from engine.runtime.job_place import device_for_job
from engine.runtime.supervisor import Supervisor
from tests.engine.runtime.conftest import Machine, sleeping_command
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.process

GPUS = (Device("GPU-a", 0, "A", 1), Device("GPU-b", 1, "B", 1))
CPU = Device("cpu", None, "CPU", 1)


def dying_command(job_id: int, attempt: int) -> list[str]:
    return [sys.executable, "-c", "raise SystemExit('the driver gave up')"]


def started(machine: Machine, **options: object) -> Supervisor:
    supervisor = machine.supervisor(**{"job_command": sleeping_command, **options})
    supervisor.start()
    return supervisor


def asked(machine: Machine, *, kind: str = "child", **arguments: object) -> Job:
    runs = machine.store.runs()
    run = runs[0] if runs else machine.create(device="cpu", priority=-1)
    return machine.store.ask_job(run.id, kind, arguments)


def process_of(machine: Machine, job: Job) -> psutil.Process:
    handle = machine.store.job(job.id).handle
    assert handle is not None
    process = ProcessIdentity.from_json(handle).process()
    assert process is not None
    return process


def test_a_job_starts_although_every_place_for_searches_is_taken(machine: Machine) -> None:
    searches = [machine.create(device="cpu"), machine.create(device="cpu")]
    job = asked(machine)
    supervisor = started(machine)
    supervisor.tick()
    states = sorted(machine.store.run(run.id).state for run in searches)
    assert states == [RunState.QUEUED, RunState.RUNNING]
    working = machine.store.job(job.id)
    assert (working.state, working.attempt, working.node) == (JobState.WORKING, 1, "here")
    assert process_of(machine, job).is_running()


def test_jobs_work_one_at_a_time_in_the_order_of_asking(machine: Machine) -> None:
    first, second = asked(machine, step=1), asked(machine, step=2)
    supervisor = started(machine)
    for _ in range(3):
        supervisor.tick()
    states = [machine.store.job(job.id).state for job in (first, second)]
    assert states == [JobState.WORKING, JobState.WAITING]
    machine.store.finish_job(first.id, 1, result={})
    supervisor.tick()
    assert machine.store.job(second.id).state is JobState.WORKING


def test_a_process_whose_job_is_over_is_ended(machine: Machine) -> None:
    job = asked(machine)
    supervisor = started(machine)
    supervisor.tick()
    process = process_of(machine, job)
    machine.store.finish_job(job.id, 1, result={})
    supervisor.tick()
    process.wait(PATIENCE_SECONDS)


def test_a_process_whose_run_was_deleted_is_ended(machine: Machine) -> None:
    job = asked(machine)
    machine.store.transition(job.run_id, RunState.STOPPED, why="a test")
    supervisor = started(machine)
    supervisor.tick()
    process = process_of(machine, job)
    machine.store.delete(job.run_id)
    supervisor.tick()
    process.wait(PATIENCE_SECONDS)
    assert machine.store.jobs() == []


def test_a_killed_process_is_followed_by_another_one(machine: Machine) -> None:
    job = asked(machine)
    supervisor = started(machine)
    supervisor.tick()
    process = process_of(machine, job)
    process.kill()
    process.wait(PATIENCE_SECONDS)
    supervisor.tick()
    waiting = machine.store.job(job.id)
    assert (waiting.state, waiting.crashes) == (JobState.WAITING, 1)
    supervisor.tick()
    again = machine.store.job(job.id)
    assert (again.state, again.attempt, again.crashes) == (JobState.WORKING, 2, 1)


def test_three_dead_processes_fail_the_job_with_the_last_words(machine: Machine) -> None:
    job = asked(machine)
    supervisor = started(machine, job_command=dying_command)
    for attempt in (1, 2, 3):
        supervisor.tick()
        assert machine.store.job(job.id).attempt == attempt
        handle = machine.launcher.started[-1].to_json()
        until(lambda handle=handle: machine.launcher.probe(handle) == "ended", "its end")
        supervisor.tick()
    failed = machine.store.job(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error == (
        "3 processes died over it. The process ended unexpectedly; its log ends with: "
        "the driver gave up"
    )


def test_a_program_that_cannot_start_fails_the_job(machine: Machine) -> None:
    job = asked(machine)
    supervisor = started(machine, job_command=lambda number, attempt: ["/does/not/exist"])
    for _ in range(3):
        supervisor.tick()
    failed = machine.store.job(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert "'/does/not/exist'" in failed.error


def test_a_job_that_works_longer_than_fifteen_minutes_is_ended(machine: Machine) -> None:
    job = asked(machine)
    supervisor = started(machine)
    supervisor.tick()
    process = process_of(machine, job)
    machine.clock.forward(899)
    supervisor.tick()
    assert process.is_running()
    machine.clock.forward(2)
    supervisor.tick()
    process.wait(PATIENCE_SECONDS)
    supervisor.tick()
    failed = machine.store.job(job.id)
    assert (failed.state, failed.error) == (
        JobState.FAILED,
        "It took longer than 15 minutes and was ended.",
    )


def test_an_engine_that_ends_lets_its_job_wait(machine: Machine) -> None:
    job = asked(machine)
    supervisor = started(machine)
    supervisor.tick()
    process = process_of(machine, job)
    supervisor.end()
    assert not process.is_running()
    waiting = machine.store.job(job.id)
    assert (waiting.state, waiting.crashes, waiting.handle) == (JobState.WAITING, 0, None)


def test_the_next_engine_watches_the_process_of_the_one_before(machine: Machine) -> None:
    job = asked(machine)
    started(machine).tick()
    process = process_of(machine, job)
    second = started(machine)
    second.tick()
    working = machine.store.job(job.id)
    assert (working.state, working.attempt) == (JobState.WORKING, 1)
    process.kill()
    process.wait(PATIENCE_SECONDS)
    second.tick()
    assert machine.store.job(job.id).state is JobState.WAITING


def test_a_job_without_a_handle_waits_again_after_half_a_minute(machine: Machine) -> None:
    job = asked(machine)
    machine.store.take_job("here", job.id)
    supervisor = started(machine)
    machine.clock.forward(30)
    supervisor.tick()
    assert machine.store.job(job.id).attempt == 1
    machine.clock.forward(1)
    supervisor.tick()
    assert machine.store.job(job.id).state is JobState.WAITING
    supervisor.tick()
    assert machine.store.job(job.id).attempt == 2


def test_the_job_of_a_lost_machine_is_taken_over(machine: Machine) -> None:
    job = asked(machine)
    elsewhere = replace(ProcessIdentity.mine(), boot="another boot").to_json()
    machine.store.register_node(Node("there", elsewhere, machine.clock.now()), stale_seconds=30)
    machine.store.take_job("there", job.id)
    machine.store.set_job_handle(job.id, 1, "a handle of another launcher")
    supervisor = started(machine)
    machine.clock.forward(50)
    machine.store.beat_node("there", elsewhere)
    machine.clock.forward(50)
    supervisor.tick()
    assert machine.store.job(job.id).node == "there"
    machine.clock.forward(11)
    supervisor.tick()
    supervisor.tick()
    taken = machine.store.job(job.id)
    assert (taken.state, taken.node, taken.attempt) == (JobState.WORKING, "here", 2)


def test_a_job_waits_for_the_machine_that_has_its_device(machine: Machine) -> None:
    first, second = asked(machine, device="cuda:7"), asked(machine, step=1)
    elsewhere = replace(ProcessIdentity.mine(), boot="another boot").to_json()
    gpu = Device("GPU-x", 7, "X", 1)
    machine.store.register_node(
        Node("there", elsewhere, machine.clock.now(), (gpu,)), stale_seconds=30
    )
    started(machine).tick()
    assert machine.store.job(first.id).state is JobState.WAITING
    assert machine.store.job(second.id).state is JobState.WORKING


def test_a_device_that_nobody_has_fails_the_job(machine: Machine) -> None:
    job = asked(machine, device="cuda:63")
    started(machine).tick()
    failed = machine.store.job(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.startswith("Asked for device = 'cuda:63' for a job; found no such device")


def test_an_engine_is_not_idle_while_a_job_waits(machine: Machine) -> None:
    job = asked(machine)
    machine.store.transition(job.run_id, RunState.STOPPED, why="a test")
    supervisor = started(machine, until_idle=True)
    assert not supervisor._is_idle()
    machine.store.take_job("here", job.id)
    assert not supervisor._is_idle()
    machine.store.finish_job(job.id, 1, result={})
    assert supervisor._is_idle()


@pytest.mark.parametrize(
    ("wanted", "devices", "taken", "expected"),
    [
        ("auto", (*GPUS, CPU), set(), "GPU-a"),
        ("auto", (*GPUS, CPU), {"GPU-a"}, "GPU-b"),
        ("auto", (*GPUS, CPU), {"GPU-a", "GPU-b", "cpu"}, "cpu"),
        ("auto", (CPU,), {"cpu"}, "cpu"),
        ("auto", (), set(), "cpu"),
        ("cpu", GPUS, set(), "cpu"),
        ("cuda:1", (*GPUS, CPU), {"GPU-b"}, "GPU-b"),
        ("GPU-a", (*GPUS, CPU), set(), "GPU-a"),
    ],
)
def test_a_job_gets_an_idle_gpu_or_the_cpu(
    wanted: str, devices: tuple[Device, ...], taken: set[str], expected: str
) -> None:
    assert device_for_job(wanted, devices, taken=taken).id == expected


def test_a_missing_device_is_named_with_those_that_are_there() -> None:
    with pytest.raises(DeviceMissing, match=r"auto, GPU-a, GPU-b, cpu, cuda:0, cuda:1"):
        device_for_job("cuda:9", GPUS, taken=())
