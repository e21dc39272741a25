"""Runs with all their settings and figures as one table of comma-separated values."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.health_text import health_of
from app.studio import Studio
from engine.domain.metrics import METRICS
from engine.domain.run import Run

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Text that begins so is worked out by a spreadsheet, whoever wrote it."""

SETTING, METRIC = "setting_", "figure_"


def runs_csv(studio: Studio, run_ids: Iterable[int]) -> str:
    """One line a run, in the order given: identity, state, settings, latest figures.

    A run that has been deleted meanwhile is left out. Text that a spreadsheet
    would take for a formula gets an apostrophe before it; numbers never.
    """
    wanted = list(run_ids)
    known = {run.id: run for run in studio.runs()}
    rows = [csv_row(studio, known[number]) for number in wanted if number in known]
    return as_csv(rows)


def csv_row(studio: Studio, run: Run) -> dict[str, Any]:
    """Everything about a run that is one value, by the head of its column."""
    return {
        "run": run.id,
        "uid": run.uid,
        "name": run.name,
        "kind": run.config.purpose,
        "state": run.state.value,
        "tags": ", ".join(run.tags),
        "notes": run.notes,
        "archived": run.archived,
        "forked_from": run.parent_id,
        "created_at": run.created_at.isoformat(),
        "started_at": None if run.started_at is None else run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "epoch": run.progress.epoch,
        "step": run.progress.step,
        "seconds": run.progress.seconds,
        "verdict": _verdict(studio, run),
        "failure": None if run.failure is None else run.failure.value,
        "error": run.error,
        **{SETTING + name: value for name, value in run.config.model_dump(mode="json").items()},
        **{METRIC + name: value for name, value in final_figures(studio, run).items()},
    }


def _verdict(studio: Studio, run: Run) -> str | None:
    """The stored name of the verdict on a search; None if there is none."""
    health = health_of(studio, run)
    return None if health is None else health.verdict.value


def final_figures(studio: Studio, run: Run) -> dict[str, float]:
    """The latest value of every figure: at the last step, else at the end of the last epoch."""
    latest = studio.snapshot(run.id)
    if latest is None:
        return {}
    epoch = _last_epoch(studio, run)
    return {**(epoch or {}), **latest.metrics}


def _last_epoch(studio: Studio, run: Run) -> Mapping[str, float] | None:
    """Figures at the end of the last epoch, which is at a known step."""
    progress = run.progress
    if not progress.epoch or not progress.total_steps:
        return None
    found = studio.snapshot(run.id, progress.epoch * progress.total_steps // run.config.epochs)
    return None if found is None else found.metrics


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lines under one head that has every column that any row has."""
    names = dict.fromkeys(name for row in rows for name in row)
    order = {name: place for place, name in enumerate(metric.name for metric in METRICS)}
    plain = [name for name in names if not name.startswith(METRIC)]
    figures = sorted(
        (name for name in names if name.startswith(METRIC)),
        key=lambda name: (order.get(name.removeprefix(METRIC), len(order)), name),
    )
    settings = [name for name in plain if name.startswith(SETTING)]
    head = [name for name in plain if not name.startswith(SETTING)] + settings + figures
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([cell(row.get(name)) for name in head] for row in rows)
    return file.getvalue()


def cell(value: Any) -> Any:
    """A value as it may stand in a cell: text can never become a formula."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(STARTS_A_FORMULA):
        return "'" + value
    return value
