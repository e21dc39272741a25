"""Proposals over many kinds of data, machines and budgets."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.catalog import gather_catalog
from engine.domain.alpha_pace import fewest_updates, path_length
from engine.domain.config import SearchConfig, TrainingConfig, make_config
from engine.domain.cost import places_of
from engine.domain.errors import InvalidConfig
from engine.domain.facts import DataFacts, Machine, SpeedSource
from engine.domain.proposal import Proposal, TooLittleTime, propose
from engine.domain.proposal_limits import (
    FEWEST_EPOCHS,
    GUESSED_SPEEDS,
    IMAGE_SIZES,
    RESERVE,
    SCENE_SIZES,
    SMALLEST_GRID,
    STAGE_SIZES,
)
from engine.domain.proposed import FOLLOWS_DATA, PROPOSED, minutes_text, seconds_text
from engine.domain.search_time import (
    duration,
    items_for,
    shape_of,
    steps_per_epoch,
    training_items,
)
from engine.domain.training_proposal import propose_training
from engine.domain.workload import Speed
from engine.spaces import SPACES

CATALOG = gather_catalog()
CPU = Machine("cpu", Speed(1.1e-5, 2.2e-11, 7.5e-10), SpeedSource.MEASUREMENT)
GPU = Machine("gpu", GUESSED_SPEEDS["gpu"])
CIFAR10 = DataFacts(
    "image_classification",
    50_000,
    10,
    test=10_000,
    height=32,
    width=32,
    channels=3,
    characters=False,
)
DIGITS = DataFacts("image_classification", 1797, 10, height=8, width=8, channels=1, characters=True)
PHOTOGRAPHS = replace(CIFAR10, train=3000, test=0, height=375, width=500, resizable=True)
SCENES = DataFacts(
    "semantic_segmentation",
    367,
    11,
    validation=101,
    test=233,
    height=360,
    width=480,
    channels=3,
    resizable=True,
    characters=False,
)
TEXT = DataFacts("language_modelling", 44_606, 2687, validation=15_529, test=15_433)

NB201 = {"space": "nb201", "scope": "edge", "draws": 1}

sizes = st.integers(8, 600)
images = st.builds(
    DataFacts,
    st.just("image_classification"),
    st.integers(60, 2_000_000),
    st.integers(2, 1000),
    validation=st.sampled_from([0, 500, 10_000]),
    test=st.sampled_from([0, 500, 10_000]),
    height=sizes,
    width=sizes,
    channels=st.sampled_from([1, 3]),
    resizable=st.booleans(),
    characters=st.sampled_from([True, False, None]),
)
scenes = st.builds(
    lambda facts: replace(facts, task="semantic_segmentation", classes=min(facts.classes, 255)),
    images,
)
texts = st.builds(
    DataFacts,
    st.just("language_modelling"),
    st.integers(500, 100_000_000),
    st.integers(20, 300_000),
    validation=st.integers(100, 1_000_000),
    test=st.integers(100, 1_000_000),
    complete=st.booleans(),
)
data = st.one_of(images, scenes, texts)
machines = st.builds(
    lambda machine, factor: replace(machine, speed=machine.speed.scaled(factor)),
    st.sampled_from([CPU, GPU]),
    st.floats(0.1, 10.0),
)
budgets = st.floats(0.5, 5000.0)
methods = st.sampled_from(
    [
        {},
        {"draws": 4},
        {"route": "inclusion"},
        {"update": "alternating"},
        {"alpha_warmup_epochs": 5},
        {"gradient": "exact"},
        {"scope": "edge"},
        {"method": "darts", "scope": "edge"},
        {"method": "random", "candidates": 12},
    ]
)


def proposal_of(
    facts: DataFacts, machine: Machine = CPU, minutes: float = 20.0, **given: Any
) -> Proposal:
    return propose(given, facts, machine, CATALOG, minutes=minutes)


def possible(facts: DataFacts, machine: Machine, minutes: float, given: dict[str, Any]) -> Proposal:
    """A proposal; where the budget is too small, that of the smallest one that is not."""
    try:
        return proposal_of(facts, machine, minutes, **given)
    except TooLittleTime as refusal:
        return proposal_of(facts, machine, refusal.smallest_minutes, **given)


def space_of(config: SearchConfig):
    return SPACES[config.space].with_nodes(config.nodes)


@given(facts=data, machine=machines, minutes=budgets, method=methods)
@settings(deadline=None)
def test_every_proposal_is_a_search_that_can_run_and_decide(facts, machine, minutes, method):
    found = possible(facts, machine, minutes, method)
    config = found.config
    assert make_config(config.model_dump()) == config
    space_of(config).check_task(facts.task)
    if not facts.is_text:
        places_of(space_of(config), shape_of(config, found.facts))
    assert config.epochs - config.alpha_warmup_epochs >= FEWEST_EPOCHS
    assert found.duration.steps_per_epoch == steps_per_epoch(config, found.facts) >= 1
    updates = (config.epochs - config.alpha_warmup_epochs) * found.duration.steps_per_epoch
    assert updates >= fewest_updates(config, space_of(config))


@given(facts=data, machine=machines, minutes=budgets, method=methods)
@settings(deadline=None)
def test_predicted_time_never_exceeds_the_budget(facts, machine, minutes, method):
    found = possible(facts, machine, minutes, method)
    again = duration(found.config, found.facts, CATALOG, machine.speed)
    assert again.seconds == pytest.approx(found.duration.seconds)
    assert again.seconds <= 60 * found.minutes * (1 - RESERVE) * (1 + 1e-9)


@given(facts=data, machine=machines, minutes=budgets, method=methods)
@settings(deadline=None)
def test_path_length_of_the_alphas_is_the_same_for_all_data(facts, machine, minutes, method):
    assume(method.get("method") != "random")
    found = possible(facts, machine, minutes, method)
    assert found.path == pytest.approx(path_length(found.config), rel=0.05)


@given(facts=data, machine=machines, minutes=budgets, method=methods)
@settings(deadline=None)
def test_every_value_that_was_not_given_has_a_reason(facts, machine, minutes, method):
    found = possible(facts, machine, minutes, method)
    defaults = make_config({"task": facts.task})
    changed = {
        name
        for name in SearchConfig.model_fields
        if getattr(found.config, name) != getattr(defaults, name)
    }
    assert changed - {"task"} - set(method) <= set(found.reasons)
    assert all(reason and not reason.endswith(".") for reason in found.reasons.values())
    assert set(found.reasons) | set(found.kept) <= set(PROPOSED)
    assert not set(found.reasons) & set(method)


@given(facts=data, machine=machines, pair=st.tuples(budgets, budgets), method=methods)
@settings(deadline=None)
def test_more_time_gives_a_larger_network_or_at_least_as_many_steps(facts, machine, pair, method):
    less = possible(facts, machine, min(pair), method)
    more = proposal_of(facts, machine, max(*pair, less.minutes), **method)
    small, large = less.duration, more.duration
    assert large.step_seconds >= small.step_seconds * (1 - 1e-9)
    if large.step_seconds == pytest.approx(small.step_seconds):
        assert large.steps >= small.steps


@given(facts=data, machine=machines, method=methods)
@settings(deadline=None)
def test_a_budget_that_is_too_small_names_the_smallest_that_is_not(facts, machine, method):
    with pytest.raises(TooLittleTime) as refusal:
        proposal_of(facts, machine, 1e-3, **method)
    smallest = refusal.value.smallest_minutes
    proposal_of(facts, machine, smallest, **method)
    if smallest > 1:
        with pytest.raises(TooLittleTime):
            proposal_of(facts, machine, smallest - 1, **method)


@given(facts=data, machine=machines, minutes=budgets)
@settings(deadline=None)
def test_first_cell_sees_as_much_as_its_device_can_take(facts, machine, minutes):
    assume(not facts.is_text)
    found = possible(facts, machine, minutes, {})
    shown = found.facts.side
    first = -(-shown // found.config.stem_stride)
    assert first >= min(SMALLEST_GRID, shown)
    if facts.resizable:
        assert shown <= facts.side
        assert first <= {"cpu": 24, "gpu": 64}[machine.kind] + 1


@given(facts=data, machine=machines, minutes=budgets)
@settings(deadline=None)
def test_training_that_follows_fits_into_the_budget_too(facts, machine, minutes):
    search = possible(facts, machine, minutes, {})
    found = propose_training(search, CATALOG)
    values = {name: one.value for name, one in found.settings.items()}
    TrainingConfig.model_validate({"task": facts.task, "genotype": "{}", **values})
    assert all(one.reason for one in found.settings.values())
    budget = 60 * search.minutes * (1 - RESERVE)
    one_pass = found.duration.steps_per_epoch <= 1
    assert found.duration.seconds <= budget * (1 + 1e-9) or one_pass


@given(facts=data, steps=st.integers(1, 500), method=methods, machine=machines)
@settings(deadline=None)
def test_limit_of_the_data_gives_the_steps_that_it_was_made_for(facts, steps, method, machine):
    config = possible(facts, machine, 20.0, method).config
    config = config.model_copy(update={"train_limit": 0})
    limit = items_for(config, facts, steps)
    assume(limit <= training_items(config, facts))
    limited = config.model_copy(update={"train_limit": limit})
    assert steps_per_epoch(limited, facts) == steps


@pytest.mark.parametrize(
    ("ladder", "facts", "given_settings"),
    [(IMAGE_SIZES, CIFAR10, {}), (STAGE_SIZES, CIFAR10, NB201), (SCENE_SIZES, SCENES, {})],
)
def test_each_larger_network_takes_longer(ladder, facts, given_settings):
    seconds = [
        duration(
            make_config(
                {"task": facts.task, **given_settings, "cells": cells, "channels": channels}
            ),
            facts,
            CATALOG,
            CPU.speed,
        ).step_seconds
        for cells, channels in ladder
    ]
    assert seconds == sorted(seconds)


# What people will ask for


def test_fewer_images_get_more_epochs_in_the_same_budget():
    few, many = proposal_of(replace(CIFAR10, train=2500)), proposal_of(CIFAR10)
    assert few.config.epochs > many.config.epochs
    assert few.path == pytest.approx(many.path, rel=0.05)


def test_twenty_minutes_of_cifar10_on_a_cpu_with_their_reasons():
    found = proposal_of(CIFAR10)
    assert found.config.stem_stride == 2
    assert found.reasons["stem_stride"] == "32x32 images become 16x16 for the first cell"
    assert found.config.flip
    assert found.reasons["validation_fraction"] == "2,500 of 50,000 images are held out"
    assert found.config.train_limit % found.config.batch_size == 0
    assert found.reasons["train_limit"].startswith("10 passes over all 47,500 images would take ")
    assert (found.config.gradient, found.config.probe) == ("probed", "steps")
    assert found.config.cpu_threads == 1
    assert found.summary.startswith("About ")
    assert "on a CPU (budget: 20 minutes): 10 epochs of " in found.summary


def test_digits_are_not_mirrored_and_reports_say_why():
    found = proposal_of(DIGITS, minutes=5)
    assert not found.config.flip
    assert found.reasons["flip"] == "mirrored digits and letters lose their meaning"
    grey = proposal_of(replace(DIGITS, characters=False), minutes=5)
    assert not grey.config.flip
    assert "grey" in grey.reasons["flip"]
    unnamed = proposal_of(replace(CIFAR10, characters=None))
    assert unnamed.config.flip
    assert "turn it off for characters" in unnamed.reasons["flip"]


def test_large_photographs_are_resized_only_where_that_is_possible():
    found = proposal_of(PHOTOGRAPHS)
    assert (found.config.image_size, found.config.stem_stride) == (64, 4)
    assert found.reasons["image_size"] == "images of 375x500 pixels take too long on a CPU"
    fixed = proposal_of(replace(PHOTOGRAPHS, resizable=False), minutes=2000)
    assert fixed.config.image_size == 0
    on_gpu = proposal_of(PHOTOGRAPHS, GPU)
    assert on_gpu.config.image_size == 128
    assert on_gpu.config.gradient == "exact"


def test_scenes_keep_their_shape_and_half_of_the_usual_reduction():
    found = proposal_of(SCENES)
    assert (found.facts.height, found.facts.width) == (96, 128)
    assert found.config.output_stride == 2 * found.config.stem_stride
    assert found.config.class_weights == "balanced"


def test_a_large_text_gets_a_smaller_vocabulary_and_a_part_of_its_tokens():
    found = proposal_of(replace(TEXT, train=50_000_000, classes=200_000))
    assert found.config.vocabulary_limit == 10_000
    assert 0 < found.config.train_limit < 50_000_000
    assert found.config.learning_rate == 20.0
    uncounted = proposal_of(replace(TEXT, complete=False, classes=0))
    assert "too large to be counted" in " ".join(uncounted.notes)


def test_given_settings_stay_and_are_named_as_such():
    found = proposal_of(
        CIFAR10, cells="6", channels="12", batch_size="32", alpha_learning_rate="0.01", seed="3"
    )
    config = found.config
    assert (config.cells, config.channels, config.batch_size) == (6, 12, 32)
    assert (config.alpha_learning_rate, config.seed) == (0.01, 3)
    assert found.kept == ("cells", "channels", "batch_size", "alpha_learning_rate")
    assert not set(found.kept) & set(found.reasons)


def test_given_epochs_are_never_refused_but_their_cost_is_said():
    found = proposal_of(CIFAR10, minutes=1, epochs=100, train_limit=40_000)
    assert found.config.epochs == 100
    assert "With the settings that you fixed, the search takes about" in found.notes[0]
    short = proposal_of(CIFAR10, epochs=1, train_limit=640)
    assert any("may end undecided" in note for note in short.notes)


def test_given_epochs_get_as_much_data_as_the_budget_allows():
    few, many = (proposal_of(CIFAR10, epochs=epochs) for epochs in (15, 60))
    assert few.config.train_limit > many.config.train_limit > 0


def test_a_preset_for_a_published_table_keeps_its_space_and_gets_its_own_path():
    found = proposal_of(CIFAR10, **NB201)
    assert found.config.cells % 3 == 0
    assert found.path == pytest.approx(path_length(found.config), rel=0.05)


def test_too_little_time_is_refused_with_what_would_do():
    with pytest.raises(TooLittleTime) as refusal:
        proposal_of(CIFAR10, minutes=1)
    minutes = f"{refusal.value.smallest_minutes} minutes"
    step = proposal_of(CIFAR10, minutes=refusal.value.smallest_minutes).duration.step_seconds
    assert str(refusal.value) == (
        "1 minute is too short: the smallest network needs 745 updates to decide, at "
        f"{seconds_text(step)} each. Allow at least {minutes}, or use a faster device."
    )
    assert refusal.value.advice == f"allow {minutes}, or use a faster device"


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_a_budget_that_is_none_is_refused(minutes):
    with pytest.raises(InvalidConfig) as refusal:
        proposal_of(DIGITS, minutes=minutes)
    assert str(refusal.value) == (
        f"A time budget of {minutes} minutes is not possible. "
        "Choose one above 0 and at most 525,600 minutes."
    )


def test_tiny_data_get_as_many_epochs_as_settings_allow():
    found = proposal_of(replace(DIGITS, train=40), minutes=5000, scope="edge")
    assert found.config.epochs == 10_000


def test_time_that_is_left_over_is_said():
    found = proposal_of(DIGITS, minutes=600)
    assert any(note.startswith("The search needs only") for note in found.notes)


def test_last_note_says_where_the_time_is_known_from():
    assert proposal_of(CIFAR10, GPU).notes[-1] == (
        "The time is a guess, since nothing has been measured on this device yet."
    )
    assert proposal_of(CIFAR10, CPU).notes[-1] == (
        "The time is an estimate from a few steps of two small networks on this device."
    )


def test_settings_that_follow_the_data_exist_and_method_settings_are_not_among_them():
    assert set(PROPOSED) <= set(SearchConfig.model_fields)
    assert set(SearchConfig.model_fields) >= FOLLOWS_DATA
    method = {"method", "space", "draws", "scope", "route", "sound", "update", "seed", "data"}
    assert not method & FOLLOWS_DATA


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2412, "0.24 s"),
        (12.3, "12 s"),
        (60, "60 s"),
        (600, "10 minutes"),
        (7200, "2.0 hours"),
        (864_000, "10.0 days"),
    ],
)
def test_durations_are_written_as_people_do(seconds, words):
    assert seconds_text(seconds) == words


def test_budgets_are_written_as_people_do():
    assert [minutes_text(n) for n in (1, 20, 2.5, 300, 1440)] == [
        "1 minute",
        "20 minutes",
        "2.5 minutes",
        "300 minutes",
        "24.0 hours",
    ]
