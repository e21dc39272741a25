"""Jobs that measure: a child's figures with inherited weights, and a network's latency."""

import logging
from collections.abc import Mapping
from typing import Any

from engine.domain.config import SearchConfig
from engine.domain.errors import InvalidConfig
from engine.domain.run import Run
from engine.domain.snapshot import Masks
from engine.domain.space import SearchSpace
from engine.runtime.checkpoints import Checkpoints
from engine.runtime.job_context import JobContext, whole
from engine.runtime.recorded_data import check_recorded_data
from engine.search.build import build_search
from engine.search.evaluation import measure, tensors_of

log = logging.getLogger(__name__)

LAST_STEP = 10**15


def measure_child(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of one child on the validation data, with the supernet's weights.

    Args:
        context: The run, which has to be a search.
        arguments: ``step``: the weights are those of the last checkpoint at or
            before it, or of the first one after it; None takes the newest.
            ``masks``: the child's code, per cell kind one bit mask an edge;
            without it, that of the architecture that the search stands for there.

    Returns:
        ``step`` and ``epoch`` of the weights, ``masks``, ``loss`` in nats,
        ``score``, ``error`` and ``score_name``.

    Raises:
        StudioError: The run is no search, has no checkpoint, its data have
            changed, the code is not one of its space, or it is a random
            search that kept another one.
    """
    config = search_config(context.run)
    step = whole(arguments, "step", None, low=0, high=LAST_STEP)
    loop = build_search(config, context.device, report=log.info, cache=context.cache)
    given = arguments.get("masks")
    masks = None if given is None else masks_in(loop.space, given)
    check_recorded_data(context.artifacts, context.run, loop)
    checkpoints = Checkpoints(context.store, context.artifacts, context.run)
    saved = checkpoints.load_near(loop, step)
    if masks is None:
        masks = loop.derived()
    loop.prepare_child(masks)
    codes = tensors_of(masks, len(loop.space.operations), context.device)
    loop.supernet.train(False)
    measuring = measure(loop.task, loop.supernet, lambda _: codes)
    while True:
        try:
            next(measuring)
        except StopIteration as ended:
            tally = ended.value
            break
    return {
        "step": saved.step,
        "epoch": saved.epoch,
        "masks": {kind: list(edges) for kind, edges in masks.items()},
        "loss": tally.loss,
        "score": tally.score,
        "error": tally.error,
        "score_name": loop.task.score_name,
    }


def search_config(run: Run) -> SearchConfig:
    """The settings of a search.

    Raises:
        InvalidConfig: The run is a training.
    """
    if isinstance(run.config, SearchConfig):
        return run.config
    raise InvalidConfig(
        asked=f"the figures of a child of run {run.id}",
        found="a training of one network, which has no other children",
        allowed="a search",
        advice="ask the search that this network comes from",
    )


def masks_in(space: SearchSpace, given: Any) -> dict[str, Masks]:
    """Bit masks from outside, if they are a code of the space.

    Raises:
        InvalidConfig: Cell kinds, edges or operations are others.
    """
    if isinstance(given, Mapping) and set(given) == set(space.cell_kinds):
        masks = {kind: given[kind] for kind in space.cell_kinds}
        if all(_is_code(space, edges) for edges in masks.values()):
            return {kind: tuple(edges) for kind, edges in masks.items()}
    edges, operations = len(space.edges), len(space.operations)
    raise InvalidConfig(
        asked=f"a child with the code {str(given)[:200]!r}",
        found=f"no code of the space {space.name!r} with {space.nodes} nodes",
        allowed=f"for each of {', '.join(space.cell_kinds)}: {edges} whole numbers from 0 to "
        f"{2**operations - 1}, one bit for each of {operations} operations",
        advice="give the code of a snapshot of this run",
    )


def _is_code(space: SearchSpace, edges: Any) -> bool:
    return (
        isinstance(edges, list | tuple)
        and len(edges) == len(space.edges)
        and all(type(mask) is int and 0 <= mask < 2 ** len(space.operations) for mask in edges)
    )
