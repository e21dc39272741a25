"""How the codes of a step are drawn: the schedules and contexts that settings ask for."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

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
    cell: int = 0,
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
        cell: Number of the cell among those of its kind, from 0, where each has
            a code of its own; each takes the context in rows of its own.
    """
    random = generator_of(config.seed, "context", step, cell=cell)
    contexts = _contexts(config, space, step, derived, random) if config.context else {}
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


def codes_of_cells(
    counts: Mapping[str, int], draw: Callable[[int, Sequence[str]], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Draw the codes of a step: one for all cells of a kind, or one for each of them.

    Args:
        counts: Per cell kind, how many codes it takes, at least 1.
        draw: Draws one code [E, K] for each of some kinds, for the cell of that
            number among those of its kind.

    Returns:
        Per cell kind [E, K] where it takes one code, else [cells, E, K].
    """
    found: dict[str, list[Tensor]] = {kind: [] for kind in counts}
    for cell in range(max(counts.values())):
        kinds = [kind for kind, count in counts.items() if cell < count]
        for kind, code in draw(cell, kinds).items():
            found[kind].append(code)
    return {
        kind: codes[0] if len(codes) == 1 else torch.stack(codes) for kind, codes in found.items()
    }


def generator_of(seed: int, purpose: str, *place: int, cell: int) -> torch.Generator:
    """Return the generator of one cell's draws; the first cell has that of a shared code.

    Args:
        seed: The run's seed.
        purpose: What the numbers are for.
        place: The place of the search, such as the step.
        cell: Number of the cell among those of its kind, from 0.
    """
    return generator(seed, purpose, *place, *((cell,) if cell else ()))


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
    random: torch.Generator,
) -> dict[str, Context]:
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
