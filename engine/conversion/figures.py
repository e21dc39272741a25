"""Figures of a network as it is taken home."""

from collections.abc import Callable, Generator
from typing import Any

import torch

from engine.optimisation.loop import tally_of
from engine.tasks.task import Task


def measured(network: Callable[[Any], Any], task: Task) -> dict[str, float]:
    """Main figure and loss on validation data.

    Args:
        network: Takes a batch's inputs, in evaluation mode.
        task: Serves the batches and judges the answers.
    """
    figures: dict[str, float] = {}

    def count() -> Generator[None, None, None]:
        tally = yield from tally_of(task, lambda _, inputs: network(inputs))
        figures[f"validation_{task.score_name}"] = tally.score
        figures["validation_loss"] = tally.loss

    with torch.no_grad():
        for _ in count():
            pass
    return figures
