"""Rows of the list of runs, as plain values for the table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.components.table import Column
from app.widgets import ago, duration, state_word, time_left
from engine.domain.catalog import Catalog
from engine.domain.metrics import main_figure
from engine.domain.run import Run, RunState
from engine.domain.run_config import data_name
from engine.domain.run_list import RunSummary, share_done, summary_of

SHORT_TASKS = {
    "image_classification": "Images",
    "language_modelling": "Texts",
    "semantic_segmentation": "Scenes",
}
"""What a task is about, as New search asks it; a column has no room for its whole name."""

COLUMNS = (
    Column("name", "Name"),
    Column("number", "Run", "number"),
    Column("kind", "Kind"),
    Column("state", "State", "state"),
    Column("task", "Task"),
    Column("data", "Data"),
    Column("progress", "Progress", "progress"),
    Column("score", "Figure", "number"),
    Column("gap", "Gap", "number"),
    Column("started", "Started", "number"),
    Column("parent", "From", "number"),
    Column("tags", "Tags", "tags"),
)
"""Keys are those that a list can be put in order by."""


def columns_of(runs: Sequence[RunSummary]) -> tuple[Column, ...]:
    """The columns that say something: one in which all runs are alike is left out."""
    told = {
        "kind": len({run.purpose for run in runs}) > 1,
        "task": len({run.task for run in runs}) > 1,
        "parent": any(run.parent_id is not None for run in runs),
        "tags": any(run.tags for run in runs),
    }
    return tuple(column for column in COLUMNS if told.get(column.key, True))


def run_rows(
    runs: Sequence[RunSummary], catalog: Catalog | None, now: datetime
) -> list[dict[str, Any]]:
    """One row of plain values a run, in the order given."""
    tasks = {card.name: card.label for card in catalog.tasks} if catalog else {}
    return [_row(run, tasks, now) for run in runs]


def _row(run: RunSummary, tasks: Mapping[str, str], now: datetime) -> dict[str, Any]:
    word, score, gap = state_word(run), run.progress.score, run.progress.gap
    since = run.started_at or run.created_at
    return {
        "id": str(run.id),
        "name": run.name,
        "number": run.id,
        "kind": run.purpose.capitalize(),
        "state": [word, word],
        "task": SHORT_TASKS.get(run.task) or task_label(run.task, tasks),
        "data": data_name(run.data),
        "progress": [_progress_words(run), share_done(run)],
        "score": [figure_words(run), score],
        "gap": [_gap_words(run), gap],
        "started": [ago(run.started_at, now), -since.timestamp()],
        "parent": ["" if run.parent_id is None else f"run {run.parent_id}", run.parent_id],
        "tags": [list(run.tags), ", ".join(run.tags)],
    }


def task_label(task: str, tasks: Mapping[str, str]) -> str:
    """What people call a task, also one that no engine has any more."""
    return tasks.get(task, task.replace("_", " ").capitalize())


def figure_words(run: RunSummary | Run) -> str:
    """What a run has reached: a search's child, or a training on validation or test data."""
    known = run if isinstance(run, RunSummary) else summary_of(run)
    main, score = main_figure(known.task), known.progress.score
    text = main.text(score)
    if score is None:
        return text
    of = "child" if known.purpose == "search" else "validation"
    part = (known.progress.score_name or of).partition("_")[0].capitalize()
    return f"{part} {text}" if main.name == "accuracy" else f"{part} {text} {main.label}"


def _gap_words(run: RunSummary) -> str:
    """The gap of a search; a training has none."""
    if run.purpose != "search":
        return ""
    return main_figure(run.task).gap_text(run.progress.gap)


def _progress_words(run: RunSummary) -> str:
    if run.state is RunState.QUEUED:
        return run.waiting or "waiting for an engine"
    epochs = f"epoch {run.progress.epoch} of {run.epochs}"
    left = time_left(run)
    if run.state is RunState.RUNNING and left is not None:
        return f"{epochs}, {duration(left)} left"
    return epochs
