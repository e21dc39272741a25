"""``egs study``: in this process on recorded searches, and once with a real engine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.domain.study import read_study
from tests.app.one_edge_runs import ONE_EDGE
from tests.app.truth_files import write_table
from tests.e2e.seeding import seed_run

TEXT = """
name = "tiny"
preset = "digits"
seeds = [0]
baseline = "random"

[shared]
epochs = 1
cells = 3
channels = 4
train_limit = 128

[[configuration]]
name = "M = 2"
settings = { draws = 2 }

[[configuration]]
name = "random"
preset = "random"
settings = { candidates = 1 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TEXT, "utf-8")
    return path


def test_runs_are_queued_once_and_found_on_the_runs_page(studio, egs, file):
    first = egs("study", file)
    assert first.code == 0
    assert first.err == (
        "2 runs, 2 of them new.\nNo engine is running; start one with `egs up` or `egs engine`.\n"
    )
    assert "M = 2 better than random: not shown (no seed has the child error of both)." in first.out
    assert egs("study", file).err.startswith("2 runs, 0 of them new.\n")
    assert sorted(run.name for run in studio.runs()) == [
        "tiny / M = 2 / seed 0",
        "tiny / random / seed 0",
    ]


def test_settings_of_all_configurations_can_be_given(studio, egs, file):
    said = egs("study", file, "--set", "draws=3", "--priority", "2", "--json").json
    assert said["command"] == "egs study tiny.toml --set draws=3"
    assert [one["settings"]["draws"] for one in said["configurations"]] == [3, 3]
    assert {run.priority for run in studio.runs()} == {2}


def test_the_report_is_printed_and_written(studio, egs, tmp_path):
    path = tmp_path / "study.toml"
    text = TEXT.replace("[0]", "[0, 1, 2]").split("[shared]")[0]
    path.write_text(
        text + '[[configuration]]\nname = "M = 2"\nsettings = { draws = 2 }\n'
        '[[configuration]]\nname = "random"\n',
        "utf-8",
    )
    for trial in read_study(path.read_text("utf-8")).trials:
        changes = {key: getattr(trial.config, key) for key in ("scope", "draws", "seed")}
        seed_run(studio.store, studio.artifacts, count=40, name=trial.run_name, **changes)
    said = egs("study", path, "-o", tmp_path / "report.json")
    assert said.code == 0
    written = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert written["complete"]
    assert written["comparisons"][0]["sentence"] in said.out
    child = written["configurations"][0]["summary"]["child"]
    assert f"{child['mean']:.2f} ± {child['deviation']:.2f} %" in said.out


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda text: text.replace("seeds", "seed"), "Asked for 'seed' in a study"),
        (lambda text: text.replace("draws", "draw"), "the setting 'draw' of the configuration"),
        (lambda _: "x" * 1_000_001, "found 1,000,001 bytes"),
        (lambda _: "\udcff", "found no text in UTF-8"),
        (lambda text: 'truth = "t.npz"' + text, "published accuracies 't.npz'; found no such file"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_queues_nothing(studio, egs, file, change, part):
    file.write_bytes(change(TEXT).encode("utf-8", "surrogateescape"))
    said = egs("study", file)
    assert said.code == 2
    assert part in said.err
    assert said.err.count("\n") == 1
    assert studio.runs() == []


def test_a_file_that_is_not_there_or_cannot_be_written_is_one_sentence(studio, egs, file):
    said = egs("study", file.with_name("none.toml"))
    assert said.code == 2
    assert "found that it cannot be read (No such file or directory)" in said.err
    said = egs("study", file, "-o", file / "x.json")
    assert said.code == 2
    assert "cannot be written" in said.err
    assert studio.runs() == []


def test_a_table_is_found_beside_the_file_and_among_the_known_ones(studio, egs, file, tmp_path):
    file.write_text('truth = "t.npz"' + TEXT, "utf-8")
    write_table(tmp_path / "home" / "tables" / "t.npz", ONE_EDGE)
    assert egs("study", file).code == 0
    write_table(tmp_path / "t.npz", ONE_EDGE)
    assert egs("study", file, "--json").json["measures"][0]["name"] == "truth"
    said = egs("study", file, "--truth", tmp_path / "other.npz")
    assert "published accuracies 'other.npz'; found no such file" in said.err


@pytest.mark.process
def test_a_study_runs_through_a_real_engine_and_is_not_run_twice(studio, file, tmp_path):
    command = [sys.executable, "-m", "app.cli", "study", str(file), "--wait", "--json"]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["complete"]
    for one in report["configurations"]:
        (trial,) = one["trials"]
        assert {"child", "parameters", "seconds"} <= set(trial["figures"])
        assert 0 <= trial["figures"]["child"] <= 100
        assert trial["data_digest"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.stderr == "2 runs, 0 of them new.\n"
    assert json.loads(again.stdout)["configurations"] == report["configurations"]
