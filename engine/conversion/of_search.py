"""From a search at one of its checkpoints to the network of a genotype."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.conversion.child import Child, Port
from engine.conversion.statistics import fix_statistics
from engine.data.shapes import network_shape
from engine.domain.errors import CheckpointError, DataError, InvalidConfig, InvalidGenotype
from engine.domain.genotype import Genotype, check_space
from engine.export.module import render_module
from engine.model.derived import DerivedNetwork, load_weights
from engine.operations.blocks import NormStyle
from engine.search.loop import SearchLoop
from engine.tasks.image_classification import ImageClassification
from engine.tasks.semantic_segmentation import SemanticSegmentation
from engine.tasks.task import Task

ImageTask = ImageClassification | SemanticSegmentation

FIXED = NormStyle(affine=False, running=True)
"""Normalisations as in the search, but with statistics that stay."""

STATISTICS_BATCHES = 64
"""Training batches that the statistics of the normalisations are measured on, at most."""

EXAMPLES = 8
"""Validation images that go with the network."""


def child_of_search(
    loop: SearchLoop, genotype: Genotype, *, origin: Mapping[str, Any] | None = None
) -> Child:
    """The genotype's network with the weights that it shares with the supernet.

    Its normalisations get fixed statistics from training data, see
    :func:`fix_statistics`; its figures are measured anew with them.

    Args:
        loop: The search, with the state of a checkpoint loaded.
        genotype: An architecture of its space, derived by whatever rule.
        origin: What else is known of the weights, for the model card.

    Raises:
        InvalidGenotype: The genotype is of another space or number of nodes.
        DataError: The data are others than those the genotype was found on.
        CheckpointError: The checkpoint lacks a weight.
        InvalidConfig: The task has no network that could be taken home.
    """
    _check_space(loop, genotype)
    _check_data(loop, genotype)
    task = loop.config.task
    if task not in BUILDERS:
        raise InvalidConfig(
            asked=f"a network of the task {task!r} to take home",
            found="no conversion of such networks",
            allowed=f"one of {', '.join(BUILDERS)}",
            advice="export the genotype or the checkpoint instead",
        )
    try:
        child = BUILDERS[task](loop, genotype)
    except KeyError as error:
        raise CheckpointError(
            asked=f"the weights of this genotype from step {loop.progress.step}",
            found=f"no weight {error}",
            allowed="a checkpoint of the same search",
            advice="choose another checkpoint",
        ) from None
    facts = {**child.facts, **_shared_facts(loop, genotype), "origin": dict(origin or {})}
    return Child(**{**vars(child), "facts": facts})


def _check_space(loop: SearchLoop, genotype: Genotype) -> None:
    """The weights are there for the search's own edges only."""
    check_space(genotype, loop.space)
    if genotype.space.nodes != loop.space.nodes:
        raise InvalidGenotype(
            asked=f"the weights of cells with {genotype.space.nodes} nodes",
            found=f"a search of cells with {loop.space.nodes} nodes",
            allowed="a genotype of this search",
            advice="train this genotype from scratch instead",
        )


def _check_data(loop: SearchLoop, genotype: Genotype) -> None:
    """The statistics have to come from the data that the weights were trained on."""
    wanted, found = genotype.lineage.get("data_digest"), loop.data_summary.digest
    if wanted and wanted != found:
        raise DataError(
            asked=f"the data {loop.config.data!r} of this search",
            found=f"data with the digest {found[:12]}…, changed since the search",
            allowed=f"the data with the digest {wanted[:12]}…",
            advice="put the data back as they were",
        )


def _shared_facts(loop: SearchLoop, genotype: Genotype) -> dict[str, Any]:
    position = loop.progress
    return {
        "task": loop.config.task,
        "data": loop.config.data,
        "data_digest": loop.data_summary.digest,
        "trained": {
            "how": "searched: the weights are those that it shared with all other architectures, "
            "without training of its own",
            "step": position.step,
            "epoch": position.epoch,
        },
        "lineage": dict(genotype.lineage),
    }


def _classifier(loop: SearchLoop, genotype: Genotype) -> Child:
    """A network from images to scores of their classes, or of those of their pixels."""
    task = loop.task
    if not isinstance(task, ImageTask):
        raise TypeError(f"{type(task).__name__} serves no images with classes")
    summary = task.summary
    shape = network_shape(loop.config, summary)
    network = DerivedNetwork(genotype, **shape.arguments, style=FIXED)
    load_weights(network, loop.supernet.state_dict())
    network.to(task.device)
    batches = fix_statistics(network, _training_images(task))
    images, _ = next(iter(task.validation_batches()))
    figures = _measured(network, task)
    mean, std = (values.tolist() for values in (task.normalise.mean, task.normalise.std))
    return Child(
        network=network.cpu(),
        inputs=(Port("images"),),
        outputs=(Port("scores"),),
        example=(images[:EXAMPLES].cpu(),),
        genotype=genotype,
        source=render_module(genotype, shape).decode(),
        build=f"build(style=NormStyle(affine={FIXED.affine}, running={FIXED.running}))",
        facts={
            "figures": figures,
            "statistics": f"Means and variances of all batch normalisations were measured on "
            f"{batches} batches of {loop.config.batch_size} training images, augmented as in the "
            "search, and are fixed; in the search they come from each batch itself.",
            "preprocessing": {
                "input": f"float32 [batch, {summary.in_channels}, {summary.height}, "
                f"{summary.width}] = (pixel - mean) / std, pixels from 0 to 255",
                "mean": mean,
                "std": std,
            },
            "labels": list(summary.class_names),
        },
    )


def _training_images(task: ImageTask) -> Iterator[Tensor]:
    """The first batches of the search, as it saw them."""
    for index in range(min(STATISTICS_BATCHES, task.steps_per_epoch)):
        yield task.weight_batch(0, index)[0]


def _measured(network: Callable[[Any], Any], task: Task) -> dict[str, Any]:
    """Figures of the network as it is taken home, on validation data."""
    total = None
    with torch.no_grad():
        for inputs, targets in task.validation_batches():
            tally = task.tally(network(inputs), targets)
            total = tally if total is None else total + tally
    if total is None:
        return {}
    return {f"validation_{task.score_name}": total.score, "validation_loss": total.loss}


BUILDERS: dict[str, Callable[[SearchLoop, Genotype], Child]] = {
    "image_classification": _classifier,
    "semantic_segmentation": _classifier,
}
"""By task, how its network is made."""
