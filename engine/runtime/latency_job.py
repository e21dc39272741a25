"""The job that measures how long a derived network takes on the device at hand."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from engine.data.shapes import keeps_dead, network_shape
from engine.data.summaries import DataSummary, Summary, summary_from_json
from engine.domain.architecture import architecture_at
from engine.domain.config import AnyConfig, SearchConfig, TrainingConfig
from engine.domain.errors import InvalidConfig, NotFound
from engine.domain.genotype import Genotype, check_space, from_json, from_masks
from engine.domain.space import SearchSpace
from engine.model.derived import DerivedNetwork
from engine.model.latency import measure_latency
from engine.model.recurrent_derived import DerivedRecurrentNetwork
from engine.operations.text import Text
from engine.runtime.devices import find_cpu
from engine.runtime.job_context import JobContext, whole
from engine.runtime.measurements import masks_in

LARGEST_BATCH = 4096
WARMUP, REPEATS = 10, 50


def measure_network(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Latency of the derived network at the run's own size, with fresh weights.

    Weights do not matter for time; batch normalisations have those of
    inference. For a language model a pass is one window of ``bptt`` tokens.

    Args:
        context: The run.
        arguments: ``genotype`` as JSON text, or ``masks`` per cell kind, or
            neither for the run's own architecture; ``batch``, 1 by default.

    Returns:
        ``median_ms``, ``low_ms`` and ``high_ms`` (the quartiles), ``device``,
        its ``device_label``, ``batch``, ``threads`` and ``repeats``.

    Raises:
        StudioError: The architecture does not fit, or the data are unknown.
    """
    batch = whole(arguments, "batch", 1, low=1, high=LARGEST_BATCH) or 1
    genotype = _genotype(context, arguments)
    network, example = assemble(
        context.run.config, genotype, _summary(context), batch=batch, device=context.device
    )
    measured = measure_latency(network, example, batch=batch, warmup=WARMUP, repeats=REPEATS)
    label = device_label(context.device)
    return {**asdict(measured), "device_label": label, "repeats": REPEATS}


def assemble(
    config: AnyConfig, genotype: Genotype, summary: Summary, *, batch: int, device: torch.device
) -> tuple[nn.Module, Any]:
    """The network of a genotype at a run's size, and inputs for one pass."""
    random = torch.Generator().manual_seed(0)
    if isinstance(summary, DataSummary):
        size = (batch, summary.in_channels, summary.height, summary.width)
        shape = network_shape(config, summary)
        network: nn.Module = DerivedNetwork(genotype, **shape.arguments)
        return network.to(device), torch.randn(size, generator=random).to(device)
    network = DerivedRecurrentNetwork(
        genotype,
        vocabulary=summary.vocabulary,
        embedding=config.embedding_size,
        hidden=config.hidden_size,
        keep_dead=keeps_dead(config),
    ).to(device)
    tokens = torch.randint(summary.vocabulary, (config.bptt, batch), generator=random)
    state = torch.zeros(batch, config.hidden_size)
    return network, Text(tokens.to(device), state.to(device))


def _genotype(context: JobContext, arguments: Mapping[str, Any]) -> Genotype:
    """What is asked about, or the run's own architecture."""
    space = _space(context)
    given, masks = arguments.get("genotype"), arguments.get("masks")
    if given is not None:
        genotype = from_json(str(given))
        check_space(genotype, space)
        return genotype
    if masks is not None:
        return from_masks(space, masks_in(space, masks))
    if isinstance(context.run.config, TrainingConfig):
        return from_json(context.run.config.genotype)
    return from_masks(space, _latest_masks(context, context.run.config, space))


def _latest_masks(context: JobContext, config: SearchConfig, space: SearchSpace) -> Any:
    epochs = context.store.snapshots(context.run.id, epochs_only=True)
    latest = epochs[-1] if epochs else context.store.snapshot(context.run.id)
    if latest is None:
        raise NotFound(
            asked=f"the latency of the architecture of run {context.run.id}",
            found="no snapshot of it",
            allowed="a run with at least one snapshot",
            advice="wait for the first snapshot",
        )
    return architecture_at(space, latest, config)


def _space(context: JobContext) -> SearchSpace:
    space = context.store.space_of(context.run)
    if space is None:
        raise InvalidConfig(
            asked=f"the architecture of run {context.run.id}",
            found="a search space that this engine does not have",
            allowed="a space of its catalogue",
            advice="update the engine",
        )
    return space


def _summary(context: JobContext) -> Summary:
    try:
        with context.artifacts.read(f"runs/{context.run.uid}/data.json") as file:
            return summary_from_json(file.read().decode())
    except NotFound:
        raise NotFound(
            asked=f"the size of the inputs of run {context.run.id}",
            found="no description of its data, since it has not loaded them yet",
            allowed="a run that has started once",
            advice="wait until it runs",
        ) from None


def device_label(device: torch.device) -> str:
    """Name of the device for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else find_cpu(1).label
