"""What two derived cells of one search space share, and what each has alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype
from engine.domain.space import NONE, SearchSpace

Change = Literal["same", "added", "removed", "changed"]
Wire = tuple[int, int]
"""Source and target number of an edge."""


@dataclass(frozen=True)
class EdgeDiff:
    """One edge on which at least one of the two cells keeps something.

    Attributes:
        kind: Cell kind.
        edge: Number of the edge in the space of the difference.
        source: Its source number.
        target: Its target number.
        kept: Operations that both keep, in the order of the space.
        removed: Those that only the first keeps.
        added: Those that only the second keeps.
    """

    kind: str
    edge: int
    source: int
    target: int
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def change(self) -> Change:
        """Whether the edge is the same, new, gone, or bears something else."""
        if not self.removed and not self.added:
            return "same"
        if not self.kept and not self.removed:
            return "added"
        if not self.kept and not self.added:
            return "removed"
        return "changed"


@dataclass(frozen=True)
class GenotypeDiff:
    """The difference of two genotypes.

    Attributes:
        space: A space that has every edge of both: that with more nodes.
        edges: By cell kind and edge; edges that are empty in both are left out.
    """

    space: SearchSpace
    edges: tuple[EdgeDiff, ...]

    def changed(self) -> tuple[EdgeDiff, ...]:
        """The edges that are not the same."""
        return tuple(edge for edge in self.edges if edge.change != "same")


def genotype_diff(first: Genotype, second: Genotype) -> GenotypeDiff:
    """Compare two genotypes edge by edge; ``none`` counts as nothing.

    Raises:
        InvalidGenotype: They are of different search spaces.
    """
    check_same_space(first, second)
    space = max(first.space, second.space, key=lambda one: one.nodes)
    before, after = kept_operations(first), kept_operations(second)
    return GenotypeDiff(space, tuple(_edges(space, before, after)))


def check_same_space(first: Genotype, second: Genotype) -> None:
    """Make sure that edges of two genotypes mean the same.

    Raises:
        InvalidGenotype: They are of different search spaces.
    """
    if _family(first.space) != _family(second.space):
        raise InvalidGenotype(
            asked="a comparison of two cells edge by edge",
            found=f"one of the search space {first.space.name!r} and one of {second.space.name!r}",
            allowed="cells of one search space",
            advice="choose runs that search the same space",
        )


def _family(space: SearchSpace) -> tuple[object, ...]:
    return (space.name, space.cell_kinds, space.inputs, space.output)


def kept_operations(genotype: Genotype) -> dict[str, dict[Wire, frozenset[str]]]:
    """Per cell kind and edge, the operations that are kept, without ``none``."""
    inputs = genotype.space.inputs
    found: dict[str, dict[Wire, set[str]]] = {kind: {} for kind in genotype.space.cell_kinds}
    for kind, cell in genotype.cells.items():
        for node, genes in enumerate(cell):
            for gene in genes:
                if gene.operation != NONE:
                    wire = (gene.source, inputs + node)
                    found[kind].setdefault(wire, set()).add(gene.operation)
    return {
        kind: {wire: frozenset(names) for wire, names in wires.items()}
        for kind, wires in found.items()
    }


Kept = Mapping[str, Mapping[Wire, frozenset[str]]]


def _edges(space: SearchSpace, before: Kept, after: Kept) -> Iterator[EdgeDiff]:
    nothing: frozenset[str] = frozenset()
    for kind in space.cell_kinds:
        for number, edge in enumerate(space.edges):
            wire = (edge.source, edge.target)
            first, second = before[kind].get(wire, nothing), after[kind].get(wire, nothing)
            if first or second:
                yield EdgeDiff(
                    kind=kind,
                    edge=number,
                    source=edge.source,
                    target=edge.target,
                    kept=_in_order(space, first & second),
                    removed=_in_order(space, first - second),
                    added=_in_order(space, second - first),
                )


def _in_order(space: SearchSpace, names: frozenset[str]) -> tuple[str, ...]:
    """Operations by column; those of an older space that this one lacks come last."""
    known = tuple(name for name in space.operations if name in names)
    return known + tuple(sorted(names - set(known)))
