"""Weights of a finished training as the start of another one with the same cells."""

import torch
from torch import Tensor

from engine.domain.config import TrainingConfig
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import from_json, to_masks
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.run import Run, RunState


def start_weights(
    store: RunStore, artifacts: ArtifactStore, config: TrainingConfig
) -> dict[str, Tensor]:
    """The network's state at the end of the training that ``start_from`` names.

    Raises:
        InvalidConfig: There is no such run, it has not ended well, or it is no
            training of the same cells.
    """
    run = next((run for run in store.runs() if run.uid == config.start_from), None)
    if run is None or not isinstance(run.config, TrainingConfig):
        raise _refused(config, "no training run of that identity")
    if run.state is not RunState.COMPLETED:
        raise _refused(config, f"a training that is {run.state.value}")
    if not _same_cells(run.config, config):
        raise _refused(config, f"run {run.id}, which trains other cells")
    return _last_weights(store, artifacts, run)


def _last_weights(store: RunStore, artifacts: ArtifactStore, run: Run) -> dict[str, Tensor]:
    with artifacts.read(store.checkpoints(run.id)[-1].key) as file:
        document = torch.load(file, map_location="cpu", weights_only=True)
    weights: dict[str, Tensor] = document["model"]
    return weights


def _same_cells(first: TrainingConfig, second: TrainingConfig) -> bool:
    cells = [from_json(config.genotype) for config in (first, second)]
    return cells[0].space.name == cells[1].space.name and to_masks(cells[0]) == to_masks(cells[1])


def _refused(config: TrainingConfig, found: str) -> InvalidConfig:
    return InvalidConfig(
        asked=f"start_from = {config.start_from!r}",
        found=found,
        allowed="the uid of a completed training of the same cells",
        advice="choose another run or leave start_from empty",
    )
