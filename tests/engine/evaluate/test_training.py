"""Whole trainings from scratch, for every task and space."""

import io
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from engine.catalog import gather_catalog
from engine.conversion.of_training import child_of_training
from engine.data.shapes import network_shape
from engine.domain.config import make_training_config
from engine.domain.cost import network_cost
from engine.domain.errors import InvalidConfig, InvalidGenotype, NotANumber
from engine.domain.genotype import to_json
from engine.domain.snapshot import SnapshotKind
from engine.domain.stored_config import read_config
from engine.evaluate.build import build_training
from engine.evaluate.loop import NO_TEST
from engine.model.derived import DerivedNetwork
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from engine.spaces import SPACES
from tests.engine.evaluate.conftest import (
    CELLS,
    IMAGES,
    RECURRENT,
    SCENES,
    STAGES,
    TEXT,
    counting,
    genotype_of,
)

EVERYTHING = {"drop_path": 0.3, "auxiliary_weight": 0.4, "label_smoothing": 0.1, "flip": True}
AVERAGED = {
    "averaging": "asgd",
    "averaging_patience": 1,
    "learning_rate_schedule": "constant",
}
STAGED = {**IMAGES, "genotype": to_json(STAGES)}


def without_clock(snapshot):
    metrics = {k: v for k, v in snapshot.metrics.items() if k != "step_seconds"}
    return replace(snapshot, metrics=metrics, seconds=0.0)


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        (IMAGES, EVERYTHING),
        (STAGED, EVERYTHING),
        (SCENES, {"drop_path": 0.3}),
        (TEXT, {"epochs": 7, "learning_rate": 40.0, **AVERAGED}),
    ],
    ids=["cells", "stages", "scenes", "text"],
)
def test_a_training_carried_from_checkpoint_to_checkpoint_is_the_uninterrupted_one(
    make_training, settings, changes
):
    """Broken off within an epoch, while measuring, between epochs, and within the test."""
    straight = make_training(settings, **changes)
    expected = [without_clock(s) for s in straight]

    second, seen = make_training(settings, **changes), []
    steps = straight.task.steps_per_epoch
    for elements in (2, steps - 1, 2, 2, 3, 5 * steps, steps):
        seen += [s for s in islice(second.steps(), elements) if s is not None]
        second = reloaded(second, make_training(settings, **changes))
    seen += list(second)

    assert [without_clock(s) for s in seen] == expected
    assert_equal_states(straight.state_dict(), second.state_dict())
    assert straight.averages is (settings is TEXT)


def reloaded(loop, fresh):
    file = io.BytesIO()
    save_checkpoint(loop, file)
    file.seek(0)
    load_checkpoint(fresh, file)
    return fresh


def assert_equal_states(one, other):
    assert one.keys() == other.keys()
    for part in ("model", "training_model", "auxiliary"):
        for name, tensor in (one[part] or {}).items():
            assert torch.equal(tensor, other[part][name]), name
    assert one["figures"] == other["figures"]


def test_test_data_are_asked_for_once_after_the_last_step(make_training):
    loop, asked = make_training(), []
    serve = loop.task.test_batches

    def counted():
        asked.append(loop.position.step)
        return serve()

    loop.task.test_batches = counted
    snapshots = list(loop)
    assert asked == [loop.total_steps]
    with_test = [s for s in snapshots if "test_accuracy" in s.metrics]
    assert with_test == snapshots[-1:]
    assert loop.progress.score_name == "test_accuracy"
    assert loop.progress.score == snapshots[-1].metrics["test_accuracy"]
    finished = reloaded(loop, make_training())
    finished.task.test_batches = counted
    assert list(finished.steps()) == []
    assert asked == [loop.total_steps]
    assert finished.progress == loop.progress


def test_the_last_figures_are_those_of_the_network_on_each_part_of_the_data(make_training):
    loop = make_training(epochs=10, batch_size=16, snapshot_interval=50)
    last = list(loop)[-1]
    network = loop.network.eval()
    for split, batches in (
        ("validation", loop.task.validation_batches()),
        ("test", loop.task.test_batches()),
    ):
        with torch.no_grad():
            right = torch.cat([network(x).argmax(1) == y for x, y in batches])
        assert last.metrics[f"{split}_accuracy"] == pytest.approx(
            100 * right.double().mean().item()
        )
    assert last.metrics["test_accuracy"] > 50


def test_snapshots_hold_figures_and_no_architecture(make_training):
    loop = make_training()
    snapshots = list(loop)
    steps = [s for s in snapshots if s.kind is SnapshotKind.STEP]
    epochs = [s for s in snapshots if s.kind is SnapshotKind.EPOCH]
    assert [s.step for s in steps] == [0, 3, 6]
    assert [(s.step, s.epoch) for s in epochs] == [(4, 1), (8, 2)]
    assert {
        "train_loss",
        "train_accuracy",
        "gradient_norm",
        "learning_rate",
        "step_seconds",
    } == set(steps[0].metrics)
    assert {"validation_loss", "validation_accuracy", "learning_rate"} == set(epochs[0].metrics)
    assert all(s.probabilities == s.codes == {} and s.derived is None for s in snapshots)
    assert epochs[-1].seconds > epochs[0].seconds > 0
    assert steps[0].metrics["learning_rate"] == loop.config.learning_rate


def test_data_without_a_test_part_give_no_figure_and_a_sentence(make_training, digits):
    said = []
    data = replace(digits, test=digits.test.take(np.arange(0)))
    last = list(make_training(data=data, report=said.append))[-1]
    assert said == [NO_TEST]
    assert "test_loss" not in last.metrics
    assert "validation_loss" in last.metrics


def test_a_part_for_validation_can_be_trained_on_and_is_still_measured(make_training, digits):
    alone, together = make_training(), make_training(include_validation=True)
    count = len(digits.train) + len(digits.validation)
    assert len(together.task.batches.images) == count
    assert together.task.steps_per_epoch == count // 32
    first = torch.from_numpy(digits.validation.images[0]).permute(2, 0, 1)
    assert torch.equal(together.task.batches.images[len(digits.train)], first)
    for loop in (alone, together):
        assert sum(len(y) for _, y in loop.task.validation_batches()) == len(digits.validation)
        assert sum(len(y) for _, y in loop.task.test_batches()) == len(digits.test)


def test_scenes_and_texts_too_take_their_validation_part_to_train_on(make_training):
    scenes = make_training(SCENES, include_validation=True)
    assert len(scenes.task.batches.images) == 24 + 8
    text = make_training(TEXT, include_validation=True)
    assert text.data_summary.train == 400 + 240


def test_an_auxiliary_head_and_drop_path_change_the_training_but_not_the_network(make_training):
    plain, full = make_training(), make_training(**EVERYTHING)
    assert plain.network.state_dict().keys() == full.network.state_dict().keys()
    assert plain.trainee.auxiliary is None
    before = {n: p.clone() for n, p in full.trainee.auxiliary.named_parameters()}
    list(full)
    moved = [n for n, p in full.trainee.auxiliary.named_parameters() if not p.equal(before[n])]
    assert moved == list(before)


def test_the_same_seed_starts_from_the_same_weights_and_another_from_others(make_training):
    one, same, other = (make_training(seed=seed) for seed in (1, 1, 2))
    state = one.network.state_dict()
    assert all(torch.equal(w, same.network.state_dict()[n]) for n, w in state.items())
    assert not torch.equal(state["stem.0.weight"], other.network.state_dict()["stem.0.weight"])


def test_a_language_model_learns_and_its_averaged_weights_are_the_measured_ones(make_training):
    said = []
    loop = make_training(TEXT, report=said.append, epochs=12, learning_rate=10.0, **AVERAGED)
    last = list(loop)[-1]
    assert loop.averages
    assert len(said) == 1
    assert said[0].startswith("The validation loss has not improved in 1 epochs: from epoch ")
    assert last.metrics["test_perplexity"] < 6
    network = loop.network.eval()
    network.load_state_dict(loop.measured_weights)
    total = None
    for inputs, targets in loop.task.test_batches():
        with torch.no_grad():
            outputs = network(inputs)
        loop.task.carry("test", outputs)
        tally = loop.task.tally(outputs, targets)
        total = tally if total is None else total + tally
    assert total.score == pytest.approx(last.metrics["test_perplexity"], rel=1e-6)


def test_scenes_are_learnt_from_scratch(make_training):
    last = list(make_training(SCENES, epochs=12, batch_size=4))[-1]
    assert last.metrics["test_mean_iou"] > 60


def test_a_segmentation_network_starts_from_a_classification_network(make_training):
    """Everything but the head agrees in name and shape, running statistics included."""
    classification = make_training()
    list(classification)
    weights = classification.measured_weights
    scenes = make_training(SCENES)
    taken = scenes.start_from(weights)
    own = scenes.network.state_dict()
    fitting = [name for name in weights if not name.startswith("classifier.")]
    assert taken == len(fitting)
    assert all(torch.equal(own[name], weights[name]) for name in fitting)


PARTLY_DEAD = genotype_of(
    "darts", [[(0, "sep_conv_3x3")], [], [(3, "skip_connect"), (2, "max_pool_3x3")]]
)


def test_a_training_from_before_keeps_its_dead_parts(make_training):
    """Its settings and its checkpoint lack the setting; parts that are dead stay in both."""
    cells = {"genotype": to_json(PARTLY_DEAD), "cells": 4, "auxiliary_weight": 0.4}
    straight = make_training(**cells, leave_out_dead=False)
    assert list(straight.network.cells) == ["0", "1", "2", "3"]
    assert list(make_training(**cells).network.cells) == ["1", "3"]
    list(straight)
    begun = make_training(**cells, leave_out_dead=False)
    list(islice(begun.steps(), 3))
    file = io.BytesIO()
    save_checkpoint(begun, file)
    document = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    del document["config"]["leave_out_dead"]
    old = io.BytesIO()
    torch.save(document, old)
    old.seek(0)
    config = read_config("training", document["config"])
    resumed = make_training(**cells, leave_out_dead=config.leave_out_dead)
    load_checkpoint(resumed, old)
    list(resumed)
    assert_equal_states(straight.state_dict(), resumed.state_dict())
    child = child_of_training(straight)
    assert child.cost() == network_cost(
        PARTLY_DEAD, gather_catalog(), network_shape(config, straight.data_summary)
    )
    assert '"keep_dead": True' in child.source.replace("'", '"')


def test_weights_from_before_start_a_training_without_dead_parts(make_training):
    """The adapters and the head lose the channels of the nodes that have gone."""
    cells = {"genotype": to_json(PARTLY_DEAD), "cells": 4}
    before = make_training(**cells, leave_out_dead=False)
    now = make_training(**cells)
    taken = now.start_from(before.measured_weights)
    assert taken == len(now.network.state_dict())
    assert torch.equal(
        now.network.state_dict()["classifier.weight"],
        before.network.state_dict()["classifier.weight"][:, [*range(16), *range(32, 48)]],
    )


@pytest.mark.parametrize(
    ("settings", "genotype", "found"),
    [
        (IMAGES, genotype_of("darts", [[], [(2, "skip_connect")]]), "the image to the scores"),
        (STAGED, genotype_of("nb201", [[(0, "nor_conv_3x3")], []]), "the image to the scores"),
        (TEXT, genotype_of("rnn", [[], [(1, "tanh")]]), "the text to the scores"),
    ],
)
def test_an_architecture_that_connects_nothing_is_not_trained(settings, genotype, found):
    config = make_training_config({**settings, "genotype": to_json(genotype)})
    with pytest.raises(InvalidGenotype, match=f"no path from {found}"):
        build_training(config, torch.device("cpu"), report=lambda _: None)


def test_cells_found_on_one_data_set_are_trained_on_another(make_training):
    on_squares = make_training(SCENES)
    assert on_squares.network.classifier.classifier.out_channels == 2
    on_digits = make_training()
    assert isinstance(on_digits.network, DerivedNetwork)
    assert on_digits.network.classifier.out_features == 10
    assert make_training(TEXT).network.ends.bias.shape == (10,)


@pytest.mark.parametrize(
    ("settings", "genotype", "found"),
    [
        (IMAGES, RECURRENT, "the search space 'rnn' for the task 'image_classification'"),
        (TEXT, CELLS, "the search space 'darts' for the task 'language_modelling'"),
    ],
)
def test_cells_for_another_task_are_refused_in_one_sentence(settings, genotype, found):
    config = make_training_config({**settings, "genotype": to_json(genotype)})
    with pytest.raises(InvalidConfig) as caught:
        build_training(config, torch.device("cpu"), report=lambda _: None)
    assert str(caught.value).startswith(f"Asked for {found}; found a space for ")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"version": 1', '"version": 2', "schema version 2, written by a newer EGS Studio"),
        ("sep_conv_3x3", "sep_conv_9x9", "the unknown operation 'sep_conv_9x9'"),
        ('"name": "darts"', '"name": "other"', "the search space 'other'"),
    ],
)
def test_a_genotype_that_is_not_known_here_is_refused_in_one_sentence(old, new, found):
    text = to_json(CELLS).replace(old, new)
    config = make_training_config({**IMAGES, "genotype": text})
    with pytest.raises(InvalidGenotype, match=found):
        build_training(config, torch.device("cpu"), report=lambda _: None)


def test_cells_that_make_no_equal_stages_are_refused(make_training):
    with pytest.raises(InvalidConfig, match="three equal stages"):
        make_training(STAGED, cells=4)


def test_a_loss_that_is_no_number_ends_the_training_with_advice(make_training):
    loop = make_training(learning_rate=1000.0, gradient_clip=0.0, epochs=6)
    with pytest.raises(NotANumber, match=r"of the training; found a training loss of (nan|inf)"):
        list(loop)


def test_a_node_that_keeps_nothing_still_trains(make_training):
    empty = genotype_of("darts", [[(0, "sep_conv_3x3")], []])
    last = list(make_training(genotype=to_json(empty), epochs=1))[-1]
    assert np.isfinite(last.metrics["test_loss"])


def test_spaces_of_the_tests_are_those_that_exist():
    assert {CELLS.space.name, STAGES.space.name, RECURRENT.space.name} == set(SPACES)


def test_text_of_the_tests_is_long_enough_for_the_streams_of_evaluation(make_training):
    inputs, _ = next(iter(make_training(TEXT).task.validation_batches()))
    assert inputs.tokens.shape == (6, 10)
    assert len(counting().validation) == 240
