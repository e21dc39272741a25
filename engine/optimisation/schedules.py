"""How temperature and learning rate move from their first to their last value."""

import math

from engine.domain.config import TemperatureSchedule
from engine.domain.run_config import LearningRateSchedule

POLY_POWER = 0.9


def temperature_at(
    progress: float, *, start: float, end: float, schedule: TemperatureSchedule
) -> float:
    """The temperature tau after a share of the search; always above 0.

    Args:
        progress: Completed share of all steps, 0 to 1; larger counts as 1.
        start: Temperature at 0.
        end: Temperature at 1.
        schedule: ``linear``, ``cosine`` (half a wave), ``exponential``
            (geometric between the two) or ``constant`` (``start`` throughout).
    """
    share = min(max(progress, 0.0), 1.0)
    if schedule == "constant":
        return start
    if schedule == "exponential":
        return start * (end / start) ** share
    if schedule == "cosine":
        share = (1 - math.cos(math.pi * share)) / 2
    return start + (end - start) * share


def learning_rate_at(
    progress: float, *, start: float, end: float, schedule: LearningRateSchedule = "cosine"
) -> float:
    """The learning rate after a share of the training.

    Args:
        progress: Completed share of all steps, 0 to 1; larger counts as 1.
        start: Learning rate at 0.
        end: Learning rate at 1.
        schedule: ``cosine``: end + (start - end) (1 + cos(pi progress)) / 2
            (Loshchilov & Hutter 2017); ``poly``: end + (start - end)
            (1 - progress) ^ 0.9 (DeepLab); ``constant``: ``start`` throughout.
    """
    share = min(max(progress, 0.0), 1.0)
    if schedule == "constant":
        return start
    if schedule == "poly":
        return end + (start - end) * (1 - share) ** POLY_POWER
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
