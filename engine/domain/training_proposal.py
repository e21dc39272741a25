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
    config = _as_search(search.config, size)
    once = duration(config, search.facts, catalog, search.machine.speed)
    epochs, limit = _length(search, config, once)
    limited = config.model_copy(update={"train_limit": limit})
    planned = replace(once, epochs=epochs, steps_per_epoch=steps_per_epoch(limited, search.facts))
    settings = {
        **_data_settings(search),
        **_size_settings(size, planned),
        "epochs": Proposed(epochs, _epochs_reason(search, planned, limit)),
        "train_limit": Proposed(
            limit, f"{epochs} passes over all data would take longer" if limit else "all data"
        ),
    }
    known = TrainingConfig.model_fields
    return TrainingProposal(
        {name: one for name, one in settings.items() if name in known},
        planned,
        f"A training from scratch takes about {seconds_text(planned.seconds)} on "
        f"{DEVICES[search.machine.kind]}: {epochs:,} epochs of {planned.steps_per_epoch:,} steps.",
    )


def _length(search: Proposal, config: SearchConfig, once: Duration) -> tuple[int, int]:
    """Epochs, and how much of the training data they use; 0 for all of it."""
    budget = 60 * search.minutes * (1 - RESERVE)
    most = MOST_TRAINING_EPOCHS[search.facts.task]
    epochs = min(most, floor(budget / once.epoch_seconds))
    if epochs >= FEWEST_TRAINING_EPOCHS:
        return epochs, 0
    seconds = budget / FEWEST_TRAINING_EPOCHS - once.evaluation_seconds
    steps = max(1, min(once.steps_per_epoch, floor(seconds / once.step_seconds)))
    return FEWEST_TRAINING_EPOCHS, items_for(config, search.facts, steps)


def _epochs_reason(search: Proposal, planned: Duration, limit: int) -> str:
    if limit:
        return "the fewest of a training from scratch"
    if planned.epochs == MOST_TRAINING_EPOCHS[search.facts.task]:
        return "as many as in published trainings"
    time = minutes_text(search.minutes)
    return f"as many as fit into {time} at {seconds_text(planned.step_seconds)} per step"


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
