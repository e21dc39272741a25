"""What a list of runs shows, and how it is narrowed down and put in order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from engine.domain.config import Purpose
from engine.domain.errors import InvalidConfig
from engine.domain.run import Progress, Request, Run, RunState

Shelf = Literal["present", "archived", "all"]
SHELVES: tuple[Shelf, ...] = ("present", "archived", "all")
"""Runs that are not archived, those that are, and both."""

LATEST_FIRST = ""
TAG_LENGTH, TAGS, NOTES_LENGTH = 40, 20, 10_000


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run: no more than can be read of thousands at once.

    Attributes:
        purpose: ``search`` or ``training``.
        task: What is learnt.
        data: As it was given: a name or a path.
        epochs: Of the whole run.

    The others are those of :class:`~engine.domain.run.Run`.
    """

    id: int
    name: str
    state: RunState
    request: Request | None
    purpose: Purpose
    task: str
    data: str
    epochs: int
    created_at: datetime
    started_at: datetime | None
    progress: Progress
    waiting: str | None
    parent_id: int | None
    tags: tuple[str, ...]
    notes: str
    archived: bool


def summary_of(run: Run) -> RunSummary:
    """What a list shows of this run."""
    return RunSummary(
        id=run.id,
        name=run.name,
        state=run.state,
        request=run.request,
        purpose=run.config.purpose,
        task=run.config.task,
        data=run.config.data,
        epochs=run.config.epochs,
        created_at=run.created_at,
        started_at=run.started_at,
        progress=run.progress,
        waiting=run.waiting,
        parent_id=run.parent_id,
        tags=run.tags,
        notes=run.notes,
        archived=run.archived,
    )


@dataclass(frozen=True)
class RunFilter:
    """Which runs a list shows: those that fit every part that is given.

    Attributes:
        text: Words that all occur in name, number, data, tags or notes,
            whatever their case.
        states: Any of these; none given means every state.
        task: This one.
        tag: This one.
        shelf: Whether archived runs are shown.
    """

    text: str = ""
    states: frozenset[RunState] = frozenset()
    task: str = ""
    tag: str = ""
    shelf: Shelf = "present"

    def fits(self, run: RunSummary) -> bool:
        """Whether a run is shown."""
        return (
            (self.shelf == "all" or run.archived == (self.shelf == "archived"))
            and (not self.states or run.state in self.states)
            and self.task in ("", run.task)
            and (not self.tag or self.tag in run.tags)
            and self._has_words(run)
        )

    def _has_words(self, run: RunSummary) -> bool:
        if not self.text:
            return True
        place = "\n".join((run.name, f"run {run.id}", run.data, *run.tags, run.notes)).casefold()
        return all(word in place for word in self.text.casefold().split())


def share_done(run: RunSummary | Run) -> float:
    """How much of a run is done, from 0 to 1."""
    if run.state is RunState.COMPLETED:
        return 1.0
    total = run.progress.total_steps
    return min(1.0, run.progress.step / total) if total else 0.0


Key = Callable[[RunSummary], Any]
SORT_KEYS: dict[str, Key] = {
    "number": lambda run: run.id,
    "name": lambda run: run.name.casefold(),
    "kind": lambda run: run.purpose,
    "state": lambda run: list(RunState).index(run.state),
    "task": lambda run: run.task,
    "data": lambda run: run.data.casefold(),
    "progress": share_done,
    "score": lambda run: run.progress.score,
    "gap": lambda run: run.progress.gap,
    "started": lambda run: run.started_at,
    "parent": lambda run: run.parent_id,
    "tags": lambda run: ", ".join(run.tags).casefold() or None,
}
"""What a list can be put in order by; a run without a value comes last in either direction."""


def in_order(runs: Iterable[RunSummary], order: str = LATEST_FIRST) -> list[RunSummary]:
    """The runs in order of a column; a minus before its name turns it round.

    Args:
        runs: In any order.
        order: Such as ``score`` or ``-score``; empty is latest first. Equal
            runs are latest first as well.

    Raises:
        InvalidConfig: There is no such column.
    """
    latest = sorted(runs, key=lambda run: -run.id)
    if order == LATEST_FIRST:
        return latest
    name = order.removeprefix("-")
    if name not in SORT_KEYS:
        raise InvalidConfig(
            asked=f"a list of runs in order of {name!r}",
            found="no such column",
            allowed=f"one of {', '.join(SORT_KEYS)}, with a minus before it for the reverse",
            advice="choose one of these",
        )
    key = SORT_KEYS[name]
    known = [run for run in latest if key(run) is not None]
    unknown = [run for run in latest if key(run) is None]
    known.sort(key=key)
    if order.startswith("-"):
        known.sort(key=key, reverse=True)
    return known + unknown


def tags_in(runs: Iterable[RunSummary]) -> list[str]:
    """Every tag that a run has, once, in order."""
    return sorted({tag for run in runs for tag in run.tags})


def checked_tags(words: Iterable[str]) -> tuple[str, ...]:
    """Tags as they are kept: one line each, without blanks around them, sorted, once.

    Raises:
        InvalidConfig: One is too long or holds a comma, or there are too many.
    """
    tidy = {" ".join(word.split()) for word in words} - {""}
    for tag in sorted(tidy):
        if len(tag) > TAG_LENGTH or "," in tag or not tag.isprintable():
            raise InvalidConfig(
                asked=f"the tag {tag[:60]!r}",
                found=f"{len(tag)} characters" + (" with a comma" if "," in tag else ""),
                allowed=f"at most {TAG_LENGTH} characters on one line, without a comma",
                advice="choose a shorter word",
            )
    if len(tidy) > TAGS:
        raise InvalidConfig(
            asked=f"{len(tidy)} tags on one run",
            found="too many",
            allowed=f"at most {TAGS}",
            advice="leave some out",
        )
    return tuple(sorted(tidy))


def checked_notes(text: str) -> str:
    """Notes as they are kept: without blanks around them.

    Raises:
        InvalidConfig: They are too long.
    """
    tidy = text.replace("\x00", "").strip()
    if len(tidy) > NOTES_LENGTH:
        raise InvalidConfig(
            asked="notes on a run",
            found=f"{len(tidy):,} characters",
            allowed=f"at most {NOTES_LENGTH:,}",
            advice="keep the rest in a file of your own and name it here",
        )
    return tidy


def page_of(runs: Sequence[RunSummary], number: int, size: int) -> tuple[Sequence[RunSummary], int]:
    """Page ``number`` (from 1) of a list, and how many pages there are; the nearest if none."""
    pages = max(1, -(-len(runs) // size))
    at = min(max(number, 1), pages) - 1
    return runs[at * size : (at + 1) * size], pages
