"""Proposed settings in real searches: the steps are those that were predicted."""

from typing import Any

import pytest
import torch

from engine.catalog import gather_catalog
from engine.data.facts import facts_of
from engine.data.inspection import inspect_data
from engine.domain.alpha_pace import path_length
from engine.domain.diagnosis import examine
from engine.domain.facts import Machine, SpeedSource
from engine.domain.health import Verdict
from engine.domain.proposal import Proposal, draft, propose
from engine.domain.proposal_limits import GUESSED_SPEEDS
from engine.domain.snapshot import SnapshotKind
from engine.search.build import build_search

CATALOG = gather_catalog()
CPU = Machine("cpu", GUESSED_SPEEDS["cpu"], SpeedSource.MEASUREMENT)
TINY = {"cells": 1, "channels": 4, "nodes": 1, "alpha_learning_rate_schedule": "constant"}


def proposed(minutes: float, **given: Any) -> Proposal:
    config = draft(given)
    facts = facts_of(config, inspect_data(config))
    return propose(given, facts, CPU, CATALOG, minutes=minutes)


@pytest.mark.parametrize(
    ("minutes", "given"),
    [
        (5.0, {"data": "digits"}),
        (600.0, {"data": "digits", "update": "alternating"}),
        (30.0, {"data": "digit_scenes", "task": "semantic_segmentation"}),
        (30.0, {"data": "python_topics", "task": "language_modelling"}),
        (7.0, {"data": "python_topics", "task": "language_modelling"}),
    ],
)
def test_steps_per_epoch_are_those_of_the_real_task(minutes, given):
    found = proposed(minutes, **given)
    loop = build_search(found.config, torch.device("cpu"), report=lambda _: None)
    real = loop.task.steps_per_epoch
    # Splits are taken class by class, which may move a few images.
    assert real == pytest.approx(found.duration.steps_per_epoch, abs=1)


def test_a_proposed_search_ends_as_predicted_and_is_long_enough_to_be_judged():
    found = proposed(0.5, data="digits", **TINY)
    loop = build_search(found.config, torch.device("cpu"), report=lambda _: None)
    path, counted, ends = 0.0, 0, []
    for snapshot in loop.steps():
        path += (loop.position.step - counted) * loop.alpha_learning_rate
        counted = loop.position.step
        if snapshot is not None and snapshot.kind is SnapshotKind.EPOCH:
            ends.append(snapshot)
    assert loop.position.step == pytest.approx(found.duration.steps, rel=0.1)
    assert loop.position.epoch == found.config.epochs == len(ends)
    assert path == pytest.approx(path_length(found.config), rel=0.15)
    health = examine(loop.space, found.config, ends)
    assert health.verdict is not Verdict.SHORT
    assert ends[-1].metrics["entropy"] < ends[0].metrics["entropy"]
