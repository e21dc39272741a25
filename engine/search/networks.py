"""The supernet that fits a task and a search space."""

from typing import Any

from engine.data.shapes import network_shape
from engine.domain.config import SearchConfig
from engine.domain.space import SearchSpace
from engine.model.dropouts import Dropouts
from engine.model.network import SearchNetwork
from engine.model.recurrent import RecurrentSupernet
from engine.model.supernet import Supernet
from engine.tasks.language_modelling import LanguageModelling
from engine.tasks.randomness import generator


def supernet_for(
    config: SearchConfig, space: SearchSpace, task: Any, *, attempt: int = 0
) -> SearchNetwork:
    """A freshly initialised supernet for the task's data, on its device.

    Args:
        config: Sizes, dropout, method and seed.
        space: The search space.
        task: What the network is for.
        attempt: Another number gives other initial weights from the same seed.

    Raises:
        InvalidConfig: The space is not one for this task.
    """
    space.check_task(config.task)
    random = generator(config.seed, "weights", *((attempt,) if attempt else ()))
    network: Supernet | RecurrentSupernet
    if isinstance(task, LanguageModelling):
        network = RecurrentSupernet(
            space,
            vocabulary=task.vocabulary,
            embedding=config.embedding_size,
            hidden=config.hidden_size,
            dropouts=Dropouts(
                words=config.dropout_embedding,
                inputs=config.dropout_input,
                hidden=config.dropout_hidden,
                outputs=config.dropout,
            ),
            generator=random,
            alpha_mean=initial_alpha(config),
            mixture=config.method == "darts",
        )
    else:
        network = Supernet(
            space,
            **network_shape(config, task.summary).arguments,
            generator=random,
            alpha_mean=initial_alpha(config),
            mixture=config.method == "darts",
            equal_votes=config.cell_votes == "equal",
        )
    return network.to(task.device)


def initial_alpha(config: SearchConfig) -> float:
    """Mean of the initial alphas: 1 where relu would lose those below 0, else 0."""
    return 1.0 if config.normalisation == "relu" else 0.0
