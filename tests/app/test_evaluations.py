from dataclasses import replace

import pytest

from app.evaluations import Origin, origin_of_run, training_config
from engine.domain.errors import InvalidConfig
from engine.domain.presets import preset_config
from engine.domain.published import PUBLISHED, PUBLISHED_RECURRENT
from engine.domain.run import Run, RunState
from engine.domain.training_presets import TRAINING_PRESETS, task_of, training_preset
from engine.spaces import SPACES
from tests.contracts.samples import START

CELLS = PUBLISHED["data_m7"].genotype(SPACES["darts"])
RECURRENT = PUBLISHED_RECURRENT["darts_v1"].genotype(SPACES["rnn"])


def origin(preset: str, genotype=CELLS, **changes: object) -> Origin:
    config = preset_config(preset, **changes)
    return origin_of_run(Run(1, "uid", "found", RunState.COMPLETED, config, START), genotype)


@pytest.mark.parametrize(
    ("preset", "genotype", "expected"),
    [
        ("digits", CELLS, "digits-train"),
        ("digit-scenes", CELLS, "digit-scenes-train"),
        ("topics", RECURRENT, "topics-train"),
        ("cifar10-cpu", CELLS, "cifar10-cpu-train"),
    ],
)
def test_the_default_is_the_quick_preset_of_the_task_and_data(preset, genotype, expected):
    config = training_config(origin(preset, genotype))
    wanted = training_preset(expected).settings
    assert {name: getattr(config, name) for name in wanted} == dict(wanted)


def test_data_of_a_folder_are_read_as_the_search_read_them():
    found = origin("digits", data="/data/flowers", image_size=48, test_fraction=0.3, train_limit=50)
    config = training_config(found)
    assert (config.data, config.image_size, config.test_fraction) == ("/data/flowers", 48, 0.3)
    assert config.train_limit == 50
    mobile = training_config(found, preset="imagenet-mobile")
    assert (mobile.data, mobile.image_size, mobile.test_fraction) == ("/data/flowers", 224, 0.3)
    assert mobile.train_limit == 0


def test_other_data_bring_nothing_of_how_the_search_read_its_own():
    found = origin("digits", data="/data/flowers", image_size=48)
    config = training_config(found, data="fashion_mnist")
    assert (config.data, config.image_size) == ("fashion_mnist", 0)


def test_a_preset_for_a_folder_does_not_take_named_data():
    with pytest.raises(InvalidConfig, match="found no data"):
        training_config(origin("cifar10"), preset="imagenet-mobile")
    assert training_config(origin("cifar10"), preset="imagenet-mobile", data="/in").data == "/in"


def test_a_preset_of_another_task_does_not_take_the_data_of_the_origin():
    found = origin("digits", data="/data/flowers")
    with pytest.raises(InvalidConfig, match="found no data"):
        training_config(found, preset="camvid-train")


def test_an_architecture_of_unknown_origin_gets_the_first_preset_of_its_kind():
    found = Origin(CELLS, "by hand", "image_classification")
    assert training_config(found).data == "digits"
    text = replace(found, genotype=RECURRENT, task="language_modelling")
    assert training_config(text).data == "python_topics"


@pytest.mark.parametrize("preset", [preset.name for preset in TRAINING_PRESETS])
def test_every_preset_makes_valid_settings(preset):
    chosen = training_preset(preset)
    found = Origin(CELLS, "by hand", task_of(chosen))
    config = training_config(found, preset=preset, data=chosen.settings.get("data", "/folder"))
    assert config.task == task_of(chosen)
