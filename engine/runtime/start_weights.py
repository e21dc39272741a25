"""Weights of a finished training as the start of another one with the same cells."""

import torch
from torch import Tensor

from engine.domain.config import TrainingConfig
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.transfer import start_run


def start_weights(
    store: RunStore, artifacts: ArtifactStore, config: TrainingConfig
) -> dict[str, Tensor] | None:
    """The measured network at the end of the training that ``start_from`` names.

    Returns:
        Its ``state_dict``; None where the training starts from scratch.

    Raises:
        InvalidConfig: It cannot be started from.
    """
    run = start_run(config, store.runs(purpose="training") if config.start_from else [])
    if run is None:
        return None
    with artifacts.read(store.checkpoints(run.id)[-1].key) as file:
        document = torch.load(file, map_location="cpu", weights_only=True)
    weights: dict[str, Tensor] = document["model"]
    return weights
