"""Runs: every search and training with its state and its figures."""

from datetime import datetime
from typing import Any

import streamlit as st

from app.components.table import Column, data_table
from app.studio import Studio
from app.widgets import (
    ago,
    attempt,
    duration,
    engine_notice,
    go_to,
    refreshing,
    state_word,
    time_left,
)
from engine.domain.catalog import Catalog
from engine.domain.metrics import main_figure
from engine.domain.presets import preset_config
from engine.domain.run import Run, RunState

COLUMNS = (
    Column("name", "Name"),
    Column("kind", "Kind"),
    Column("state", "State", "state"),
    Column("task", "Task"),
    Column("data", "Data"),
    Column("progress", "Progress", "progress"),
    Column("score", "Figure", "number"),
    Column("gap", "Gap", "number"),
    Column("started", "Started", "number"),
)
FIRST_PRESET = "digits"
REFRESH_SECONDS = 2.0


def render(studio: Studio) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Runs", anchor=False)
        if st.button("New search", icon=":material/add:", key="new"):
            go_to("new")
    if not studio.runs():
        _empty(studio)
        return
    refreshing(lambda: _table(studio), every=REFRESH_SECONDS)


def run_rows(runs: list[Run], catalog: Catalog | None, now: datetime) -> list[dict[str, Any]]:
    """One row of plain values a run, in the order given."""
    return [_row(run, catalog, now) for run in runs]


def _row(run: Run, catalog: Catalog | None, now: datetime) -> dict[str, Any]:
    tasks = {card.name: card.label for card in catalog.tasks} if catalog else {}
    word, score, gap = state_word(run), run.progress.score, run.progress.gap
    since = run.started_at or run.created_at
    return {
        "id": str(run.id),
        "name": run.name,
        "kind": run.config.purpose.capitalize(),
        "state": [word, word],
        "task": tasks.get(run.config.task, run.config.task.replace("_", " ").capitalize()),
        "data": data_name(run.config.data),
        "progress": [_progress_words(run), _share(run)],
        "score": [figure_words(run), score],
        "gap": [_gap_words(run), gap],
        "started": [ago(run.started_at, now), -since.timestamp()],
    }


def figure_words(run: Run) -> str:
    """What a run has reached: a search's child, or a training on validation or test data."""
    main, score = main_figure(run.config.task), run.progress.score
    text = main.text(score)
    if score is None:
        return text
    of = "child" if run.config.purpose == "search" else "validation"
    part = (run.progress.score_name or of).partition("_")[0].capitalize()
    return f"{part} {text}" if main.name == "accuracy" else f"{part} {text} {main.label}"


def _gap_words(run: Run) -> str:
    """The gap of a search; a training has none."""
    if run.config.purpose != "search":
        return ""
    return main_figure(run.config.task).gap_text(run.progress.gap)


def data_name(data: str) -> str:
    """The last part of a path, or a name as it is."""
    return data.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or data


def _share(run: Run) -> float:
    if run.state is RunState.COMPLETED:
        return 1.0
    return run.progress.step / run.progress.total_steps if run.progress.total_steps else 0.0


def _progress_words(run: Run) -> str:
    if run.state is RunState.QUEUED:
        return run.waiting or "waiting for an engine"
    epochs = f"epoch {run.progress.epoch} of {run.config.epochs}"
    left = time_left(run)
    if run.state is RunState.RUNNING and left is not None:
        return f"{epochs}, {duration(left)} left"
    return epochs


def _table(studio: Studio) -> None:
    engine_notice(studio)
    rows = run_rows(studio.runs(), studio.catalog(), studio.clock.now())
    opened = data_table(
        COLUMNS, rows, key="runs", label="Runs", opens="live", searchable=len(rows) > 5
    )
    if opened is not None:
        go_to("live", run=opened)
    st.caption(
        "The figure is an accuracy, of texts a perplexity, of segmentations a mean IoU. That of a "
        "search is of the derived child with inherited weights on validation data, and the gap is "
        "its error minus the supernet's; that of a training is of validation data, and once it "
        "has ended of the test data. Open a run to watch it."
    )


def _empty(studio: Studio) -> None:
    alive = engine_notice(studio)
    with st.container(border=True, horizontal_alignment="center", gap="medium"):
        st.space("small")
        st.subheader("No search yet", anchor=False, width="content")
        st.markdown(
            "Watch an architecture being found for 1,797 real handwritten digits in about "
            "three minutes.",
            width="content",
        )
        if st.button(
            "Start the digits search", type="primary", icon=":material/play_arrow:", key="first"
        ):
            _start(studio)
        if not alive:
            st.caption("It will wait in the queue until an engine runs.", width="content")
        st.space("small")


def _start(studio: Studio) -> None:
    made: list[Run] = []
    attempt(lambda: made.append(studio.create(preset_config(FIRST_PRESET))))
    if made:
        go_to("live", run=made[0].id)
