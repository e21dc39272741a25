"""Lists of runs: which are shown, in which order, and what people may write on them."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.domain.config import SearchConfig
from engine.domain.errors import InvalidConfig
from engine.domain.run import Progress, Run, RunState
from engine.domain.run_list import (
    SORT_KEYS,
    RunFilter,
    RunSummary,
    checked_notes,
    checked_tags,
    in_order,
    page_of,
    share_done,
    summary_of,
    tags_in,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def summary(number: int, **changes: object) -> RunSummary:
    run = Run(number, f"uid{number}", f"run {number}", RunState.QUEUED, SearchConfig(), START)
    return replace(summary_of(run), **changes)  # type: ignore[arg-type]


def drawn(count: int = 40) -> list[RunSummary]:
    """Runs of every kind, some without figures."""
    draw = random.Random(5)
    return [
        summary(
            number,
            name=draw.choice(["Beta", "alpha", "gamma"]),
            state=draw.choice(list(RunState)),
            started_at=draw.choice([None, START + timedelta(seconds=draw.random())]),
            progress=Progress(
                step=draw.randrange(9), total_steps=9, score=draw.choice([None, draw.random()])
            ),
            tags=tuple(sorted(draw.sample(["a", "b", "c"], draw.randrange(3)))),
            archived=draw.random() < 0.3,
        )
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("name", SORT_KEYS)
@pytest.mark.parametrize("minus", ["", "-"])
def test_each_column_orders_neighbours_and_puts_what_is_missing_last(name: str, minus: str) -> None:
    runs = drawn()
    ordered = in_order(runs, minus + name)
    assert sorted(run.id for run in ordered) == [run.id for run in runs]
    keys = [SORT_KEYS[name](run) for run in ordered]
    known = [key for key in keys if key is not None]
    assert keys[len(known) :] == [None] * (len(keys) - len(known))
    for (first, one), (second, other) in zip(
        zip(known, ordered, strict=False), zip(known[1:], ordered[1:], strict=False), strict=False
    ):
        assert first >= second if minus else first <= second
        assert first != second or one.id > other.id


def test_without_an_order_the_latest_comes_first() -> None:
    assert [run.id for run in in_order([summary(1), summary(3), summary(2)])] == [3, 2, 1]


def test_unknown_column_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidConfig, match=r"'colour'.*one of number, name"):
        in_order([], "-colour")


def test_each_part_of_a_filter_narrows_the_list() -> None:
    run = summary(7, name="Digits Ärger", tags=("fast",), notes="See page 3", data="/a/B.npz")
    for fitting in (
        RunFilter(),
        RunFilter(text="ärger DIGITS"),
        RunFilter(text="run 7 page"),
        RunFilter(text="b.npz fast"),
        RunFilter(states=frozenset({RunState.QUEUED, RunState.FAILED})),
        RunFilter(task="image_classification", tag="fast"),
        RunFilter(shelf="all"),
    ):
        assert fitting.fits(run), fitting
    for other in (
        RunFilter(text="digits cifar"),
        RunFilter(states=frozenset({RunState.FAILED})),
        RunFilter(task="language_modelling"),
        RunFilter(tag="fas"),
        RunFilter(shelf="archived"),
    ):
        assert not other.fits(run), other


def test_archived_runs_are_shown_only_where_they_are_asked_for() -> None:
    runs = drawn()
    present, archived, every = (
        {run.id for run in runs if RunFilter(shelf=shelf).fits(run)}
        for shelf in ("present", "archived", "all")
    )
    assert present | archived == every == {run.id for run in runs}
    assert not present & archived
    assert archived == {run.id for run in runs if run.archived}


def test_share_done_is_whole_only_at_the_end() -> None:
    assert share_done(summary(1)) == 0
    assert share_done(summary(1, progress=Progress(step=3, total_steps=4))) == 0.75
    assert share_done(summary(1, state=RunState.COMPLETED)) == 1


def test_pages_cover_the_list_and_the_nearest_stands_for_those_beyond() -> None:
    runs = drawn(23)
    pages = [page_of(runs, number, 10) for number in (1, 2, 3)]
    assert [run for page, _ in pages for run in page] == runs
    assert {count for _, count in pages} == {3}
    assert page_of(runs, 99, 10) == pages[-1]
    assert page_of(runs, -1, 10) == pages[0]
    assert page_of([], 1, 10) == ([], 1)


def test_tags_are_kept_tidy_sorted_and_once() -> None:
    assert checked_tags(["  b  c ", "a", "", "a"]) == ("a", "b c")
    assert tags_in([summary(1, tags=("b",)), summary(2, tags=("a", "b"))]) == ["a", "b"]


@pytest.mark.parametrize("tags", [["x" * 41], ["a,b"], ["a\x07"], [str(n) for n in range(21)]])
def test_tags_that_cannot_be_kept_are_refused(tags: list[str]) -> None:
    with pytest.raises(InvalidConfig):
        checked_tags(tags)


def test_notes_are_bounded() -> None:
    assert checked_notes("  two\nlines \x00 ") == "two\nlines"
    with pytest.raises(InvalidConfig, match="10,001 characters"):
        checked_notes("x" * 10_001)
