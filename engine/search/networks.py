"""The supernet that fits a task and a search space."""

from typing import Any

from engine.domain.config import SearchConfig
from engine.domain.errors import InvalidConfig
from engine.domain.space import SearchSpace
from engine.model.network import SearchNetwork
from engine.model.supernet import Supernet
from engine.tasks.image_classification import ImageClassification
from engine.tasks.randomness import generator


def supernet_for(config: SearchConfig, space: SearchSpace, task: Any) -> SearchNetwork:
    """A freshly initialised supernet for the task's data, on its device.

    Raises:
        InvalidConfig: The space is not one for this task.
    """
    if isinstance(task, ImageClassification) and space.skeleton != "recurrent":
        return Supernet(
            space,
            in_channels=task.in_channels,
            classes=task.classes,
            channels=config.channels,
            cells=config.cells,
            stem_stride=config.stem_stride,
            generator=generator(config.seed, "weights"),
            alpha_mean=initial_alpha(config),
            mixture=config.method == "darts",
        ).to(task.device)
    raise InvalidConfig(
        asked=f"the search space {config.space!r} for the task {config.task!r}",
        found="a space for another kind of data",
        allowed="rnn for language_modelling; darts or nb201 for images",
        advice="choose another space",
    )


def initial_alpha(config: SearchConfig) -> float:
    """Mean of the initial alphas: 1 where relu would lose those below 0, else 0."""
    return 1.0 if config.normalisation == "relu" else 0.0
