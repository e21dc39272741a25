"""From a run's settings to the loop that carries it out."""

from collections.abc import Callable
from pathlib import Path

import torch

from engine.data.signs import Alive, unheard
from engine.domain.config import AnyConfig, TrainingConfig
from engine.evaluate.build import build_training
from engine.optimisation.loop import Loop
from engine.search.build import build_search


def build_loop(
    config: AnyConfig,
    device: torch.device,
    *,
    report: Callable[[str], None],
    cache: Path | None,
    alive: Alive = unheard,
) -> Loop:
    """The search or the training of a configuration, at its first step.

    Args:
        config: All settings; their kind says which it is.
        device: Where network and data live.
        report: Takes sentences for the run's log.
        cache: Folder for downloaded data sets.
        alive: Called while the data are read, whenever a part of them was.

    Raises:
        StudioError: A name is unknown or the data cannot be used.
    """
    if isinstance(config, TrainingConfig):
        return build_training(config, device, report=report, cache=cache, alive=alive)
    return build_search(config, device, report=report, cache=cache, alive=alive)
