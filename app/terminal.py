"""What a person at a terminal sees: lines, tables and the bar of a search."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from engine.domain.metrics import main_figure
from engine.domain.run import Run, RunState

Show = Callable[[Run], None]

PIPED_WIDTH = 200
"""Columns of a table that no terminal limits."""


def say(text: str) -> None:
    """One remark, beside the result."""
    print(text, file=sys.stderr)


def run_line(run: Run) -> str:
    """One run in one line."""
    parts = [f"Run {run.id} {run.name!r} is {state_text(run)}"]
    main = main_figure(run.config.task)
    if run.progress.score is not None:
        parts.append(f"{measured_on(run)} {main.label} {main.text(run.progress.score)}")
    if run.progress.gap is not None:
        parts.append(f"gap {main.gap_text(run.progress.gap)}")
    return ", ".join(parts)


def measured_on(run: Run) -> str:
    """What the latest main figure is of: a search's child, or a training's validation or test."""
    name = run.progress.score_name or ("child" if run.config.purpose == "search" else "validation")
    return name.partition("_")[0]


def state_text(run: Run) -> str:
    """The state with what is wished or why it waits or failed."""
    if run.request is not None:
        return f"{run.state.value} ({run.request.value} asked)"
    if run.state is RunState.QUEUED and run.waiting:
        return f"queued ({run.waiting})"
    if run.failure is not None:
        return f"failed ({run.failure.value.replace('_', ' ')})"
    return run.state.value


def run_rows(runs: Sequence[Run]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    """Head and rows of a table of runs."""
    head = ("Run", "Name", "State", "Epoch", "Score", "Gap", "Time", "Data")
    rows: list[Sequence[Any]] = [
        (
            run.id,
            run.name,
            state_text(run),
            f"{run.progress.epoch}/{run.config.epochs}",
            _score_text(run),
            main_figure(run.config.task).gap_text(run.progress.gap),
            str(timedelta(seconds=round(run.progress.seconds))),
            run.config.data,
        )
        for run in runs
    ]
    return head, rows


def _score_text(run: Run) -> str:
    """The main figure of a search's child; of a training, with the data that it is of."""
    text = main_figure(run.config.task).text(run.progress.score)
    is_child = run.config.purpose == "search" or run.progress.score is None
    return text if is_child else f"{text} ({measured_on(run)})"


def print_rows(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout; nothing if it has no rows. Text is never taken for markup."""
    if not rows:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(entry)) for entry in row))
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(highlight=False, width=width).print(table)


@contextmanager
def search_progress(*, quiet: bool) -> Iterator[Show]:
    """A bar with the time left on stderr, moved by each run that is handed in."""
    if quiet:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.text import Text

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=Console(stderr=True, highlight=False),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None, left="")

        def show(run: Run) -> None:
            bar.update(
                task,
                description=str(Text(run_line(run))),
                total=run.progress.total_steps or None,
                completed=run.progress.step,
                left=time_left(run),
            )

        yield show


def time_left(run: Run) -> str:
    """Time left at the pace so far; empty before the first step and after the last."""
    done, total = run.progress.step, run.progress.total_steps
    if run.state is not RunState.RUNNING or not done or done >= total:
        return ""
    seconds = run.progress.seconds * (total - done) / done
    return f"{timedelta(seconds=round(seconds))} left"
