"""Which architecture a search stands for at a recorded moment."""

from collections.abc import Mapping

from engine.domain.config import SearchConfig
from engine.domain.derivation import derive
from engine.domain.snapshot import Masks, Snapshot
from engine.domain.space import SearchSpace


def architecture_at(
    space: SearchSpace, snapshot: Snapshot, config: SearchConfig
) -> dict[str, Masks]:
    """The architecture at a snapshot, without ``none``.

    It is what was recorded there, at the end of an epoch; else what the search's
    own rule derives from the probabilities. A random search derives nothing: in
    the middle of an epoch it is the cell that it trains just then.

    Args:
        space: The search space with its number of nodes.
        snapshot: The moment.
        config: The settings that were in force.

    Returns:
        Per cell kind, one bit mask an edge.
    """
    if snapshot.derived is not None:
        return dict(snapshot.derived)
    if not config.derives:
        return without_none(space, snapshot.codes)
    return derive(space, snapshot.probabilities, config.rule)


def without_none(space: SearchSpace, masks: Mapping[str, Masks]) -> dict[str, Masks]:
    """The same codes with nothing where they have ``none``."""
    unset = 0 if space.none_index is None else 1 << space.none_index
    return {kind: tuple(mask & ~unset for mask in cell) for kind, cell in masks.items()}
