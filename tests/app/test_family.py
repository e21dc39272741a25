"""Families of runs as trees."""

import random
from datetime import UTC, datetime

from app.family import family_tree, has_family
from engine.domain.config import SearchConfig
from engine.domain.run import Run, RunState
from engine.domain.run_list import RunSummary, summary_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def runs_from(parents: dict[int, int | None]) -> list[RunSummary]:
    return [
        summary_of(
            Run(number, str(number), "x", RunState.QUEUED, SearchConfig(), START, parent_id=parent)
        )
        for number, parent in parents.items()
    ]


def by_recursion(
    parents: dict[int, int | None], root: int, depth: int = 0
) -> list[tuple[int, int]]:
    """The second formula: the definition of a tree."""
    children = sorted(number for number, parent in parents.items() if parent == root)
    return [(depth, root)] + [
        pair for child in children for pair in by_recursion(parents, child, depth + 1)
    ]


def test_every_member_sees_the_same_tree_from_its_first_run() -> None:
    draw = random.Random(3)
    parents: dict[int, int | None] = {1: None}
    for number in range(2, 40):
        parents[number] = draw.choice([None, *range(1, number)])
    runs = runs_from(parents)
    for number in parents:
        root = number
        while (above := parents[root]) is not None:
            root = above
        found = [(depth, run.id) for depth, run in family_tree(runs, number)]
        assert found == by_recursion(parents, root)


def test_a_run_alone_has_no_family_and_a_deleted_parent_is_none() -> None:
    runs = runs_from({2: 1, 3: 2, 4: None})
    assert [run.id for _, run in family_tree(runs, 2)] == [2, 3]
    assert has_family(runs, 2)
    assert not has_family(runs, 4)
    assert not has_family(runs, 99)
