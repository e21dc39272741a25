"""Differences of cells, agreement between them, and the front of cost and figure."""

import random
from itertools import product

import pytest

from engine.domain.agreement import agreement, choices
from engine.domain.errors import InvalidGenotype
from engine.domain.front import non_dominated
from engine.domain.genotype import Genotype, from_masks, to_masks
from engine.domain.genotype_diff import genotype_diff
from engine.domain.snapshot import operations_in
from engine.domain.space import SearchSpace

SPACE = SearchSpace("tiny", "Tiny", ("normal", "reduction"), 2, 3, ("none", "skip", "conv", "pool"))
OTHER = SearchSpace("other", "Other", ("cell",), 1, 3, ("none", "skip"))


def drawn(seed: int, nodes: int = 3, space: SearchSpace = SPACE) -> Genotype:
    draw = random.Random(seed)
    sized = space.with_nodes(nodes)
    return from_masks(
        sized,
        {
            kind: tuple(
                draw.choice([0, 0, draw.randrange(1 << len(sized.operations))]) for _ in sized.edges
            )
            for kind in sized.cell_kinds
        },
    )


def kept(genotype: Genotype) -> set[tuple[str, int, int, int]]:
    """The second formula: by bit masks; column 0 is ``none``."""
    return {
        (kind, edge.source, edge.target, column)
        for kind, masks in to_masks(genotype).items()
        for edge, mask in zip(genotype.space.edges, masks, strict=True)
        for column in operations_in(mask)
        if column
    }


@pytest.mark.parametrize("seed", range(20))
def test_difference_has_everything_of_both_once_and_nothing_else(seed: int) -> None:
    first, second = drawn(seed, 3), drawn(seed + 100, 2 + seed % 2)
    diff = genotype_diff(first, second)
    columns = {name: k for k, name in enumerate(SPACE.operations)}
    parts = {
        part: {
            (edge.kind, edge.source, edge.target, columns[name])
            for edge in diff.edges
            for name in getattr(edge, part)
        }
        for part in ("kept", "removed", "added")
    }
    assert parts["kept"] == kept(first) & kept(second)
    assert parts["removed"] == kept(first) - kept(second)
    assert parts["added"] == kept(second) - kept(first)
    for edge in diff.edges:
        place = diff.space.edges[edge.edge]
        assert (edge.source, edge.target) == (place.source, place.target)


def test_edges_are_named_by_what_became_of_them() -> None:
    rest = (0,) * (len(SPACE.edges) - 5)
    nothing, only_none = (0,) * len(SPACE.edges), (1,) * len(SPACE.edges)
    first = from_masks(SPACE, {"normal": (2, 2, 2, 6, 0, *rest), "reduction": nothing})
    second = from_masks(SPACE, {"normal": (2, 4, 0, 2, 8, *rest), "reduction": only_none})
    diff = genotype_diff(first, second)
    changes = [edge.change for edge in diff.edges]
    assert changes == ["same", "changed", "removed", "changed", "added"]
    assert [edge.edge for edge in diff.changed()] == [1, 2, 3, 4]
    assert genotype_diff(first, first).changed() == ()


def test_cells_of_different_spaces_are_refused() -> None:
    with pytest.raises(InvalidGenotype, match=r"'tiny' and one of 'other'"):
        genotype_diff(drawn(1), drawn(1, 3, OTHER))
    with pytest.raises(InvalidGenotype, match="one search space"):
        agreement([drawn(1), drawn(1, 3, OTHER)])


@pytest.mark.parametrize("count", [2, 3, 7])
def test_agreement_is_that_of_counting_by_hand(count: int) -> None:
    genotypes = [drawn(seed) for seed in range(count)]
    found = agreement(genotypes)
    for kind, (number, edge), (column, name) in product(
        SPACE.cell_kinds, enumerate(SPACE.edges), enumerate(SPACE.operations)
    ):
        mine = sum((kind, edge.source, edge.target, column) in kept(one) for one in genotypes)
        assert found.shares[kind][number][column] == mine / count, name
    pairs = [
        len(kept(a) & kept(b)) / len(kept(a) | kept(b))
        for i, a in enumerate(genotypes)
        for b in genotypes[:i]
    ]
    assert found.jaccard == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


def test_same_cells_agree_fully_and_strangers_not_at_all() -> None:
    assert agreement([drawn(1), drawn(1), drawn(1)]).jaccard == 1
    edges = len(SPACE.edges)
    skip, conv = (dict.fromkeys(SPACE.cell_kinds, (mask,) * edges) for mask in (2, 4))
    assert agreement([from_masks(SPACE, skip), from_masks(SPACE, conv)]).jaccard == 0
    nothing = from_masks(SPACE, dict.fromkeys(SPACE.cell_kinds, (1,) * edges))
    assert choices(nothing) == frozenset()
    assert agreement([nothing, nothing]).jaccard == 1


def test_agreement_needs_two() -> None:
    with pytest.raises(InvalidGenotype, match="two or more"):
        agreement([drawn(1)])


def by_all_pairs(costs: list[float], figures: list[float], sign: int) -> set[int]:
    """The definition: kept is what no other one beats."""

    def beats(i: int, j: int) -> bool:
        better = sign * figures[i] >= sign * figures[j]
        strictly = costs[i] < costs[j] or sign * figures[i] > sign * figures[j]
        return costs[i] <= costs[j] and better and strictly

    return {j for j in range(len(costs)) if not any(beats(i, j) for i in range(len(costs)))}


@pytest.mark.parametrize("seed", range(30))
def test_front_is_what_no_other_one_beats(seed: int) -> None:
    draw = random.Random(seed)
    count = draw.randrange(1, 25)
    costs = [float(draw.randrange(8)) for _ in range(count)]
    figures = [float(draw.randrange(8)) for _ in range(count)]
    for better, sign in (("higher", 1), ("lower", -1)):
        front = non_dominated(costs, figures, better)  # type: ignore[arg-type]
        assert set(front) == by_all_pairs(costs, figures, sign)
        assert len(set(front)) == len(front)
        assert [costs[i] for i in front] == sorted(costs[i] for i in front)


def test_nothing_has_an_empty_front() -> None:
    assert non_dominated([], []) == []
