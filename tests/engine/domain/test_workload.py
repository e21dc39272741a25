"""The work of a step, against counts of real networks and of the cost formulas."""

from dataclasses import replace
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from engine.catalog import gather_catalog
from engine.domain.config import SearchConfig, make_config
from engine.domain.facts import DataFacts
from engine.domain.presets import PRESETS, preset_config
from engine.domain.search_time import search_work, shape_of
from engine.domain.workload import (
    CODE_CALLS,
    DEPTHWISE,
    EVALUATION_BATCH,
    EVALUATION_CALLS,
    Speed,
    Workload,
    calibrated,
    on_probabilities,
)
from engine.model.supernet import Supernet
from engine.spaces import SPACES
from engine.tasks import image_classification, semantic_segmentation

CATALOG = gather_catalog()
IMAGES = DataFacts("image_classification", 1000, 10, height=32, width=32, channels=3)
SCENES = replace(IMAGES, task="semantic_segmentation")
TEXT = DataFacts("language_modelling", 40_000, 2000, validation=5000, test=5000)
SPEED = Speed(call=1e-5, multiply_add=2e-11, value=1e-9)

FACTS = {facts.task: facts for facts in (IMAGES, SCENES, TEXT)}


def work_of(config: SearchConfig):
    return search_work(config, FACTS[config.task], CATALOG)


def test_batches_of_evaluations_are_those_of_the_tasks():
    assert EVALUATION_BATCH == {
        "image_classification": image_classification.EVALUATION_BATCH,
        "semantic_segmentation": semantic_segmentation.EVALUATION_BATCH,
    }


@pytest.mark.parametrize("space", ["darts", "nb201"])
@pytest.mark.parametrize("stem_stride", [1, 2, 4])
def test_multiply_adds_of_all_operations_are_those_of_the_real_network(space: str, stem_stride):
    config = make_config(
        {
            "space": space,
            "scope": "edge",
            "cells": 3,
            "channels": 8,
            "stem_stride": stem_stride,
            "method": "darts",
            "batch_size": 2,
        }
    )
    network = Supernet(
        SPACES[space],
        generator=torch.Generator().manual_seed(0),
        mixture=True,
        **shape_of(config, IMAGES).arguments,
    )
    codes = {kind: torch.ones_like(alpha) for kind, alpha in network.alphas.items()}
    counted = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d) and module.groups > 1:
            module.register_forward_hook(lambda *seen: counted.append(depthwise(*seen)))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, 3, 32, 32), codes)
    whole = counter.get_total_flops() / 2 + (DEPTHWISE - 1) * sum(counted)
    batches = EVALUATION_BATCH[IMAGES.task] / 2
    assert work_of(config).evaluation.multiply_adds == pytest.approx(batches * whole, rel=0.01)


def depthwise(module, _, output) -> int:
    """Multiply-adds of a depthwise convolution."""
    return output.numel() * prod(module.kernel_size)


@pytest.mark.parametrize(("scope", "draws"), [("node", 4), ("edge", 4), ("node", 1)])
def test_expected_operations_are_those_of_uniform_draws(scope, draws):
    config = make_config({"scope": scope, "draws": draws})
    space = SPACES["darts"]
    expected = sum(on_probabilities(config, space)) * len(space.operations)
    random, count = torch.Generator().manual_seed(0), 2000
    total = 0
    for row in space.rows(scope):
        items = len(row) * len(space.operations)
        drawn = torch.randint(items, (count, draws), generator=random)
        total += sum(len(set(one.tolist())) for one in drawn) / count
    assert expected == pytest.approx(total, rel=0.02)


@pytest.mark.parametrize("name", [one.name for one in PRESETS])
def test_every_preset_has_work_in_step_and_evaluation(name):
    work = work_of(preset_config(name))
    assert min(work.step.calls, work.step.multiply_adds, work.step.values) > 0
    assert work.evaluation.calls > EVALUATION_CALLS


@given(
    share=st.floats(0.01, 1.0),
    other=st.floats(0.01, 1.0),
    probe=st.sampled_from(["batch", "operations", "steps"]),
)
def test_probing_more_takes_longer_and_all_of_it_as_long_as_exact(share, other, probe):
    low, high = sorted((share, other))

    def seconds(**settings) -> float:
        return SPEED.seconds(work_of(make_config({"cells": 2, **settings})).step)

    probed = {"gradient": "probed", "probe": probe}
    times = [
        seconds(gradient="sampled"),
        seconds(**probed, probe_fraction=low),
        seconds(**probed, probe_fraction=high),
        seconds(gradient="exact"),
    ]
    assert times == sorted(times)
    assert seconds(**probed, probe_fraction=1.0) == pytest.approx(times[-1])


def test_an_alternating_step_moves_twice_and_probes_once():
    joint, alternating = (
        work_of(make_config({"update": update})).step for update in ("joint", "alternating")
    )
    sampled = work_of(make_config({"gradient": "sampled"})).step
    assert alternating.multiply_adds == pytest.approx(joint.multiply_adds + sampled.multiply_adds)


def test_the_harmony_of_cells_adds_two_passes_through_what_is_drawn():
    plain, own, sampled = (
        work_of(make_config(changes)).step
        for changes in ({}, {"cell_harmony": 0.1}, {"gradient": "sampled"})
    )
    assert own.multiply_adds == pytest.approx(plain.multiply_adds + 2 * sampled.multiply_adds)


def test_codes_of_their_own_take_draws_and_no_more_operations():
    """8 cells have two codes in common or one each; plain codes cost next to nothing."""
    shared, own = (
        work_of(make_config({"cells": 8, "cell_codes": how})) for how in ("shared", "own")
    )
    assert own.step == shared.step + Workload(6 * CODE_CALLS)
    assert own.evaluation == shared.evaluation
    plain = {"cells": 8, "sound": False}
    assert work_of(make_config({**plain, "cell_codes": "own"})) == work_of(make_config(plain))


def test_work_adds_up_and_repeats():
    one = Workload(1, 2, 3)
    assert one + one == one.times(2)
    assert one.batched(5, calls=2) == Workload(2, 10, 15)
    assert Speed(1, 10, 100).seconds(one) == 321
    assert Speed(1, 10, 100).scaled(2).seconds(one) == 642


# The speed of a device

FEW, MANY = Workload(1e3, 1e9, 1e8), Workload(1e5, 1e7, 1e6)


@given(calls=st.floats(0.5, 4), numbers=st.floats(0.5, 4))
def test_two_measurements_give_back_the_speed_that_made_them(calls, numbers):
    true = Speed(calls * SPEED.call, numbers * SPEED.multiply_add, numbers * SPEED.value)
    found = calibrated(SPEED, [(work, true.seconds(work)) for work in (FEW, MANY)])
    assert found.seconds(FEW) == pytest.approx(true.seconds(FEW))
    assert found.call == pytest.approx(true.call)
    assert found.value == pytest.approx(true.value)


def test_measurements_that_contradict_the_model_give_one_factor():
    measured = [(FEW, SPEED.seconds(FEW)), (FEW.times(2), 8 * SPEED.seconds(FEW))]
    assert calibrated(SPEED, measured) == SPEED.scaled(2)
    noise = [(FEW, 0.001 * SPEED.seconds(FEW)), (MANY, 1000 * SPEED.seconds(MANY))]
    assert calibrated(SPEED, noise).call == pytest.approx(SPEED.call)


def test_one_measurement_gives_one_factor():
    assert calibrated(SPEED, [(FEW, 3 * SPEED.seconds(FEW))]).call == pytest.approx(3 * SPEED.call)
