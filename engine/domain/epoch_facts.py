"""What one recorded epoch says about its architecture, in figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.domain.architecture import architecture_at
from engine.domain.config import SearchConfig
from engine.domain.distribution import entropy
from engine.domain.genotype import from_masks
from engine.domain.health import CellTopology, DeadCounts, SourceShare
from engine.domain.item_patterns import banned_items
from engine.domain.pruning import pruning_of
from engine.domain.snapshot import Masks, Snapshot, operations_in
from engine.domain.space import NONE, SearchSpace
from engine.domain.topology import shape_of, source_classes, source_shares, uniform_rows

SKIPS = frozenset({"skip_connect", "identity"})


@dataclass(frozen=True)
class EpochFacts:
    """The end of an epoch, read.

    Attributes:
        epoch: Completed epochs.
        step: Completed weight updates.
        metrics: Measured figures by name.
        code: The derived code, per cell kind one bit mask per edge.
        entropy: Mean normalised entropy of the probability rows; 1 is uniform.
        cells: Topology of each cell kind.
        dead: Dead parts of the derived network.
        skip_share: Skips among the kept operations, 0 to 1.
    """

    epoch: int
    step: int
    metrics: Mapping[str, float]
    code: Mapping[str, Masks]
    entropy: float
    cells: tuple[CellTopology, ...]
    dead: DeadCounts
    skip_share: float


def facts_of(space: SearchSpace, config: SearchConfig, snapshot: Snapshot) -> EpochFacts:
    """Read the end of an epoch.

    Args:
        space: The search space with its number of nodes.
        config: The settings of the search.
        snapshot: The end of the epoch.
    """
    code = architecture_at(space, snapshot, config)
    return EpochFacts(
        epoch=snapshot.epoch,
        step=snapshot.step,
        metrics=snapshot.metrics,
        code=code,
        entropy=entropy(space, snapshot.probabilities, config.scope),
        cells=cell_topologies(space, config, snapshot, code),
        dead=dead_counts(space, code, config.cells),
        skip_share=skip_share(space, code),
    )


def cell_topologies(
    space: SearchSpace, config: SearchConfig, snapshot: Snapshot, code: Mapping[str, Masks]
) -> tuple[CellTopology, ...]:
    """The topology of each cell kind: of its derived code, and of its probabilities."""
    banned = banned_items(config.banned, space, config.scope)
    return tuple(
        CellTopology(
            kind=kind,
            shape=shape_of(space, code[kind]),
            sources=tuple(
                SourceShare(*one)
                for one in zip(
                    source_classes(space),
                    source_shares(space, rows),
                    source_shares(space, uniform_rows(space, config.scope, banned[kind])),
                    strict=True,
                )
            ),
            empty_nodes=tuple(
                node
                for node, edges in enumerate(space.edges_of)
                if not any(code[kind][edge] for edge in edges)
            ),
        )
        for kind, rows in snapshot.probabilities.items()
    )


def dead_counts(space: SearchSpace, code: Mapping[str, Masks], cells: int) -> DeadCounts:
    """Count what lies on no path from the input of the network to its scores.

    Args:
        space: The search space.
        code: Per cell kind, one bit mask per edge.
        cells: Cells of the network; a recurrent network has one.
    """
    genotype = from_masks(space, code)
    found = pruning_of(genotype, cells)
    return DeadCounts(
        cells=found.dead_cells,
        of_cells=len(found.cells),
        operations=found.dead_operations,
        of_operations=found.operations,
        unread_kinds=tuple(
            kind for kind in space.cell_kinds if not shape_of(space, code[kind]).reads_last
        ),
    )


def skip_share(space: SearchSpace, code: Mapping[str, Masks]) -> float:
    """Skips among all operations that a code keeps, ``none`` aside; 0 if it keeps none."""
    kept = [
        space.operations[k]
        for masks in code.values()
        for mask in masks
        for k in operations_in(mask)
        if space.operations[k] != NONE
    ]
    return sum(name in SKIPS for name in kept) / len(kept) if kept else 0.0


def steadiness(codes: Sequence[Mapping[str, Masks]]) -> float | None:
    """Share of the kept operations that all these codes have in common.

    It is the size of their intersection over that of their union, 1 if none of
    them keeps anything; None with fewer than two codes.
    """
    if len(codes) < 2:
        return None
    kept = [
        {
            (kind, edge, operation)
            for kind, masks in code.items()
            for edge, mask in enumerate(masks)
            for operation in operations_in(mask)
        }
        for code in codes
    ]
    either = set.union(*kept)
    return len(set.intersection(*kept)) / len(either) if either else 1.0
