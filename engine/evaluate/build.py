"""From settings to a training: the only reader of the whole configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.data.signs import Alive, unheard
from engine.data.sources import load_data
from engine.domain.config import TrainingConfig
from engine.domain.transfer import trained_genotype
from engine.evaluate.loop import TrainingLoop
from engine.evaluate.networks import trainee_for
from engine.evaluate.splits import with_validation
from engine.spaces import SPACES
from engine.tasks.build import build_task

EVALUATION_STREAMS = 10
"""Parallel streams of validation and test texts (Merity et al. 2017, DARTS)."""


def build_training(
    config: TrainingConfig,
    device: torch.device,
    *,
    report: Callable[[str], None],
    cache: Path | None = None,
    alive: Alive = unheard,
) -> TrainingLoop:
    """A training at its first step.

    Args:
        config: All settings.
        device: Where network and data live.
        report: Takes sentences for the run's log.
        cache: Folder for downloaded data sets.
        alive: Called while the data are read, whenever a part of them was.

    Raises:
        StudioError: The genotype cannot be read or does not fit the task, or
            the data cannot be used.
    """
    trained_genotype(config, SPACES.values())
    data = load_data(config, cache=cache, progress=report, alive=alive)
    return assemble_training(config, data, device, report=report)


def assemble_training(
    config: TrainingConfig, data: Any, device: torch.device, *, report: Callable[[str], None]
) -> TrainingLoop:
    """A training at its first step on data that are loaded already."""
    genotype = trained_genotype(config, SPACES.values())
    task = build_task(
        config,
        with_validation(data) if config.include_validation else data,
        device,
        label_smoothing=config.label_smoothing,
        evaluation_streams=EVALUATION_STREAMS,
    )
    trainee = trainee_for(config, genotype, task)
    optimiser = torch.optim.SGD(
        trainee.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    return TrainingLoop(
        config, genotype=genotype, task=task, trainee=trainee, optimiser=optimiser, report=report
    )
