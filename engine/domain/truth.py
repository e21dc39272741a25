"""Published accuracies of all cells of a small space, to compare a search with.

NAS-Bench-201 (Dong and Yang, ICLR 2020) trained every one of its 15,625 cells
several times. A derived cell can be looked up there, so that a search is
judged by what its cell reaches when it is trained from scratch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype, to_masks
from engine.domain.snapshot import Masks, operations_in
from engine.domain.space import NONE, SearchSpace

Columns = tuple[int, ...]
"""A cell of the table: one operation column an edge, in the order of the space."""


@dataclass(frozen=True)
class Truth:
    """What was published about one cell.

    Attributes:
        arch: The cell in the table's own notation.
        test_accuracy: On the test split after full training, in per cent, the
            mean over seeds.
        rank: Its place among all cells by test accuracy; 1 is the best, equal
            ones share a place.
        cells: Number of cells in the table.
        validation_accuracy: On the validation split, in per cent; None where
            the table has none.
        parameters: Trainable parameters of the trained network.
        multiply_adds: Multiply-adds of one image.
    """

    arch: str
    test_accuracy: float
    rank: int
    cells: int
    validation_accuracy: float | None = None
    parameters: float | None = None
    multiply_adds: float | None = None


@dataclass(frozen=True)
class TruthTable:
    """All cells of a space with one operation an edge, and what they reach.

    Attributes:
        name: What people call it.
        operations: Names that the columns of a cell refer to.
        edges: Edges of a cell.
        rows: Number of each cell's row, by its columns.
        archs: Each row's cell as text.
        test_accuracy: Per row, in per cent; the other sequences likewise.
    """

    name: str
    operations: tuple[str, ...]
    edges: int
    rows: Mapping[Columns, int]
    archs: Sequence[str]
    test_accuracy: Sequence[float]
    validation_accuracy: Sequence[float] | None = None
    parameters: Sequence[float] | None = None
    multiply_adds: Sequence[float] | None = None

    @cached_property
    def best(self) -> float:
        """The highest test accuracy of all cells, in per cent."""
        return max(self.test_accuracy)

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        """Per row, its place by test accuracy; 1 is the best."""
        ranked = sorted(range(len(self.test_accuracy)), key=lambda row: -self.test_accuracy[row])
        ranks = [0] * len(ranked)
        for place, row in enumerate(ranked):
            before = ranked[place - 1]
            same = place > 0 and self.test_accuracy[row] == self.test_accuracy[before]
            ranks[row] = ranks[before] if same else place + 1
        return tuple(ranks)

    def fits(self, space: SearchSpace) -> bool:
        """Whether the cells of a space are those of this table."""
        return (
            len(space.cell_kinds) == 1
            and space.inputs == 1
            and space.output == "last"
            and len(space.edges) == self.edges
            and set(space.operations) == set(self.operations)
        )

    def lookup(self, space: SearchSpace, masks: Mapping[str, Masks]) -> Truth:
        """What was published about a derived cell.

        An edge that keeps nothing has the operation ``none``.

        Args:
            space: The search space of the masks.
            masks: Its one cell, one bit mask an edge.

        Raises:
            InvalidGenotype: The space is another one, or an edge keeps several
                operations.
        """
        if not self.fits(space):
            raise _not_applicable(
                self,
                f"a cell of the space {space.name!r} with {len(space.edges)} edges",
                f"a cell of one kind with {self.edges} edges and the operations "
                f"{', '.join(self.operations)}",
                "search in the space of the table",
            )
        (edge_masks,) = (masks[kind] for kind in space.cell_kinds)
        columns = tuple(self._column(space, mask) for mask in edge_masks)
        row = self.rows.get(columns)
        if row is None:
            names = [self.operations[column] for column in columns]
            raise _not_applicable(
                self,
                f"no row for {', '.join(names)}",
                "a cell that the table has",
                "use a table with all cells",
            )
        return self._truth(row)

    def lookup_genotype(self, genotype: Genotype) -> Truth:
        """As :meth:`lookup`, for a genotype."""
        return self.lookup(genotype.space, to_masks(genotype))

    def _column(self, space: SearchSpace, mask: int) -> int:
        kept = [k for k in operations_in(mask) if k != space.none_index]
        if len(kept) > 1:
            names = " and ".join(space.operations[k] for k in kept)
            raise _not_applicable(
                self,
                f"an edge with {names}",
                "one operation an edge",
                "derive with one draw a row in scope edge (draws = 1)",
            )
        return self.operations.index(space.operations[kept[0]] if kept else NONE)

    def _truth(self, row: int) -> Truth:
        return Truth(
            arch=self.archs[row],
            test_accuracy=self.test_accuracy[row],
            rank=self.ranks[row],
            cells=len(self.test_accuracy),
            validation_accuracy=_entry(self.validation_accuracy, row),
            parameters=_entry(self.parameters, row),
            multiply_adds=_entry(self.multiply_adds, row),
        )


def _entry(values: Sequence[float] | None, row: int) -> float | None:
    return None if values is None else values[row]


def _not_applicable(table: TruthTable, found: str, allowed: str, advice: str) -> InvalidGenotype:
    return InvalidGenotype(
        asked=f"the published accuracy of a cell in {table.name!r}",
        found=found,
        allowed=allowed,
        advice=advice,
    )
