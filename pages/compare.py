"""Compare: two to eight runs, or all runs of a study, side by side."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.access import Feed
from app.compare import (
    FEWEST,
    MOST,
    genotypes_of,
    moments_of,
    runs_named,
    runs_of_study,
    studies_in,
    study_name,
)
from app.components.overlay import Track, overlay, overlay_data
from app.components.table import Column, data_table
from app.figures.compare import Look, looks_of
from app.studio import Studio
from app.widgets import duration, go_to, plain, refreshing, state_word
from app.wire import series_message, temperature_series
from engine.domain.config_diff import ABSENT, config_diff, setting_text
from engine.domain.metrics import METRICS, main_figure
from engine.domain.run import Run
from engine.domain.run_list import RunSummary, summary_of
from pages.compare_cells import agreement_section, cells_section
from pages.compare_costs import front_section, parallel_section
from pages.run_rows import figure_words

REFRESH_SECONDS = 4.0

RUN_COLUMNS = (
    Column("name", "Name"),
    Column("number", "Run", "number"),
    Column("state", "State", "state"),
    Column("score", "Figure", "number"),
    Column("gap", "Gap", "number"),
    Column("seconds", "Training time", "number"),
)


def render(studio: Studio, feed: Feed) -> None:
    """Draw the page of the runs, or of the study, in the address."""
    st.title("Compare", anchor=False)
    summaries = studio.summaries()
    if len(summaries) < FEWEST:
        st.markdown("A comparison needs two runs. There are fewer yet.")
        if st.button("Go to the runs", type="primary", key="to-runs"):
            go_to("")
        return
    study, text = st.query_params.get("study"), st.query_params.get("runs")
    _choose(summaries, study, text)
    if study:
        runs = runs_of_study(studio, study)
    elif text:
        runs = runs_named(studio, text)
    else:
        st.caption("Choose runs above, or tick them in the list of runs and press *Compare*.")
        return
    draw(studio, feed, runs, study)


def draw(studio: Studio, feed: Feed, runs: Sequence[Run], study: str | None) -> None:
    """Everything about these runs."""
    looks = run_looks(runs)
    refreshing(lambda: _figures([studio.run(run.id) for run in runs]))
    st.subheader("Curves", anchor=False)
    lively = any(not run.is_ended for run in runs)
    refreshing(
        lambda: _curves(studio, feed, [studio.run(run.id) for run in runs], looks),
        every=REFRESH_SECONDS if lively else None,
    )
    st.subheader("Settings that differ", anchor=False)
    _settings(_one_a_configuration(runs) if study else runs, of_study=bool(study))
    genotypes = genotypes_of(studio, runs)
    cells_section(studio, runs, genotypes)
    agreement_section(studio, runs, genotypes)
    front_section(studio, runs, looks)
    parallel_section(studio, runs, genotypes)


def _choose(summaries: Sequence[RunSummary], study: str | None, text: str | None) -> None:
    """Fields that change the address."""
    known = {run.id: run for run in summaries}
    chosen = [int(word) for word in (text or "").split(",") if word.strip().isdecimal()]
    chosen = [number for number in dict.fromkeys(chosen) if number in known][:MOST]
    studies = studies_in(summaries)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ticked = st.multiselect(
            f"Runs, {FEWEST} to {MOST}",
            list(known),
            default=[] if study else chosen,
            format_func=lambda number: f"{known[number].name} (run {number})",
            max_selections=MOST,
            key=f"chosen-{study}-{text}",
            placeholder="Choose runs",
        )
        picked = None
        if studies:
            picked = st.selectbox(
                "Or a whole study",
                list(studies),
                index=list(studies).index(study) if study in studies else None,
                format_func=lambda name: f"{name} ({len(studies[name])} runs)",
                key=f"study-{study}-{text}",
                placeholder="Choose a study",
                width=280,
            )
    if picked != study and picked is not None:
        go_to("compare", study=picked)
    if not (study and not ticked) and ticked != chosen and len(ticked) >= FEWEST:
        go_to("compare", runs=",".join(map(str, ticked)))


def run_looks(runs: Sequence[Run]) -> list[Look]:
    """Colour and dash of each run; the configurations of one study share a colour."""
    parts = [study_name(run.name) for run in runs]
    known = [part for part in parts if part is not None]
    if len(known) == len(runs) and len({part.study for part in known}) == 1:
        labels = [f"{part.configuration}, {part.seed}" for part in known]
        return looks_of(labels, [part.configuration for part in known])
    names = [run.name for run in runs]
    twice = {name for name in names if names.count(name) > 1}
    labels = [f"{run.name} (run {run.id})" if run.name in twice else run.name for run in runs]
    return looks_of(labels)


def figure_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row a run: how far it is and what it has reached."""
    rows = []
    for run in runs:
        word, progress = state_word(run), run.progress
        gap = main_figure(run.config.task).gap_text(progress.gap)
        rows.append(
            {
                "id": str(run.id),
                "name": run.name,
                "number": run.id,
                "state": [word, word],
                "score": [figure_words(summary_of(run)), progress.score],
                "gap": [gap if run.config.purpose == "search" else "", progress.gap],
                "seconds": [duration(progress.seconds), progress.seconds],
            }
        )
    return rows


def _figures(runs: Sequence[Run]) -> None:
    opened = data_table(
        RUN_COLUMNS, figure_rows(runs), key="compared", label="Compared runs", opens="live"
    )
    if opened is not None:
        go_to("live", run=opened)


def _curves(studio: Studio, feed: Feed, runs: Sequence[Run], looks: Sequence[Look]) -> None:
    tracks = [track_of(studio, feed, run, look) for run, look in zip(runs, looks, strict=True)]
    main = main_figure(runs[0].config.task).name
    first = "child" if runs[0].config.purpose == "search" else "validation"
    before = st.query_params.get("view", "")
    labels = {metric.name: metric.label for metric in METRICS}
    data = overlay_data(tracks, labels, view=before, first=f"{first}_{main}")
    view = overlay(data, key=f"overlay-{'-'.join(str(run.id) for run in runs)}")
    if view != before:
        st.query_params["view"] = view


def track_of(studio: Studio, feed: Feed, run: Run, look: Look) -> Track:
    """One run for the chart; its series travel with it only where there is no API."""
    address = feed.address(run.id, run.uid, "series")
    moments = moments_of(studio, run)
    series = None
    if address is None:
        epochs = studio.snapshots(run.id, epochs_only=True)
        series = series_message(run, [*studio.series(run.id), temperature_series(epochs)])
    total = run.progress.total_steps
    return Track(
        uid=run.uid,
        label=look.label,
        colour=look.colour,
        dash=look.dash,
        address=address,
        series=series,
        steps_an_epoch=total / run.config.epochs if total else 0.0,
        times=[(0, 0.0), *((one.step, one.seconds) for one in moments)],
    )


def _one_a_configuration(runs: Sequence[Run]) -> list[Run]:
    """The first run of each configuration of a study; its seeds differ anyway."""
    first: dict[str, Run] = {}
    for run in runs:
        parts = study_name(run.name)
        first.setdefault(parts.configuration if parts else run.name, run)
    return list(first.values())


def setting_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row a setting that differs, one column a run."""
    return [
        {
            "id": diff.name,
            "setting": diff.label,
            **{
                f"run-{run.id}": [setting_text(diff.name, value), _sortable(value)]
                for run, value in zip(runs, diff.values, strict=True)
            },
        }
        for diff in config_diff([run.config for run in runs])
    ]


def _sortable(value: Any) -> Any:
    if value is ABSENT:
        return None
    return value if isinstance(value, int | float) else str(value)


def _settings(runs: Sequence[Run], *, of_study: bool) -> None:
    rows = setting_rows(runs)
    if not rows:
        st.caption("None: these runs have the same settings in everything.")
        return
    parts = [study_name(run.name) if of_study else None for run in runs]
    columns = [Column("setting", "Setting")] + [
        Column(f"run-{run.id}", part.configuration if part else f"{run.name} (run {run.id})")
        for run, part in zip(runs, parts, strict=True)
    ]
    data_table(
        columns, rows, key="settings", label="Settings that differ", searchable=len(rows) > 8
    )
    same = len(type(runs[0].config).model_fields) - len(rows)
    if len({run.config.purpose for run in runs}) == 1:
        st.caption(
            f"{plain(str(same))} other settings are the same in all of them. A figure can be put "
            "down to a setting only where it is the only one that differs."
        )
