"""A file that torch has to make: asked by a page, or made at once by the command line."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from engine.conversion.child import Child
from engine.conversion.conversion import Conversion, Converted
from engine.conversion.of_search import child_of_search
from engine.conversion.of_training import child_of_training
from engine.conversion.table import CONVERSIONS
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import Genotype, from_json, to_masks
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.run import Run
from engine.evaluate.loop import TrainingLoop
from engine.runtime.build import build_loop
from engine.runtime.checkpoints import Checkpoints
from engine.runtime.job_context import JobContext, whole
from engine.runtime.recorded_data import check_recorded_data
from engine.search.loop import SearchLoop

log = logging.getLogger(__name__)

LAST_STEP = 10**15


@dataclass(frozen=True)
class Made:
    """A converted network: how it was made, its content, and the step of its weights."""

    conversion: Conversion
    converted: Converted
    step: int


def export_file(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Put one file beside the run and say where it lies.

    Args:
        context: The run.
        arguments: ``format``: a name of the table of conversions;
            ``genotype``: the JSON text of the architecture; ``step``: weights
            of the last checkpoint at or before it, or else of the first one
            after it; None takes the newest.

    Returns:
        ``key`` in the artifact store, ``extension``, ``media_type``,
        ``size_bytes``, ``sha256``, ``step`` of the weights, and what was found while the
        file was made, such as ``difference``.

    Raises:
        StudioError: One of them does not fit, or the network has no such form.
    """
    genotype = arguments.get("genotype")
    if not isinstance(genotype, str):
        raise InvalidConfig(
            asked="a file of a network",
            found=f"genotype = {genotype!r}",
            allowed="the JSON text of a genotype",
            advice="ask from the page of an architecture",
        )
    made = convert_run(
        context.store,
        context.artifacts,
        context.run,
        from_json(genotype),
        str(arguments.get("format")),
        step=whole(arguments, "step", None, low=0, high=LAST_STEP),
        device=context.device,
        cache=context.cache,
    )
    key = f"{context.folder}/{made.conversion.card.name}{made.conversion.extension}"
    with context.artifacts.write(key) as file:
        file.write(made.converted.content)
    return {
        "key": key,
        "extension": made.conversion.extension,
        "media_type": made.conversion.media_type,
        "size_bytes": len(made.converted.content),
        "sha256": sha256(made.converted.content).hexdigest(),
        "step": made.step,
        **made.converted.facts,
    }


def convert_run(
    store: RunStore,
    artifacts: ArtifactStore,
    run: Run,
    genotype: Genotype,
    format_name: str,
    *,
    step: int | None,
    device: torch.device,
    cache: Path | None = None,
) -> Made:
    """One file of a genotype with the weights of a run's checkpoint.

    Raises:
        StudioError: The format is unknown, the genotype is of another space or
            not the one that was trained, there is no checkpoint, the data have
            changed, or the network has no such form.
    """
    conversion = _conversion(format_name)
    child, saved = _child(store, artifacts, run, genotype, step, device, cache)
    return Made(conversion, conversion.convert(child), saved)


def _conversion(name: str) -> Conversion:
    if name in CONVERSIONS:
        return CONVERSIONS[name]
    raise InvalidConfig(
        asked=f"the export format {name!r}",
        found="no format that an engine makes",
        allowed=f"one of {', '.join(CONVERSIONS)}",
        advice="choose one of these",
    )


def _child(
    store: RunStore,
    artifacts: ArtifactStore,
    run: Run,
    genotype: Genotype,
    step: int | None,
    device: torch.device,
    cache: Path | None,
) -> tuple[Child, int]:
    loop = build_loop(run.config, device, report=log.info, cache=cache)
    check_recorded_data(artifacts, run, loop)
    saved = Checkpoints(store, artifacts, run).load_near(loop, step)
    origin = {
        "run": f"{run.name} (number {run.id})",
        "checkpoint": f"step {saved.step}, epoch {saved.epoch}, SHA-256 {saved.sha256}",
    }
    if isinstance(loop, TrainingLoop):
        return child_of_training(loop, genotype=genotype, origin=origin), saved.step
    assert isinstance(loop, SearchLoop)
    origin |= _figures_of_search(store, run, genotype)
    return child_of_search(loop, genotype, origin=origin), saved.step


def _figures_of_search(store: RunStore, run: Run, genotype: Genotype) -> dict[str, Any]:
    """What the search measured of just this architecture, with statistics of the batch."""
    step = genotype.lineage.get("step")
    snapshot = store.snapshot(run.id, step) if isinstance(step, int) else None
    if snapshot is None or snapshot.derived is None:
        return {}
    if dict(snapshot.derived) != to_masks(genotype):
        return {}
    wanted = ("child_", "supernet_", "gap")
    return {
        f"{name}, measured by the search at step {snapshot.step}": json.dumps(round(value, 4))
        for name, value in snapshot.metrics.items()
        if name.startswith(wanted)
    }
