"""From settings to a search: the only reader of the whole configuration."""

from collections.abc import Callable
from pathlib import Path

import torch

from engine.data.images import ImageData
from engine.data.sources import load_images
from engine.domain.config import SearchConfig
from engine.domain.space import SearchSpace
from engine.model.estimator import CodeSampler
from engine.model.probe import Probe
from engine.model.supernet import Supernet
from engine.search.loop import SearchLoop
from engine.search.updates import Optimisers
from engine.spaces import SPACES
from engine.tasks.augmentation import Augmentation
from engine.tasks.image_classification import ImageClassification
from engine.tasks.randomness import generator

ALPHA_BETAS = (0.5, 0.999)
"""Adam's decay rates for the alphas (DARTS; method, section 5)."""


def build_search(
    config: SearchConfig,
    device: torch.device,
    *,
    report: Callable[[str], None],
    cache: Path | None = None,
) -> SearchLoop:
    """A search at its first step.

    Args:
        config: All settings.
        device: Where network and images live.
        report: Takes sentences for the run's log.
        cache: Folder for downloaded data sets.

    Raises:
        StudioError: A name is unknown or the data cannot be used.
    """
    data = load_images(config, cache=cache, progress=report)
    return assemble_search(config, data, device)


def assemble_search(config: SearchConfig, data: ImageData, device: torch.device) -> SearchLoop:
    """A search at its first step on images that are loaded already."""
    space = SPACES[config.space].with_nodes(config.nodes)
    task = ImageClassification(
        data,
        batch_size=config.batch_size,
        augmentation=Augmentation(config.crop_padding, config.flip, config.cutout),
        seed=config.seed,
        halved=config.update == "alternating",
        device=device,
    )
    supernet = _supernet(config, space, task)
    return SearchLoop(
        config,
        space=space,
        task=task,
        supernet=supernet,
        sampler=CodeSampler(
            space,
            draws=config.draws,
            scope=config.scope,
            route=config.route,
            normalisation=config.normalisation,
        ),
        optimisers=_optimisers(config, supernet),
        make_probe=_probe_maker(config, space),
    )


def _supernet(config: SearchConfig, space: SearchSpace, task: ImageClassification) -> Supernet:
    """A freshly initialised supernet for the task's images, on its device."""
    return Supernet(
        space,
        in_channels=task.in_channels,
        classes=task.classes,
        channels=config.channels,
        cells=config.cells,
        stem_stride=config.stem_stride,
        generator=generator(config.seed, "weights"),
        alpha_mean=1.0 if config.normalisation == "relu" else 0.0,
    ).to(task.device)


def _optimisers(config: SearchConfig, supernet: Supernet) -> Optimisers:
    return Optimisers(
        weights=torch.optim.SGD(
            supernet.weight_parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        ),
        alphas=torch.optim.Adam(
            supernet.alpha_parameters(),
            lr=config.alpha_learning_rate,
            betas=ALPHA_BETAS,
            weight_decay=config.alpha_weight_decay,
        ),
        gradient_clip=config.gradient_clip,
    )


def _probe_maker(config: SearchConfig, space: SearchSpace) -> Callable[[int], Probe | None]:
    """How the operations that a step does not draw report to alpha."""
    if config.gradient == "sampled":
        return lambda _: None
    if config.gradient == "exact":
        return lambda _: Probe.exact()
    if config.probe == "batch":
        return lambda _: Probe.batch(config.probe_fraction)
    if config.probe == "steps":
        return lambda step: Probe.at_step(step, config.probe_fraction)
    return lambda step: Probe.operations(
        config.probe_fraction, space, generator(config.seed, "probe", step)
    )
