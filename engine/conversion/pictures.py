"""Networks from images to scores of their classes, or of those of their pixels."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from engine.conversion.child import Child, Port
from engine.conversion.figures import measured
from engine.conversion.origin import size_facts
from engine.domain.cost import NetworkShape
from engine.domain.genotype import Genotype
from engine.export.module import render_module
from engine.tasks.image_classification import ImageClassification
from engine.tasks.semantic_segmentation import SemanticSegmentation

PictureTask = ImageClassification | SemanticSegmentation

EXAMPLES = 8
"""Validation images that go with a network."""


def child_of_pictures(
    task: PictureTask,
    network: nn.Module,
    genotype: Genotype,
    shape: NetworkShape,
    *,
    statistics: str,
) -> Child:
    """A network of cells with all that is known of it; it is measured, and ends on the CPU.

    Args:
        task: Serves the images.
        network: On the task's device, in evaluation mode.
        genotype: Its cells.
        shape: Its size.
        statistics: From where their statistics come, as a sentence.
    """
    images, _ = next(iter(task.validation_batches()))
    figures = measured(network, task)
    return Child(
        network=network.cpu(),
        inputs=(Port("images"),),
        outputs=(Port("scores"),),
        example=(images[:EXAMPLES].cpu(),),
        genotype=genotype,
        source=render_module(genotype, shape).decode(),
        build="build()",
        facts={
            "item": "image",
            "figures": figures,
            "statistics": statistics,
            "preprocessing": _preprocessing(task),
            "labels": list(task.summary.class_names),
            **size_facts(genotype, shape),
        },
    )


def training_images(task: PictureTask, count: int) -> Iterator[Tensor]:
    """The images of the first training batches, as they are learnt from."""
    for index in range(min(count, task.steps_per_epoch)):
        yield task.weight_batch(0, index)[0]


def _preprocessing(task: PictureTask) -> dict[str, Any]:
    summary = task.summary
    sizes = f"{summary.in_channels}, {summary.height}, {summary.width}"
    return {
        "input": f"float32 [batch, {sizes}] = (pixel - mean) / std, pixels from 0 to 255",
        "mean": task.normalise.mean.tolist(),
        "std": task.normalise.std.tolist(),
    }
