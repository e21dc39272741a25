"""From a configuration and loaded data to the task that serves them."""

from typing import Any

import torch

from engine.data.images import ImageData
from engine.data.scenes import SceneData
from engine.data.text import TextData
from engine.domain.errors import InvalidConfig
from engine.domain.run_config import RunConfig
from engine.tasks.augmentation import Augmentation
from engine.tasks.image_classification import ImageClassification
from engine.tasks.language_modelling import LanguageModelling
from engine.tasks.semantic_segmentation import SceneAugmentation, SemanticSegmentation
from engine.tasks.table import TASKS
from engine.tasks.task import Task


def build_task(
    config: RunConfig,
    data: Any,
    device: torch.device,
    *,
    halved: bool = False,
    label_smoothing: float = 0.0,
    evaluation_streams: int = 0,
) -> Task:
    """The task of a search or a training.

    Args:
        config: Names the task; batch size, augmentation and seed are read.
        data: What :func:`engine.data.sources.load_data` gave for it.
        device: Where batches go.
        halved: Whether weights and alphas move on halves of their own.
        label_smoothing: Share of each target that is spread over all classes.
        evaluation_streams: Parallel streams of validation and test texts; 0
            takes as many as in training.

    Raises:
        InvalidConfig: There is no such task.
    """
    if isinstance(data, ImageData):
        return ImageClassification(
            data,
            batch_size=config.batch_size,
            augmentation=Augmentation(config.crop_padding, config.flip, config.cutout),
            seed=config.seed,
            halved=halved,
            device=device,
            label_smoothing=label_smoothing,
        )
    if isinstance(data, SceneData):
        return SemanticSegmentation(
            data,
            batch_size=config.batch_size,
            augmentation=SceneAugmentation(config.crop_padding, config.flip),
            seed=config.seed,
            halved=halved,
            device=device,
            balanced=config.class_weights == "balanced",
            label_smoothing=label_smoothing,
        )
    if isinstance(data, TextData):
        return LanguageModelling(
            data,
            batch_size=config.batch_size,
            bptt=config.bptt,
            hidden=config.hidden_size,
            temporal_regularisation=config.temporal_regularisation,
            seed=config.seed,
            halved=halved,
            device=device,
            evaluation_streams=evaluation_streams,
        )
    raise InvalidConfig(
        asked=f"the task {config.task!r}",
        found="no such task",
        allowed=f"one of {', '.join(TASKS)}",
        advice="choose one of these",
    )
