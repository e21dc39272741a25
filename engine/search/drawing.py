"""How the codes of a step are drawn: the schedules and contexts that settings ask for."""

from collections.abc import Callable, Mapping

import torch

from engine.domain.config import SearchConfig
from engine.domain.snapshot import Masks
from engine.domain.space import SearchSpace
from engine.model.sampler import NO_CONTEXT, Context, Drawing
from engine.tasks.randomness import generator


def drawings(
    config: SearchConfig,
    space: SearchSpace,
    *,
    step: int,
    share: float,
    derived: Callable[[], Mapping[str, Masks]],
) -> dict[str, Drawing]:
    """How each cell kind's code is drawn in a step in which alphas learn.

    Args:
        config: The settings in force.
        space: The search space.
        step: Completed updates; with the seed it fixes which rows take the
            context.
        share: Completed share of the search, 0 to 1.
        derived: Gives the architecture that would be derived now; called only
            where rows take their code from it.
    """
    contexts = _contexts(config, space, step, derived) if config.context else {}
    return {
        kind: Drawing(
            draws=_draws(config, share),
            kept=1 - share * (1 - config.shrink_to),
            fairness=_fading(share, config.fair_sources),
            exploration=config.exploration,
            context=contexts.get(kind, NO_CONTEXT),
        )
        for kind in space.cell_kinds
    }


def row_in_turn(space: SearchSpace, config: SearchConfig, step: int) -> int:
    """Number of the row that learns in a step where rows take turns."""
    return step % len(space.rows(config.scope))


def _draws(config: SearchConfig, share: float) -> int:
    start = config.draws_start or config.draws
    return round(start + share * (config.draws - start))


def _fading(share: float, until: float) -> float:
    """1 at the start, falling linearly to 0 at that share of the search."""
    return max(0.0, 1 - share / until) if until else 0.0


def _contexts(
    config: SearchConfig,
    space: SearchSpace,
    step: int,
    derived: Callable[[], Mapping[str, Masks]],
) -> dict[str, Context]:
    random = generator(config.seed, "context", step)
    masks = derived()
    rows = range(len(space.rows(config.scope)))
    learning = {row_in_turn(space, config, step)} if config.alpha_rows == "turn" else set()
    contexts = {}
    for kind in space.cell_kinds:
        takes = (torch.rand(len(rows), generator=random) < config.context).tolist()
        contexts[kind] = Context(
            masks[kind], frozenset(row for row in rows if takes[row] and row not in learning)
        )
    return contexts
