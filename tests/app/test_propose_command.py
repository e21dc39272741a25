"""``egs propose``, and ``egs search`` with a time budget."""

import json
import platform
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from app.commands import propose
from app.settings import Settings
from app.studio import Studio
from engine.domain.config import make_config
from engine.domain.facts import speed_key
from engine.domain.jobs import Job
from engine.domain.presets import preset_config
from engine.domain.proposal_limits import DEFAULT_MINUTES, GUESSED_SPEEDS
from engine.domain.proposed import PROPOSED
from tests.engine.data.bad_data import scene_folder, text_folder

QUIET = ("--no-measure",)


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements are answered at once, without the process of an engine."""
    monkeypatch.setattr(propose, "see_answer", answered)


def answered(studio: Studio, _: Settings, job: Job) -> Job:
    """Publish a speed as an engine does."""
    speed = asdict(GUESSED_SPEEDS["cpu"])
    with studio.artifacts.write(speed_key(platform.node(), "cpu")) as file:
        file.write(json.dumps(speed).encode())
    return job


@pytest.fixture
def images(tmp_path: Path) -> Path:
    path = tmp_path / "mine.npz"
    random = np.random.default_rng(0)
    count = 2500
    np.savez(
        path,
        train_images=random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8),
        train_labels=np.arange(count) % 5,
        class_names=np.array(["cat", "dog", "owl", "fox", "elk"]),
    )
    return path


def test_proposal_has_settings_reasons_and_the_training_that_follows(egs, images):
    said = egs("propose", "--data", images, "--minutes", 60, *QUIET, "--json")
    assert said.code == 0
    answer = said.json
    config = make_config(answer["settings"])
    assert config.data == str(images)
    assert set(answer["reasons"]) == set(answer["proposed"]) <= set(PROPOSED)
    assert answer["reasons"]["stem_stride"] == "32x32 images become 16x16 for the first cell"
    assert answer["seconds"] <= 3600
    assert answer["steps"] == config.epochs * answer["steps_per_epoch"]
    assert answer["speed"] == "guess"
    assert answer["training"]["settings"]["epochs"] > 0
    assert set(answer["training"]["reasons"]) == set(answer["training"]["settings"])
    assert egs("runs", "--json").json == []


def test_proposal_reads_as_a_table(egs, images):
    said = egs("propose", "--data", images, "--minutes", 60, *QUIET, "--set", "batch_size=32")
    assert said.out.startswith("About ")
    assert "The time is a guess, since nothing has been measured on this device yet." in said.out
    search, training = said.out.split("\nA training from scratch takes about ")
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in search.splitlines() if line}
    value, why = rows["flip"]
    assert (value, why.strip()) == ("True", "mirrored photographs keep their meaning")
    value, why = rows["batch_size"]
    assert (value, why.strip()) == ("32", "set by you")
    assert "as in the search" in training


def test_too_little_time_is_a_problem_and_its_fix_and_queues_nothing(egs, images):
    said = egs("search", "--data", images, "--minutes", 1)
    assert said.code == 2
    assert re.fullmatch(
        r"1 minute is too short: the smallest network needs \d+ updates to decide, at [\d.]+ s "
        r"each\. Allow at least \d+ minutes, or use a faster device\.",
        said.err.splitlines()[-1],
    )
    assert egs("runs", "--json").json == []
    # Epochs that a person sets are never rejected, but their cost is said.
    fixed = egs("propose", "--data", images, "--minutes", 1, *QUIET, "--set", "epochs=50")
    assert fixed.code == 0
    assert "With the settings that you fixed, the search takes about" in fixed.out


def test_a_preset_on_its_own_data_is_left_alone_unless_there_is_a_budget(egs):
    said = egs("propose", "--preset", "digits", *QUIET)
    assert said.out.startswith("The preset digits takes about ")
    answer = egs("propose", "--preset", "digits", *QUIET, "--json").json
    assert make_config(answer["settings"]) == preset_config("digits")
    assert answer["reasons"] == {}
    adapted = egs("propose", "--preset", "digits", "--minutes", 60, *QUIET, "--json").json
    assert adapted["settings"]["epochs"] > preset_config("digits").epochs


def test_without_a_budget_and_a_preset_it_is_twenty_minutes(egs, images):
    answer = egs("propose", "--data", images, *QUIET, "--json").json
    assert answer["minutes"] == DEFAULT_MINUTES


def test_task_follows_from_the_data_unless_it_is_set(egs, tmp_path):
    text = text_folder(tmp_path / "text")
    said = egs("propose", "--data", text, "--minutes", 600, *QUIET)
    assert "The task follows from the data: language_modelling.\n" in said.out
    scenes = scene_folder(tmp_path / "scenes")
    answer = egs("propose", "--data", scenes, "--minutes", 600, *QUIET, "--json").json
    assert answer["settings"]["task"] == "semantic_segmentation"
    fixed = ("--set", "task=image_classification")
    refused = egs("propose", "--data", text, *fixed, "--minutes", 600, *QUIET)
    assert (refused.code, "train/<class>/" in refused.err) == (2, True)


@pytest.mark.parametrize(("options", "jobs"), [((), 1), (QUIET, 0), (("--measure",), 1)])
def test_device_of_unknown_speed_is_measured_by_an_engine(egs, options, jobs):
    egs("propose", "--data", "digits", "--minutes", 60, *options)
    assert [job["kind"] for job in egs("jobs", "--json").json] == ["speed"] * jobs


@pytest.mark.parametrize(("options", "asked"), [((), False), (("--measure",), True)])
def test_known_speed_is_only_measured_again_if_asked(egs, options, asked):
    egs("propose", "--data", "digits", "--minutes", 60)
    said = egs("propose", "--data", "digits", "--minutes", 60, *options)
    assert ("Measuring the speed of the device" in said.err) is asked
    assert "an estimate from a few steps of two small networks" in said.out


def test_a_search_takes_the_proposed_settings(egs, images):
    options = ("--preset", "cifar10-cpu", "--data", images)
    proposed = egs("propose", *options, *QUIET, "--minutes", 20, "--json").json
    said = egs("search", *options, "--json")
    assert said.code == 0
    assert said.json["config"] == proposed["settings"]
    assert said.json["config"]["gradient"] == "probed"
    assert "Adapted from the preset cifar10-cpu: " in said.err


def test_settings_of_a_person_win_over_proposals(egs, images):
    options = ("--preset", "cifar10-cpu", "--data", images)
    config = egs("search", *options, "--set", "epochs=2", "--set", "flip=false", "--json").json[
        "config"
    ]
    assert (config["epochs"], config["flip"]) == (2, False)


def test_a_search_without_preset_or_budget_is_as_it_was(egs, images):
    config = egs("search", "--data", images, "--json").json["config"]
    assert make_config(config) == make_config({"data": str(images)})


@pytest.mark.parametrize("minutes", ["0", "-3", "nan", "1e12", "soon"])
@pytest.mark.parametrize("command", ["propose", "search", "check"])
def test_a_budget_that_is_none_is_refused_before_anything_is_measured(
    egs, images, command, minutes
):
    said = egs(command, "--data", images, "--minutes", minutes)
    assert said.code == 2
    assert "minutes" in said.err
    assert egs("jobs", "--json").json == []
