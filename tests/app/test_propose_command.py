"""``egs propose``, and ``egs search`` with a time budget."""

from pathlib import Path

import numpy as np
import pytest

from engine.domain.config import make_config
from engine.domain.presets import preset_config
from engine.domain.proposed import PROPOSED

QUIET = ("--no-measure",)


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
    assert "The time is a guess: nothing has been measured on this device yet." in said.out
    search, training = said.out.split("\nTraining from scratch: About ")
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in search.splitlines()}
    value, why = rows["flip"]
    assert (value, why.strip()) == ("True", "colour photographs look the same mirrored")
    value, why = rows["batch_size"]
    assert (value, why.strip()) == ("32", "set by you")
    assert "as in the search" in training


def test_too_little_time_is_one_sentence_and_queues_nothing(egs, images):
    said = egs("propose", "--data", images, "--minutes", 1, *QUIET)
    assert said.code == 2
    assert "Asked for a search within 1 minute" in said.err
    assert "or more; allow " in said.err
    # With settings of its own a search is not refused, but told.
    fixed = egs("propose", "--data", images, "--minutes", 1, *QUIET, "--set", "epochs=50")
    assert fixed.code == 0
    assert "With the settings that you fixed, the search takes about" in fixed.out


def test_a_preset_on_its_own_data_is_left_alone(egs):
    said = egs("propose", "--preset", "digits", "--minutes", 60, *QUIET)
    assert said.out.startswith("The preset digits stays as it is on its own data; it takes about ")
    answer = egs("propose", "--preset", "digits", *QUIET, "--json").json
    assert make_config(answer["settings"]) == preset_config("digits")
    assert answer["reasons"] == {}
    search = egs("search", "--preset", "digits", "--minutes", 60, "--json")
    assert make_config(search.json["config"]) == preset_config("digits")
    assert "stays as it is on its own data, whatever the budget" in search.err


def test_a_search_takes_the_proposed_settings(egs, images):
    options = ("--preset", "cifar10-cpu", "--data", images)
    proposed = egs("propose", *options, *QUIET, "--minutes", 20, "--json").json
    said = egs("search", *options, "--json")
    assert said.code == 0
    assert said.json["config"] == proposed["settings"]
    assert said.json["config"]["draws"] == 4
    assert "The preset cifar10-cpu was adapted to these data: " in said.err


def test_settings_of_a_person_win_over_proposals(egs, images):
    options = ("--preset", "cifar10-cpu", "--data", images)
    config = egs("search", *options, "--set", "epochs=2", "--set", "flip=false", "--json").json[
        "config"
    ]
    assert (config["epochs"], config["flip"]) == (2, False)


def test_a_search_without_preset_or_budget_is_as_it_was(egs, images):
    config = egs("search", "--data", images, "--json").json["config"]
    assert make_config(config) == make_config({"data": str(images)})


@pytest.mark.parametrize("minutes", ["0", "-3", "soon"])
def test_a_budget_that_is_none_is_refused(egs, images, minutes):
    said = egs("propose", "--data", images, "--minutes", minutes, *QUIET)
    assert said.code == 2
    assert "minutes" in said.err
