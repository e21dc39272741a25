"""``egs evaluate``: which trainings are queued, and what is said when they have ended."""

import json
import math
import subprocess
import sys

import pytest

from app.bench import bench, changed_rule
from engine.domain.config import TrainingConfig
from engine.domain.genotype import from_json, plain_nodes, to_darts, to_json
from engine.domain.published import PUBLISHED_RECURRENT
from engine.domain.training_presets import training_preset
from engine.spaces import SPACES
from tests.e2e.seeding import alive, seed_run

TINY = "--set epochs=2 --set cells=3 --set channels=4 --set train_limit=64 --set cpu_threads=1"


@pytest.fixture
def found(studio):
    """A recorded search on digits."""
    return seed_run(studio.store, studio.artifacts, count=40, name="mine")


def trainings(studio) -> list[TrainingConfig]:
    """The settings of all trainings in the order in which they were queued."""
    runs = studio.store.runs(purpose="training")
    return [run.config for run in sorted(runs, key=lambda run: run.id)]


def test_what_a_search_found_is_queued_once_a_seed_with_the_preset_of_its_data(studio, egs, found):
    said = egs("evaluate", found.id, "--seeds", 2)
    assert said.out.splitlines() == [
        "Run 2 'mine trained on digits, seed 0' is queued",
        "Run 3 'mine trained on digits, seed 1' is queued",
    ]
    assert said.err == "No engine is running; start one with `egs up` or `egs engine`.\n"
    first, second = trainings(studio)
    assert (first.seed, second.seed) == (0, 1)
    assert first.model_copy(update={"seed": 1}) == second
    wanted = training_preset("digits-train").settings
    assert {name: getattr(first, name) for name in wanted} == dict(wanted)
    genotype = from_json(first.genotype)
    assert genotype == studio.derive(found.id)
    assert (genotype.lineage["run"], genotype.lineage["data"]) == (found.uid, "digits")


def test_snapshot_and_rule_say_which_architecture_is_trained(studio, egs, found):
    egs("evaluate", found.id, "--snapshot", 100, "--rule", "top2", "--name", "other")
    (config,) = trainings(studio)
    genotype = from_json(config.genotype)
    rule = changed_rule(studio, found, 100, name="top2")
    assert genotype == bench(studio, found.id, 100, rule).genotype
    assert genotype.lineage["step"] == 100
    assert genotype.rule == rule
    assert studio.runs()[0].name == "other, seed 0"


def test_settings_and_data_are_laid_over_the_preset(studio, egs, found):
    said = egs("evaluate", found.id, "--data", "mnist", "--set", "epochs=3", "--set", "seed=5")
    assert said.code == 0
    (config,) = trainings(studio)
    assert (config.data, config.epochs, config.seed) == ("mnist", 3, 5)
    assert config.channels == training_preset("digits-train").settings["channels"]


def test_a_preset_with_data_of_its_own_transfers_the_cells_to_them(studio, egs, found):
    egs("evaluate", found.id, "--preset", "cifar10-train")
    (config,) = trainings(studio)
    assert (config.data, config.cells, config.channels, config.cutout) == ("cifar10", 20, 36, 16)
    assert (config.include_validation, config.auxiliary_weight) == (True, 0.4)


def test_an_architecture_in_a_file_is_trained_whatever_its_notation(studio, egs, tmp_path):
    alive(studio.store)
    genotype = PUBLISHED_RECURRENT["darts_v2"].genotype(SPACES["rnn"])
    for name, text in (("cell.json", to_json(genotype)), ("cell.txt", to_darts(genotype))):
        (tmp_path / name).write_text(text)
        said = egs("evaluate", tmp_path / name)
        assert (said.code, said.err) == (0, "")
    assert [plain_nodes(from_json(config.genotype)) for config in trainings(studio)] == [
        plain_nodes(genotype)
    ] * 2
    assert {config.data for config in trainings(studio)} == {"python_topics"}
    assert studio.runs()[0].name == "cell trained on python_topics, seed 0"


def test_a_file_with_a_lineage_is_trained_on_the_data_that_it_names(studio, egs, found, tmp_path):
    egs("export", found.id, "--format", "genotype", "-o", tmp_path / "g.json")
    egs("evaluate", tmp_path / "g.json")
    (config,) = trainings(studio)
    assert config.data == "digits"
    assert from_json(config.genotype).lineage["run"] == found.uid


def test_a_training_is_trained_again_with_other_seeds(studio, egs, found):
    egs("evaluate", found.id)
    egs("evaluate", 2, "--set", "seed=9")
    first, second = trainings(studio)
    assert (first.genotype, second.seed) == (second.genotype, 9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--preset", "ptb-train"),
            "Asked for the training preset 'ptb-train'; found no data; allowed is a folder with "
            "the data that it is for; say with --data where it lies.",
        ),
        (
            ("--preset", "topics-train"),
            "Asked for the search space 'darts' for the task 'language_modelling'; found a space "
            "for images; allowed is rnn for language_modelling; darts or nb201 for images; choose "
            "another space or another task.",
        ),
        (
            ("--set", "start_from=nobody"),
            "Asked for start_from = 'nobody'; found no training of that identity; allowed is the "
            "uid of a completed training of the same cells; choose another run or leave start_from "
            "empty.",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(studio, egs, found, arguments, sentence):
    said = egs("evaluate", found.id, *arguments)
    assert (said.code, said.out, said.err) == (2, "", sentence + "\n")
    assert trainings(studio) == []


def test_unknown_presets_settings_rules_files_and_runs_are_refused(studio, egs, found, tmp_path):
    (tmp_path / "newer.json").write_text(
        to_json(studio.derive(found.id)).replace('"version": 1', '"version": 2')
    )
    for arguments, words in (
        ((found.id, "--preset", "nothing"), "found no such preset"),
        ((found.id, "--set", "draws=3"), "the setting 'draws'; found no such setting"),
        ((found.id, "--rule", "best"), "rule"),
        ((99,), "run 99"),
        ((tmp_path / "missing.json",), "cannot be read"),
        ((tmp_path / "newer.json",), "schema version 2, written by a newer EGS Studio"),
        ((tmp_path / "newer.json", "--rule", "map"), "a file, which holds one architecture"),
        ((found.id, "--seeds", 0), "greater than or equal to 1"),
    ):
        said = egs("evaluate", *arguments)
        assert (said.code, said.out) == (2, ""), arguments
        assert words in said.err, arguments
    assert trainings(studio) == []


@pytest.mark.process
def test_waiting_gives_the_test_figure_of_each_seed_with_mean_and_spread(studio, egs, found):
    command = ["evaluate", str(found.id), "--seeds", "2", "--wait", "--json", *TINY.split()]
    said = subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)
    values = [entry["value"] for entry in answer["values"]]
    assert [entry["seed"] for entry in answer["values"]] == [0, 1]
    assert answer["figure"] == "test_accuracy"
    assert answer["mean"] == pytest.approx(sum(values) / 2)
    assert answer["standard_deviation"] == pytest.approx(abs(values[0] - values[1]) / math.sqrt(2))
    assert [run["state"] for run in answer["runs"]] == ["completed", "completed"]
    assert [run["metrics"]["test_accuracy"] for run in answer["runs"]] == values
    assert [run["progress"]["score"] for run in answer["runs"]] == values

    listed = egs("runs").out
    assert f"{values[0]:.1f} % (test)" in listed
    shown = egs("show", 2).out
    assert f"test accuracy {values[0]:.1f} %" in shown.splitlines()[0]
    head = egs("snapshots", 2, "--epochs").out.splitlines()[0].split()
    assert head == ["Step", "Epoch", "Temperature", "validation_accuracy", "test_accuracy"]
    assert json.loads(egs("derive", 2).out) == json.loads(trainings(studio)[0].genotype)
