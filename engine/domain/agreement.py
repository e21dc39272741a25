"""How far several searches of one space agree on what to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype
from engine.domain.genotype_diff import check_same_space, kept_operations
from engine.domain.snapshot import Rows
from engine.domain.space import SearchSpace

Choice = tuple[str, int, int, str]
"""One thing that a cell keeps: cell kind, source, target, operation."""


@dataclass(frozen=True)
class Agreement:
    """What several genotypes have in common.

    Attributes:
        space: A space that has every edge of all: that with the most nodes.
        count: How many genotypes.
        shares: Per cell kind, E rows of K shares from 0 to 1: how many of the
            genotypes keep that operation on that edge. ``none`` counts as
            nothing, so its column is 0.
        jaccard: Mean over all pairs of genotypes of what both keep over what
            either keeps, from 0 (nothing in common) to 1 (the same cells).
    """

    space: SearchSpace
    count: int
    shares: Mapping[str, Rows]
    jaccard: float


def agreement(genotypes: Sequence[Genotype]) -> Agreement:
    """Compare two or more genotypes of one space.

    Two genotypes that both keep nothing agree fully.

    Raises:
        InvalidGenotype: There are fewer than two, or they are of different
            search spaces.
    """
    if len(genotypes) < 2:
        raise InvalidGenotype(
            asked="an agreement between searches",
            found=f"{len(genotypes)} derived architecture(s)",
            allowed="two or more",
            advice="choose more runs that have recorded something",
        )
    for other in genotypes[1:]:
        check_same_space(genotypes[0], other)
    space = max((one.space for one in genotypes), key=lambda one: one.nodes)
    chosen = [choices(genotype) for genotype in genotypes]
    return Agreement(space, len(genotypes), _shares(space, chosen), mean_jaccard(chosen))


def choices(genotype: Genotype) -> frozenset[Choice]:
    """Everything that a genotype keeps."""
    return frozenset(
        (kind, source, target, operation)
        for kind, wires in kept_operations(genotype).items()
        for (source, target), operations in wires.items()
        for operation in operations
    )


def mean_jaccard(sets: Sequence[frozenset[Choice]]) -> float:
    """Mean over all pairs of |a and b| / |a or b|; two empty sets count as 1."""
    indices = [jaccard(first, second) for first, second in combinations(sets, 2)]
    return sum(indices) / len(indices)


def jaccard(first: frozenset[Choice], second: frozenset[Choice]) -> float:
    """What both have over what either has (Jaccard 1901)."""
    either = first | second
    return len(first & second) / len(either) if either else 1.0


def _shares(space: SearchSpace, chosen: Sequence[frozenset[Choice]]) -> dict[str, Rows]:
    return {
        kind: tuple(
            tuple(
                sum((kind, edge.source, edge.target, name) in one for one in chosen) / len(chosen)
                for name in space.operations
            )
            for edge in space.edges
        )
        for kind in space.cell_kinds
    }
