from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.errors import EngineAlreadyRunning, FailureReason
from engine.domain.ports import Node
from engine.domain.run import EventKind, Progress, Request, Run, RunState
from engine.runtime.failures import last_words
from engine.runtime.identity import ProcessIdentity
from engine.runtime.rules import Rules, patience_seconds
from tests.engine.runtime.conftest import Machine
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.process


def state(machine: Machine, run: Run) -> RunState:
    return machine.store.run(run.id).state


def test_higher_priority_starts_first_and_the_others_say_why_they_wait(machine: Machine) -> None:
    early, urgent = machine.create(device="cpu"), machine.create(device="cpu", priority=5)
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    assert state(machine, urgent) is RunState.RUNNING
    waiting = machine.store.run(early.id)
    assert waiting.state is RunState.QUEUED
    assert waiting.waiting == "Waits for the CPU, which runs another search."
    machine.process(urgent)


def test_an_engine_publishes_its_devices_and_catalogue(machine: Machine) -> None:
    machine.supervisor().start()
    (node,) = machine.store.nodes()
    assert node.devices[-1].id == "cpu"
    assert node.versions is not None
    assert set(node.versions) >= {"python", "torch", "numpy"}
    assert machine.store.catalog() is not None


def test_an_engine_deletes_the_logs_of_runs_and_jobs_that_are_gone(
    machine: Machine, tmp_path: Path
) -> None:
    run = machine.create(device="cpu")
    job = machine.store.ask_job(run.id, "child", {})
    logs = tmp_path / "logs"
    logs.mkdir()
    kept = [f"job-{job.id}-attempt-1.log", f"run-{run.id}-attempt-12.log", "engine.log"]
    gone = [f"job-{job.id + 1}-attempt-1.log", f"run-{run.id}1-attempt-1.log"]
    for name in (*kept, *gone):
        (logs / name).touch()
    machine.supervisor().start()
    assert sorted(path.name for path in logs.iterdir()) == sorted(kept)


def test_a_second_engine_of_one_machine_is_refused(machine: Machine) -> None:
    machine.supervisor().start()
    other = replace(ProcessIdentity.mine(), boot="another boot").to_json()
    node = Node("here", other, machine.clock.now())
    with pytest.raises(EngineAlreadyRunning):
        machine.store.register_node(node, stale_seconds=30)


def test_an_engine_whose_predecessor_was_killed_starts_at_once(machine: Machine) -> None:
    mine = ProcessIdentity.mine()
    dead = replace(mine, started=mine.started - 1.0)
    machine.store.register_node(Node("here", dead.to_json(), machine.clock.now()), stale_seconds=30)
    machine.supervisor().start()
    assert machine.store.nodes()[0].process == mine.to_json()


def test_an_engine_of_an_unknown_boot_is_given_its_time(machine: Machine) -> None:
    elsewhere = replace(ProcessIdentity.mine(), boot="another boot").to_json()
    machine.store.register_node(Node("here", elsewhere, machine.clock.now()), stale_seconds=30)
    with pytest.raises(EngineAlreadyRunning):
        machine.supervisor().start()
    machine.clock.forward(31)
    machine.supervisor().start()


def test_a_search_without_progress_is_ended_and_tried_again(machine: Machine) -> None:
    run = machine.create(device="cpu")
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    process = machine.process(run)
    machine.clock.forward(599)
    supervisor.tick()
    assert process.is_running()
    machine.clock.forward(2)
    supervisor.tick()
    process.wait(PATIENCE_SECONDS)
    supervisor.tick()
    again = machine.store.run(run.id)
    assert (again.state, again.attempt, again.crashes) == (RunState.RUNNING, 2, 1)
    (line,) = [e for e in machine.store.events(run.id) if "No progress for 601 s" in e.text]
    assert line.kind is EventKind.ERROR


def test_a_search_that_never_gets_anywhere_fails_after_five_attempts(machine: Machine) -> None:
    run = machine.create(device="cpu")
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    for _ in range(5):
        process = machine.process(run)
        machine.clock.forward(601)
        supervisor.tick()
        process.wait(PATIENCE_SECONDS)
        supervisor.tick()
    failed = machine.store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, FailureReason.CRASHED)
    assert failed.error is not None
    assert failed.error.startswith("5 crashes without a new checkpoint. The process was ended for")


def test_a_resumed_search_is_not_stuck_for_the_time_it_was_paused(machine: Machine) -> None:
    run = machine.create(device="cpu")
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    machine.process(run).kill()
    machine.store.transition(run.id, RunState.PAUSED, why="a test")
    machine.clock.forward(86_400)
    machine.store.transition(run.id, RunState.QUEUED, why="a test")
    supervisor.tick()
    supervisor.tick()
    assert machine.process(run).is_running()
    assert machine.store.run(run.id).attempt == 2


def test_a_stop_that_is_not_heard_is_enforced_after_thirty_seconds(machine: Machine) -> None:
    run = machine.create(device="cpu")
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    process = machine.process(run)
    machine.store.ask(run.id, Request.STOP)
    supervisor.tick()
    machine.clock.forward(29)
    supervisor.tick()
    assert process.is_running()
    machine.clock.forward(2)
    supervisor.tick()
    process.wait(PATIENCE_SECONDS)
    supervisor.tick()
    assert state(machine, run) is RunState.STOPPED


def test_a_pause_is_kept_when_the_process_dies_first(machine: Machine) -> None:
    run = machine.create(device="cpu")
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    process = machine.process(run)
    machine.store.ask(run.id, Request.PAUSE)
    process.kill()
    process.wait(PATIENCE_SECONDS)
    supervisor.tick()
    assert state(machine, run) is RunState.PAUSED


def test_runs_of_a_lost_machine_are_taken_over_once(machine: Machine) -> None:
    run = machine.create(device="cpu")
    cpu = machine.launcher.capacity().devices[-1]
    elsewhere = replace(ProcessIdentity.mine(), boot="another boot").to_json()
    machine.store.register_node(Node("there", elsewhere, machine.clock.now()), stale_seconds=30)
    machine.store.claim(run.id, node="there", device=cpu)
    supervisor = machine.supervisor()
    supervisor.start()
    machine.clock.forward(59)
    supervisor.tick()
    assert machine.store.run(run.id).node == "there"
    machine.clock.forward(2)
    supervisor.tick()
    taken = machine.store.run(run.id)
    assert (taken.state, taken.node, taken.attempt) == (RunState.RUNNING, "here", 2)
    assert taken.crashes == 0


def test_a_run_whose_worker_still_beats_is_left_alone_without_its_engine(machine: Machine) -> None:
    run = machine.create(device="cpu")
    cpu = machine.launcher.capacity().devices[-1]
    machine.store.claim(run.id, node="there", device=cpu)
    supervisor = machine.supervisor()
    supervisor.start()
    machine.clock.forward(61)
    machine.store.beat(run.id, 1)
    supervisor.tick()
    assert machine.store.run(run.id).node == "there"


def test_a_run_without_a_handle_is_taken_back_when_it_stays_silent(machine: Machine) -> None:
    run = machine.create(device="cpu")
    cpu = machine.launcher.capacity().devices[-1]
    machine.store.claim(run.id, node="here", device=cpu)
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    machine.clock.forward(29)
    supervisor.tick()
    assert machine.store.run(run.id).attempt == 1
    machine.clock.forward(2)
    supervisor.tick()
    assert machine.store.run(run.id).attempt == 2


def test_a_missing_device_fails_the_run_with_its_reason(machine: Machine) -> None:
    run = machine.create(device="cuda:63")
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    failed = machine.store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, FailureReason.DEVICE_MISSING)
    assert failed.error is not None
    assert failed.error.startswith("Asked for device = 'cuda:63'; found no such device")


def test_a_program_that_cannot_start_fails_the_run_after_five_attempts(machine: Machine) -> None:
    run = machine.create(device="cpu")
    supervisor = machine.supervisor(command=lambda run_id, attempt: ["/does/not/exist"])
    supervisor.start()
    for _ in range(5):
        assert state(machine, run) is RunState.QUEUED
        supervisor.tick()
    failed = machine.store.run(run.id)
    assert (failed.state, failed.failure) == (RunState.FAILED, FailureReason.CRASHED)
    assert failed.error is not None
    assert "'/does/not/exist'" in failed.error


def test_an_engine_that_ends_puts_its_runs_back_without_counting_a_crash(machine: Machine) -> None:
    run = machine.create(device="cpu")
    supervisor = machine.supervisor()
    supervisor.start()
    supervisor.tick()
    process = machine.process(run)
    supervisor.end()
    assert not process.is_running()
    queued = machine.store.run(run.id)
    assert (queued.state, queued.crashes) == (RunState.QUEUED, 0)
    assert machine.store.nodes() == []


def test_an_engine_that_lost_its_machine_to_another_one_ends(machine: Machine) -> None:
    supervisor = machine.supervisor()
    supervisor.start()
    machine.clock.forward(31)
    elsewhere = replace(ProcessIdentity.mine(), boot="another boot").to_json()
    machine.store.register_node(Node("here", elsewhere, machine.clock.now()), stale_seconds=30)
    with pytest.raises(EngineAlreadyRunning):
        supervisor.tick()


def test_patience_is_ten_usual_steps_and_at_least_ten_minutes(machine: Machine) -> None:
    run = machine.create(device="cpu")
    assert patience_seconds(run, Rules()) == 600
    slow = replace(run, progress=Progress(step=4, total_steps=9, seconds=400.0))
    assert patience_seconds(slow, Rules()) == 1000


def test_the_last_line_of_a_log_ends_a_sentence() -> None:
    assert last_words("one\ntwo \n\n") == "its log ends with: two"
    assert last_words("") == "it printed nothing."
