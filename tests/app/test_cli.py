import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from PIL import Image

from app import processes
from app.processes import is_serving
from app.settings import Settings
from app.wiring import SystemClock
from engine.catalog import gather_catalog
from engine.domain.genotype import from_json
from engine.domain.ports import Device, RunStore
from engine.domain.run import Progress, RunState
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.runtime.supervisor import worker_command
from storage.sql_store import SqlStore
from tests.processes.conftest import EGS, ROOT
from tests.processes.gate import PROGRAM, Gate
from tests.waiting import PATIENCE_SECONDS, until

TINY = "--set epochs=1 --set cells=3 --set channels=4 --set train_limit=128 --set cpu_threads=1"
TINY_SEARCH = ("search", "--preset", "digits", *TINY.split())


@pytest.fixture
def store(home: Path) -> Iterator[RunStore]:
    opened = SqlStore(Settings.from_environment().database_url, SystemClock())
    opened.publish(gather_catalog())
    yield opened
    opened.close()


def record(store: RunStore, run_id: int) -> None:
    run = store.claim(run_id, node="here", device=Device("cpu", None, "a CPU", 2**30))
    assert run is not None
    space = store.space_of(run)
    assert space is not None
    row = tuple(1 / 16 for _ in space.operations)
    snapshot = Snapshot(
        step=16,
        epoch=1,
        kind=SnapshotKind.EPOCH,
        temperature=1.0,
        probabilities={kind: (row,) * len(space.edges) for kind in space.cell_kinds},
        codes={kind: (2,) * len(space.edges) for kind in space.cell_kinds},
        metrics={"child_accuracy": 94.25, "train_loss": 0.5},
        derived={kind: (2,) * len(space.edges) for kind in space.cell_kinds},
    )
    store.append(run.id, run.attempt, [snapshot], Progress(step=16, total_steps=320, epoch=1))


# Searches


def test_search_is_queued_with_preset_data_and_settings(egs):
    said = egs("search", "--preset", "digits", "--set", "epochs=3", "--set", "seed=7", "--json")
    assert said.code == 0
    run = said.json
    assert run["state"] == "queued"
    assert (run["config"]["epochs"], run["config"]["seed"], run["config"]["channels"]) == (3, 7, 8)
    assert egs("runs", "--json").json[0]["uid"] == run["uid"]


def test_search_without_an_engine_says_how_to_start_one(egs):
    said = egs("search", "--preset", "digits", "--name", "mine", "--priority", "3")
    assert said.out == "Run 1 'mine' is queued\n"
    assert said.err == "No engine is running; start one with `egs up` or `egs engine`.\n"


def test_relative_data_path_is_stored_absolute(egs, tmp_path, monkeypatch):
    for name in ("a", "b"):
        folder = tmp_path / "images" / "train" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(folder / "0.png")
    monkeypatch.chdir(tmp_path)
    run = egs("search", "--data", "images", "--json").json
    assert run["config"]["data"] == str(tmp_path / "images")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "epochs"], "Asked for --set 'epochs'; found no '='"),
        (["--set", "epoch=3"], "Asked for the setting 'epoch'; found no such setting"),
        (["--set", "epochs=0"], "Asked for epochs = '0'; found input should be greater"),
        (["--set", "draws=many"], "Asked for draws = 'many'; found input should be a valid int"),
        (["--preset", "imagenet"], "Asked for the preset 'imagenet'; found no such preset"),
        (["--data", "nowhere"], "found neither a data set of that name nor a file or folder"),
        (["--set", "device=tpu"], "Asked for device = 'tpu'"),
    ],
)
def test_wrong_setting_is_one_sentence_and_queues_nothing(egs, arguments, sentence):
    said = egs("search", *arguments)
    assert said.code == 2
    assert said.out == ""
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert egs("runs", "--json").json == []


def test_refusal_with_json_is_one_object_on_stderr(egs):
    said = egs("show", "9", "--json")
    assert (said.code, said.out) == (2, "")
    refusal = json.loads(said.err)
    assert refusal["kind"] == "NotFound"
    assert refusal["asked"] == "run 9"
    assert refusal["advice"]


@pytest.mark.parametrize("arguments", [["nonsense"], ["show"], ["show", "x"], ["runs", "--what"]])
def test_command_line_that_cannot_be_read_is_one_sentence(egs, arguments):
    said = egs(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    with_json = egs(*arguments, "--json")
    assert json.loads(with_json.err)["error"] == said.err.strip()


# Steering and looking


def test_a_search_may_wait_behind_all_others(egs):
    for _ in range(2):
        egs("search", "--preset", "digits")
    assert egs("queue", "priority", "1", "-5", "--json").json["priority"] == -5
    assert [run["id"] for run in egs("queue", "--json").json] == [2, 1]
    assert egs("queue", "priority", "1", "--nonsense").code == 2


def test_notes_in_another_encoding_are_kept_readable(egs):
    egs("search", "--preset", "digits")
    said = egs("label", "1", "--notes", os.fsdecode(b"caf\xe9"), "--json")
    assert said.code == 0
    assert said.json["notes"] == "caf\\udce9"


def test_a_file_and_json_do_not_share_a_stream(egs):
    said = egs("export", "1", "--format", "genotype", "-o", "-", "--json")
    assert (said.code, said.out) == (2, "")
    assert "both -o - and --json" in said.err


def test_life_of_a_queued_search(egs):
    egs("search", "--preset", "digits", "--json")
    egs("search", "--preset", "digits", "--json")
    assert egs("queue", "priority", "2", "5", "--json").json["priority"] == 5
    assert [run["id"] for run in egs("queue", "--json").json] == [2, 1]
    assert egs("pause", "1").code == 2
    assert egs("delete", "1").code == 2
    assert egs("stop", "1", "--json").json["state"] == "stopped"
    assert egs("resume", "1").code == 2
    assert egs("delete", "1", "--json").json == {"deleted": 1}
    assert [run["id"] for run in egs("runs", "--json").json] == [2]


def test_running_search_takes_wishes(egs, store):
    egs("search", "--preset", "digits", "--json")
    record(store, 1)
    assert egs("pause", "1", "--json").json["request"] == "pause"
    assert egs("stop", "1").out.startswith("Run 1 ")
    assert "running (stop asked)" in egs("runs").out


def test_show_has_figures_events_and_settings(egs, store):
    egs("search", "--preset", "digits", "--json")
    record(store, 1)
    shown = egs("show", "1", "--json").json
    assert shown["metrics"]["child_accuracy"] == pytest.approx(94.25)
    assert shown["progress"]["total_steps"] == 320
    assert shown["events"][0]["kind"] == "created"
    assert shown["checkpoints"] == []
    text = egs("show", "1").out
    assert "child_accuracy" in text
    assert "94.25" in text


def test_snapshots_are_listed_with_all_numbers_in_json(egs, store):
    egs("search", "--preset", "digits", "--json")
    record(store, 1)
    found = egs("snapshots", "1", "--epochs", "--json").json
    assert [snapshot["step"] for snapshot in found] == [16]
    assert len(found[0]["probabilities"]["normal"]) == 14
    assert egs("snapshots", "1", "--after", "16", "--json").json == []
    assert "94.25" in egs("snapshots", "1").out


def test_derive_prints_a_genotype_that_reads_back(egs, store):
    egs("search", "--preset", "digits", "--json")
    record(store, 1)
    genotype = from_json(egs("derive", "1", "--snapshot", "20").out)
    assert genotype.lineage["step"] == 16
    assert egs("derive", "1", "--snapshot", "3").code == 2


def test_export_writes_one_whole_file(egs, store, tmp_path, monkeypatch):
    egs("search", "--preset", "digits", "--name", "mine", "--json")
    record(store, 1)
    monkeypatch.chdir(tmp_path)
    assert egs("export", "1", "--format", "genotype").out == "mine-run1-step16.json\n"
    assert from_json((tmp_path / "mine-run1-step16.json").read_text()).lineage["name"] == "mine"
    made = egs("export", "1", "--format", "darts", "-o", str(tmp_path), "--json").json
    assert made["path"] == str(tmp_path / "mine-run1-step16.txt")
    egs("export", "1", "--format", "module", "-o", "net.py")
    compile((tmp_path / "net.py").read_text(), "net.py", "exec")
    assert list(tmp_path.glob("*.part")) == []


def test_export_into_a_folder_that_is_not_there_is_one_sentence(egs, store, tmp_path):
    egs("search", "--preset", "digits", "--json")
    record(store, 1)
    said = egs("export", "1", "--format", "darts", "-o", str(tmp_path / "no" / "where.txt"))
    assert said.code == 2
    assert "that it cannot be written (No such file or directory)" in said.err


def test_jobs_are_listed_with_their_answers(egs, store):
    assert egs("jobs").out == "No jobs.\n"
    assert egs("jobs", "--json").json == []
    for seed in (1, 2):
        egs("search", "--preset", "digits", "--set", f"seed={seed}", "--json")
    first = store.ask_job(1, "latency", {"batch": 1})
    store.ask_job(2, "child", {"step": 3})
    store.take_job("here", first.id)
    store.finish_job(first.id, 1, result={"median_ms": 1.25, "device": "cpu"})
    assert [job["kind"] for job in egs("jobs", "--json").json] == ["child", "latency"]
    (only,) = egs("jobs", "1", "--json").json
    assert (only["state"], only["result"]["median_ms"]) == ("done", 1.25)
    assert "device cpu, median_ms 1.25" in egs("jobs").out
    assert egs("jobs", "9").code == 2


def test_a_stale_process_of_a_job_ends_with_3(home, store, egs):
    egs("search", "--preset", "digits", "--json")
    job = store.ask_job(1, "child", {"step": 3})
    done = start("job", str(job.id), "--attempt", "7")
    _, said = done.communicate(timeout=PATIENCE_SECONDS)
    assert done.returncode == 3
    assert "attempt 7 is not the present one" in said
    assert store.job(job.id) == job


def test_markup_in_a_name_is_shown_as_text(egs):
    egs("search", "--preset", "digits", "--name", "[red]x[/red] [link=a]", "--json")
    assert "[red]x[/red] [link=a]" in egs("runs").out


def test_presets_are_listed(egs):
    assert "cifar10-cpu" in [entry["name"] for entry in egs("presets", "--json").json]
    assert "cifar10-cpu" in egs("presets").out
    assert "gdas-like" in egs("presets").out


def test_a_method_is_laid_over_a_preset_for_data(egs):
    config = egs("search", "--preset", "darts", "--preset", "digits", "--json").json["config"]
    assert (config["method"], config["update"], config["data"]) == (
        "darts",
        "alternating",
        "digits",
    )
    said = egs("search", "--preset", "darts", "--preset", "random")
    assert (said.code, said.out) == (2, "")
    assert "found several of the same kind" in said.err


def test_no_runs_says_how_to_start_one(egs):
    assert egs("runs").out == "No runs. Start one with `egs search --preset digits`.\n"


# Doctor


def test_doctor_finds_a_working_machine(egs):
    said = egs("doctor", "--json")
    assert said.code == 0
    status = {check["name"]: check["status"] for check in said.json}
    assert status["Python"] == status["torch"] == status["cpu"] == status["database"] == "ok"
    assert status["engine"] == "warning"
    assert all(check["advice"] for check in said.json if check["status"] != "ok")


def test_doctor_fails_when_the_database_cannot_be_used(egs, home):
    home.mkdir()
    (home / "studio.db").write_bytes(b"no database" * 100)
    said = egs("doctor", "--json")
    assert said.code == 1
    database = next(check for check in said.json if check["name"] == "database")
    assert database["status"] == "error"


def test_doctor_sees_a_port_that_is_taken(egs):
    with socket.create_server(("127.0.0.1", int(os.environ["EGS_PORT"]))):
        checks = egs("doctor", "--json").json
        port = next(check for check in checks if check["name"] == "port")
        assert port["status"] == "warning"
        said = egs("up")
    assert said.code == 2
    assert "found another program there" in said.err


def test_command_starts_without_torch():
    code = "import app.cli, sys; assert not {'torch', 'streamlit', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Real processes


def start(*arguments: str, program: Sequence[str] = EGS) -> subprocess.Popen[str]:
    """The command, as from a terminal: whoever runs the tests may run them under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.process
def test_waiting_search_starts_an_engine_and_prints_one_json_value(home):
    process = start(*TINY_SEARCH, "--wait", "--json")
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    run = json.loads(out)
    assert run["state"] == "completed"
    assert set(run["metrics"]) >= {"child_accuracy", "gap", "train_loss"}
    assert (home / "logs" / "engine.log").exists()


@pytest.mark.process
def test_waiting_search_that_fails_ends_with_1_and_the_reason(home, tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / "images" / "train" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(folder / "0.png")
        (folder / "1.png").write_bytes(b"no image")
    process = start("search", "--data", str(tmp_path / "images"), "--wait")
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert out.endswith("is failed (data error)\n")
    assert "2 image(s) that cannot be read: train/a/1.png" in err


@pytest.mark.process
def test_interrupted_waiting_leaves_the_search_alone_and_says_how_to_pause_it(home, store):
    Gate(home).hold_runs(at=1)
    process = start("egs", *TINY_SEARCH, "--wait", program=PROGRAM)
    until(lambda: any(run.progress.step for run in store.runs()), "the first step")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "The search goes on; pause it with `egs pause 1`." in err
    assert store.run(1).state is RunState.RUNNING
    waiting = start("stop", "1")
    waiting.communicate(timeout=PATIENCE_SECONDS)
    until(lambda: store.run(1).state is RunState.STOPPED, "the search to stop")
    until(lambda: not store.nodes(), "the engine to end")


@pytest.mark.parametrize(
    "command", [(*processes.ENGINE, "--help"), (*worker_command(1, 1)[1:-3], "--help")]
)
def test_a_file_of_the_same_name_in_this_folder_is_not_run(tmp_path, command):
    (tmp_path / "app.py").write_text("raise SystemExit('another program')")
    (tmp_path / "engine").mkdir()
    command = [sys.executable, *command]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage" in done.stdout


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_up_serves_the_pages_and_an_engine_and_ends_both(home, store, number):
    process = start("egs", "up", program=PROGRAM)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.strip() == f"EGS Studio is at http://127.0.0.1:{os.environ['EGS_PORT']}"
    until(lambda: len(store.nodes()) == 1, "the engine")
    process.send_signal(number)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert store.nodes() == []
    with socket.create_server(("127.0.0.1", int(os.environ["EGS_PORT"]))):
        pass


@pytest.mark.process
def test_up_starts_killed_children_again_and_a_second_up_is_refused(home, store, egs, monkeypatch):
    monkeypatch.setattr(processes, "ANSWER_SECONDS", PATIENCE_SECONDS)
    process = start("egs", "up", program=PROGRAM)
    assert process.stdout is not None
    assert "EGS Studio is at" in process.stdout.readline()
    until(lambda: len(store.nodes()) == 1, "the engine")
    first = store.nodes()[0].process
    second = egs("up")
    assert second.code == 2
    assert "found a studio that is running there already" in second.err
    for child in psutil.Process(process.pid).children():
        child.kill()
    until(lambda: [n.process for n in store.nodes()] not in ([], [first]), "another engine")
    until(lambda: is_serving(Settings.from_environment()), "another front end")
    process.terminate()
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
