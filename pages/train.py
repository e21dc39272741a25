"""The section of the Architecture page that trains what is shown there, and what came of it."""

from typing import Any

import streamlit as st

from app.components.table import Column, data_table
from app.evaluations import Origin, evaluate, origin_of_run, settings_for_data
from app.forms import field_groups, field_rows
from app.studio import Studio
from app.trainings import same_cells, trainings_of
from app.widgets import go_to, plain, refreshing, state_word
from engine.data.table import sources_of
from engine.domain.config import TrainingConfig, make_training_config
from engine.domain.errors import StudioError
from engine.domain.genotype import Genotype
from engine.domain.presets import Preset
from engine.domain.run import Run
from engine.domain.run_config import data_name
from engine.domain.training_presets import (
    TRAINING_PRESETS,
    default_training_preset,
    task_of,
    training_preset,
)
from pages.new_search import device_choices
from pages.run_rows import figure_words

CHOSEN_ABOVE = frozenset({"genotype", "task", "data"})
"""Settings that are no field of the form: they stand above it, or are what is shown."""

MOST_SEEDS = 20
REFRESH_SECONDS = 4.0
COLUMNS = (
    Column("name", "Training"),
    Column("figure", "Figure", "number"),
    Column("state", "State", "state"),
    Column("epochs", "Epochs", "number"),
    Column("data", "Data"),
)


def train_section(studio: Studio, run: Run, genotype: Genotype) -> None:
    """Choose how the architecture shall be trained, and start it, once a seed."""
    st.subheader("Train this architecture", anchor=False)
    st.caption(
        "From scratch, without the weights of the search, as a run of its own. The test data are "
        "looked at once, at the end."
    )
    with st.container(border=True):
        refreshing(lambda: _form(studio, run, genotype))


def _form(studio: Studio, run: Run, genotype: Genotype) -> None:
    origin = origin_of_run(run, genotype)
    key = f"train-{run.id}"
    task = _choose_task(studio, origin, key)
    columns = st.columns([3, 3, 2])
    with columns[0]:
        data = _choose_data(origin, task, f"{key}-{task}")
    with columns[1]:
        preset = _choose_preset(task, data, f"{key}-{task}-{data}")
    with columns[2]:
        seeds = st.number_input(
            "Seeds",
            value=1,
            min_value=1,
            max_value=MOST_SEEDS,
            step=1,
            key=f"{key}-seeds",
            help="One training a seed, for a mean and a spread.",
        )
    st.caption(plain(preset.description))
    start = settings_for_data(origin, preset.name, data)
    values = _fields(studio, start, genotype, f"{key}-{preset.name}-{data}")
    label = "Start the training" if seeds == 1 else f"Start {seeds} trainings"
    if st.button(label, type="primary", icon=":material/model_training:", key="train"):
        _start(studio, origin, values, int(seeds))


def tasks_for(studio: Studio, origin: Origin) -> dict[str, str]:
    """Tasks whose data the cells can read, labels by name; the one they were found on first."""
    catalog = studio.catalog()
    labels = {card.name: card.label for card in catalog.tasks} if catalog else {}
    fitting = {name: label for name, label in labels.items() if origin.genotype.space.reads(name)}
    return {origin.task: labels.get(origin.task, origin.task), **fitting}


def _choose_task(studio: Studio, origin: Origin, key: str) -> str:
    """The task; asked for only where the cells fit several."""
    tasks = tasks_for(studio, origin)
    if len(tasks) == 1:
        return origin.task
    chosen = st.segmented_control(
        "Task",
        list(tasks),
        format_func=lambda name: tasks[name],
        default=origin.task,
        required=True,
        key=f"{key}-task",
    )
    return str(chosen or origin.task)


def _choose_data(origin: Origin, task: str, key: str) -> str:
    sources = sources_of(task)
    options = list(sources)
    start = str(origin.data.get("data", "")) if task == origin.task else ""
    start = start or str(default_training_preset(task, "").settings.get("data", options[0]))
    if start not in options:
        options.insert(0, start)
    chosen = st.selectbox(
        "Data",
        options,
        index=options.index(start),
        format_func=lambda name: sources.get(name, name),
        accept_new_options=True,
        key=f"{key}-data",
        help="A data set by name, or the path of a folder or file; other data than those of the "
        "search are allowed.",
    )
    return str(chosen or start)


def _choose_preset(task: str, data: str, key: str) -> Preset:
    names = [preset.name for preset in TRAINING_PRESETS if task_of(preset) == task]
    chosen = st.selectbox(
        "Training preset",
        names,
        index=names.index(default_training_preset(task, data).name),
        format_func=lambda name: training_preset(name).label,
        key=f"{key}-preset",
        help="Where every setting below starts.",
    )
    return training_preset(chosen)


def _fields(studio: Studio, start: TrainingConfig, genotype: Genotype, key: str) -> dict[str, Any]:
    """Widgets for every setting that means something for the task, a tab a group."""
    values: dict[str, Any] = start.model_dump()
    groups = {
        group: [name for name in names if name not in CHOSEN_ABOVE]
        for group, names in field_groups(TrainingConfig, start.task).items()
    }
    groups = {group: names for group, names in groups.items() if names}
    choices: dict[str, dict[Any, str]] = {
        "device": device_choices(studio.devices()),
        "start_from": starting_points(studio, genotype),
    }
    with st.expander("Settings"):
        for names, tab in zip(groups.values(), st.tabs(list(groups)), strict=True):
            with tab:
                values |= field_rows(start, names, key=key, choices=choices)
    return values


def starting_points(studio: Studio, genotype: Genotype) -> dict[str, str]:
    """Whose weights a training of these cells may start from: labels by identity."""
    known = {run.uid: f"{run.name} (run {run.id})" for run in same_cells(studio, genotype)}
    return {"": "From scratch", **known}


def _start(studio: Studio, origin: Origin, values: dict[str, Any], seeds: int) -> None:
    try:
        runs = evaluate(studio, origin, make_training_config(values), seeds=seeds)
    except StudioError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    go_to("live", run=runs[0].id)


def trainings(studio: Studio, search: Run) -> None:
    """The trainings of what a search has found, each a way to its page; nothing without any."""
    known = trainings_of(studio, search)
    if not known:
        return
    st.subheader("Trainings of this search", anchor=False)
    lively = any(not run.is_ended for run in known)
    refreshing(lambda: _table(studio, search), every=REFRESH_SECONDS if lively else None)


def training_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """One row of plain values a training."""
    return [
        {
            "id": str(run.id),
            "name": run.name,
            "state": [state_word(run)] * 2,
            "data": data_name(run.config.data),
            "epochs": [f"{run.progress.epoch} / {run.config.epochs}", run.progress.epoch],
            "figure": [figure_words(run), run.progress.score],
        }
        for run in runs
    ]


def _table(studio: Studio, search: Run) -> None:
    opened = data_table(
        COLUMNS,
        training_rows(trainings_of(studio, search)),
        key="trainings",
        label="Trainings of this search",
        opens="live",
    )
    if opened is not None:
        go_to("live", run=opened)
