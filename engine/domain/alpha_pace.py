"""How far alphas move during a search, and how many updates they need to decide.

Adam moves an alpha by about its learning rate in every step. Over U updates
with a schedule whose mean is m, an alpha can therefore move by

    A = rate x m x U,

its path length. A search decides if A is large enough, whatever the size of
its data, so A is held constant and the rate follows from U. The rate has an
upper bound, which gives the smallest U.
"""

from math import ceil

from engine.domain.config import SearchConfig
from engine.domain.proposal_limits import (
    DRAWS_PER_OPERATION,
    LARGEST_RATE,
    MIXTURE_PATH_LENGTH,
    PATH_LENGTHS,
    SCHEDULE_MEANS,
)
from engine.domain.space import SearchSpace
from engine.domain.workload import on_probabilities


def path_length(config: SearchConfig) -> float:
    """Return how far an alpha should be able to move during this search."""
    if config.method == "darts":
        return MIXTURE_PATH_LENGTH
    return PATH_LENGTHS[config.route, config.scope]


def path_of(config: SearchConfig, updates: int) -> float:
    """Return how far an alpha can move in so many updates with the search's own rate."""
    mean = SCHEDULE_MEANS[config.alpha_learning_rate_schedule]
    return config.alpha_learning_rate * mean * updates


def rate_for(config: SearchConfig, updates: int) -> float:
    """Return the learning rate with which alphas move by the path length, to two digits."""
    mean = SCHEDULE_MEANS[config.alpha_learning_rate_schedule]
    return float(f"{path_length(config) / (mean * updates):.1e}")


def draws_needed(config: SearchConfig, space: SearchSpace) -> int:
    """Return the steps in which every operation is drawn often enough to train its weights."""
    if config.method != "egs":
        return DRAWS_PER_OPERATION
    return ceil(DRAWS_PER_OPERATION / min(on_probabilities(config, space)))


def fewest_updates(config: SearchConfig, space: SearchSpace) -> int:
    """Return the updates of alpha below which a search cannot decide at the largest rate.

    A random search has no alphas; its candidates need the same training.
    """
    needed = draws_needed(config, space)
    if config.method == "random":
        return needed * config.candidates
    mean = SCHEDULE_MEANS[config.alpha_learning_rate_schedule]
    return max(needed, ceil(path_length(config) / (mean * LARGEST_RATE)))
