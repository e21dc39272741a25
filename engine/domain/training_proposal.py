"""Propose the training from scratch that follows a proposed search, within the same budget.

What the search will find is not known yet. The time is that of a network which
keeps as many operations as a code of the search draws at the start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig, TrainingConfig
from engine.domain.data_settings import DEVICES
from engine.domain.proposal import Proposal
from engine.domain.proposal_limits import (
    ASPP_PER_CHANNEL,
    FEWEST_TRAINING_EPOCHS,
    MOST_TRAINING_EPOCHS,
    RESERVE,
    TRAINED_HIDDEN_SIZES,
    TRAINED_IMAGE_SIZES,
    TRAINED_SCENE_SIZES,
    TRAINED_STAGE_SIZES,
    TRAINING_STEPS,
)
from engine.domain.proposed import Proposed, minutes_text, seconds_text
from engine.domain.search_time import Duration, duration, items_for, steps_per_epoch

DERIVED: Mapping[str, Any] = {
    "method": "random",
    "update": "joint",
    "candidates": 1,
    "draws_start": 0,
    "alpha_warmup_epochs": 0,
}
"""A search that trains drawn networks as they are takes as long as a training of one."""


@dataclass(frozen=True)
class TrainingProposal:
    """Settings of a training from scratch, with reasons.

    Attributes:
        settings: Per setting of a training its value and the reason.
        duration: How long it takes, as predicted.
        summary: The proposal in one sentence.
    """

    settings: Mapping[str, Proposed]
    duration: Duration
    summary: str


def propose_training(search: Proposal, catalog: Catalog) -> TrainingProposal:
    """Propose size and length of the training that follows a proposed search."""
    fits = [_fitted(search, catalog, size) for size in _sizes(search, catalog)]
    ample = [fit for fit in fits if _is_ample(fit.duration)]
    return (ample or fits[:1])[-1]


def _is_ample(found: Duration) -> bool:
    return found.steps >= TRAINING_STEPS and found.epochs >= FEWEST_TRAINING_EPOCHS


def _sizes(search: Proposal, catalog: Catalog) -> list[dict[str, int]]:
    """Sizes of trained networks, from small to large."""
    if search.facts.is_text:
        return [{"embedding_size": h, "hidden_size": h} for h in TRAINED_HIDDEN_SIZES]
    if search.facts.is_scenes:
        return [
            {"cells": cells, "channels": channels, "aspp_channels": ASPP_PER_CHANNEL * channels}
            for cells, channels in TRAINED_SCENE_SIZES
        ]
    stages = catalog.space(search.config.space).skeleton == "stages"
    ladder = TRAINED_STAGE_SIZES if stages else TRAINED_IMAGE_SIZES
    return [{"cells": cells, "channels": channels} for cells, channels in ladder]


def _fitted(search: Proposal, catalog: Catalog, size: Mapping[str, int]) -> TrainingProposal:
    """A training of one size with as many epochs as the budget has room for."""
    config, facts = _as_search(search.config, size), search.facts
    once = duration(config, facts, catalog, search.machine.speed)
    budget = 60 * search.minutes * (1 - RESERVE)
    most = MOST_TRAINING_EPOCHS[facts.task]
    epochs = max(1, min(most, floor(budget / once.epoch_seconds)))
    limit = 0
    if epochs < FEWEST_TRAINING_EPOCHS:
        epochs = FEWEST_TRAINING_EPOCHS
        steps = floor((budget / epochs - once.evaluation_seconds) / once.step_seconds)
        limit = items_for(config, facts, max(1, min(once.steps_per_epoch, steps)))
        config = config.model_copy(update={"train_limit": limit})
    planned = replace(once, epochs=epochs, steps_per_epoch=steps_per_epoch(config, facts))
    settings = {
        **_data_settings(search),
        **_size_settings(size, planned),
        "epochs": Proposed(
            epochs,
            f"{minutes_text(search.minutes)} at {seconds_text(once.step_seconds)} per step"
            if epochs < most
            else "as many as in published trainings",
        ),
        "train_limit": Proposed(
            limit, "all data" if not limit else f"{epochs} passes over all data would take longer"
        ),
    }
    known = TrainingConfig.model_fields
    return TrainingProposal(
        {name: one for name, one in settings.items() if name in known},
        planned,
        f"About {seconds_text(planned.seconds)} on {DEVICES[search.machine.kind]}: {epochs:,} "
        f"epochs of {planned.steps_per_epoch:,} steps.",
    )


def _as_search(config: SearchConfig, size: Mapping[str, int]) -> SearchConfig:
    return config.model_copy(update={**DERIVED, "train_limit": 0, **size})


def _size_settings(size: Mapping[str, int], planned: Duration) -> dict[str, Proposed]:
    why = f"the largest network with {TRAINING_STEPS:,} steps or more"
    if not _is_ample(planned):
        why = "the smallest network; a larger one would have too few steps"
    return {name: Proposed(value, why) for name, value in size.items()}


FROM_SEARCH = (
    "image_size",
    "vocabulary_limit",
    "validation_fraction",
    "flip",
    "class_weights",
    "stem_stride",
    "output_stride",
    "batch_size",
    "bptt",
    "cpu_threads",
)
"""Settings that a training takes over from its search."""


def _data_settings(search: Proposal) -> dict[str, Proposed]:
    return {
        name: Proposed(getattr(search.config, name), "as in the search")
        for name in FROM_SEARCH
        if name in search.reasons or name in search.kept
    }
