"""From settings to a search: the only reader of the whole configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.data.signs import Alive, unheard
from engine.data.sources import load_data
from engine.domain.config import SearchConfig
from engine.domain.errors import InvalidConfig
from engine.domain.item_patterns import banned_items, frozen_rows, union
from engine.domain.snapshot import Masks
from engine.domain.space import SearchSpace
from engine.model.item_masks import mask_tensor
from engine.model.network import SearchNetwork
from engine.model.probe import Probe
from engine.model.sampler import CodeSampler, MixtureSampler
from engine.search.loop import Equipment, SearchLoop
from engine.search.networks import supernet_for
from engine.search.random_search import RandomSearchLoop
from engine.search.updates import ALPHA_BETA_2, Optimisers
from engine.spaces import SPACES
from engine.tasks.build import build_task
from engine.tasks.randomness import generator


def build_search(
    config: SearchConfig,
    device: torch.device,
    *,
    report: Callable[[str], None],
    cache: Path | None = None,
    alive: Alive = unheard,
) -> SearchLoop:
    """A search at its first step.

    Args:
        config: All settings.
        device: Where network and data live.
        report: Takes sentences for the run's log.
        cache: Folder for downloaded data sets.
        alive: Called while the data are read, whenever a part of them was.

    Raises:
        StudioError: A name is unknown or the data cannot be used.
    """
    return assemble_search(
        config, load_data(config, cache=cache, progress=report, alive=alive), device
    )


def assemble_search(config: SearchConfig, data: Any, device: torch.device) -> SearchLoop:
    """A search at its first step on data that are loaded already."""
    space = space_of(config)
    task = build_task(config, data, device, halved=config.update == "alternating")
    supernet = supernet_for(config, space, task)
    loop = RandomSearchLoop if config.method == "random" else SearchLoop
    return loop(
        config,
        space=space,
        task=task,
        supernet=supernet,
        optimisers=_optimisers(config, supernet),
        equip=lambda now: equipment(now, space, task.device),
    )


def equipment(config: SearchConfig, space: SearchSpace, device: torch.device) -> Equipment:
    """What draws, probes and holds under these settings.

    Raises:
        InvalidConfig: Banned or frozen operations are not in the space, or a
            ban leaves a row empty.
    """
    banned = banned_items(config.banned, space, config.scope)
    resting = union(banned, frozen_rows(config.frozen, space, config.scope))
    count = len(space.operations)
    make_probe = _probe_maker(config, space)

    def probe_of(step: int) -> Probe | None:
        probe = make_probe(step)
        return probe and probe.without(resting, count)

    rests = {kind: mask_tensor(edges, count) for kind, edges in resting.items()}
    return Equipment(
        samplers={kind: _sampler(config, space, banned[kind]) for kind in space.cell_kinds},
        make_probe=probe_of,
        held={kind: mask.to(device) for kind, mask in rests.items() if mask.any()},
    )


def space_of(config: SearchConfig) -> SearchSpace:
    """The search space of a configuration, with its number of nodes.

    Raises:
        InvalidConfig: There is none of that name.
    """
    if config.space not in SPACES:
        raise InvalidConfig(
            asked=f"the search space {config.space!r}",
            found="no such space",
            allowed=f"one of {', '.join(SPACES)}",
            advice="choose one of these",
        )
    return SPACES[config.space].with_nodes(config.nodes)


def _sampler(config: SearchConfig, space: SearchSpace, banned: Masks) -> CodeSampler:
    if config.method == "darts":
        return MixtureSampler(space, normalisation=config.normalisation, banned=banned)
    return CodeSampler(
        space,
        draws=config.draws,
        scope=config.scope,
        route=config.route,
        normalisation=config.normalisation,
        sound=config.sound,
        banned=banned,
    )


def _optimisers(config: SearchConfig, supernet: SearchNetwork) -> Optimisers:
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
            betas=(config.alpha_momentum, ALPHA_BETA_2),
            weight_decay=config.alpha_weight_decay,
        ),
        gradient_clip=config.gradient_clip,
    )


def _probe_maker(config: SearchConfig, space: SearchSpace) -> Callable[[int], Probe | None]:
    """How the operations that a step does not draw report to alpha."""
    if config.gradient == "sampled" or config.method != "egs":
        return lambda _: None
    if config.gradient == "exact":
        return lambda _: Probe.exact()
    if config.probe == "batch":
        return lambda step: Probe.batch(
            config.probe_fraction,
            start=float(torch.rand((), generator=generator(config.seed, "probe", step))),
        )
    if config.probe == "steps":
        return lambda step: Probe.at_step(step, config.probe_fraction)
    return lambda step: Probe.operations(
        config.probe_fraction, space, generator(config.seed, "probe", step)
    )
