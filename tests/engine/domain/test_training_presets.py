"""Presets of trainings: the published ones are checked against published sizes."""

import pytest

from engine.catalog import gather_catalog
from engine.data.shapes import network_shape
from engine.data.summaries import DataSummary
from engine.domain.cost import network_cost
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import to_json
from engine.domain.language_cost import LanguageShape, language_cost
from engine.domain.published import PUBLISHED, PUBLISHED_RECURRENT
from engine.domain.training_presets import (
    TRAINING_PRESETS,
    default_training_preset,
    task_of,
    training_preset,
    training_preset_config,
)
from engine.optimisation.schedules import learning_rate_at
from engine.spaces import SPACES

IMAGENET = DataSummary("imagenet", 3, 1000, 224, 224, 1_281_167, 50_000)
CIFAR10 = DataSummary("cifar10", 3, 10, 32, 32, 45_000, 5_000, 10_000)
VOC = DataSummary("voc2012", 3, 21, 512, 512, 1464, 0, 1449, kind="scenes", ignore_index=255)


def cost_of(preset, cells, data):
    genotype = PUBLISHED[cells].genotype(SPACES["darts"])
    config = training_preset_config(preset, to_json(genotype))
    return network_cost(genotype, gather_catalog(), network_shape(config, data))


@pytest.mark.parametrize("cells", ["data_m4", "data_m7"])
def test_published_cells_stay_below_600_million_multiply_adds_on_imagenet(cells):
    cost = cost_of("imagenet-mobile", cells, IMAGENET)
    assert 500e6 < cost.multiply_adds < 600e6
    assert 4.5e6 < cost.parameters < 5.5e6


def test_the_network_for_cifar10_has_the_published_size():
    """3.44 million parameters for the cells of M = 7 (paper)."""
    assert cost_of("cifar10-train", "data_m7", CIFAR10).parameters == pytest.approx(
        3.44e6, rel=0.01
    )


def test_the_network_for_scenes_is_about_as_large_as_the_published_one():
    """12.7 million for M = 7, 11.7 million for M = 4 (paper, without the head's sizes)."""
    assert cost_of("voc-train", "data_m7", VOC).parameters == pytest.approx(12.7e6, rel=0.25)


@pytest.mark.parametrize(
    ("preset", "vocabulary", "published"),
    [("ptb-train", 10_000, 23e6), ("wikitext2-train", 33_278, 33e6)],
)
def test_language_models_have_the_published_size(preset, vocabulary, published):
    genotype = PUBLISHED_RECURRENT["darts_v2"].genotype(SPACES["rnn"])
    config = training_preset_config(preset, to_json(genotype), data="folder")
    shape = LanguageShape(vocabulary, config.embedding_size, config.hidden_size)
    assert language_cost(genotype, shape).parameters == pytest.approx(published, rel=0.05)
    assert config.averaging == "asgd"


def test_published_trainings_have_the_published_schedules():
    genotype = to_json(PUBLISHED["data_m7"].genotype(SPACES["darts"]))
    cifar10 = training_preset_config("cifar10-train", genotype)
    assert (cifar10.epochs, cifar10.batch_size, cifar10.cutout) == (600, 96, 16)
    assert (cifar10.drop_path, cifar10.auxiliary_weight) == (0.2, 0.4)
    imagenet = training_preset_config("imagenet-mobile", genotype, data="folder")
    assert (imagenet.epochs, imagenet.batch_size, imagenet.label_smoothing) == (250, 128, 0.1)
    for config, half in ((cifar10, 0.0125), (imagenet, 0.1 * 0.5**0.9)):
        middle, last = (
            learning_rate_at(
                share,
                start=config.learning_rate,
                end=config.learning_rate_end,
                schedule=config.learning_rate_schedule,
            )
            for share in (0.5, 1.0)
        )
        assert middle == pytest.approx(half)
        assert last == 0.0


def test_names_are_unique_and_labels_and_sentences_are_there():
    names = [preset.name for preset in TRAINING_PRESETS]
    assert len(set(names)) == len(names)
    assert all(preset.label and preset.description.endswith(".") for preset in TRAINING_PRESETS)


def test_unknown_presets_and_tasks_are_refused():
    with pytest.raises(InvalidConfig, match="the training preset 'digits'; found no such preset"):
        training_preset("digits")
    with pytest.raises(InvalidConfig, match="a training preset for the task 'chess'; found none"):
        default_training_preset("chess", "")
    assert task_of(default_training_preset("semantic_segmentation", "voc2012")) == (
        "semantic_segmentation"
    )
