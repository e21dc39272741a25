"""Live: one run while it goes on, and any moment of a search afterwards."""

from typing import Any

import streamlit as st

from app.access import Feed
from app.components.cell_player import cell_player, player_data
from app.components.curves import (
    TRUTH_CHARTS,
    Chart,
    charts_of,
    curve_data,
    curves,
    training_charts,
)
from app.components.derived_cell import derived_cells, derived_data
from app.components.gap_meter import gap_meter, meter_data
from app.components.key_figures import key_figures_board
from app.components.table import Column, data_table
from app.components.topology_charts import topology_charts
from app.epochs import ends_of_epochs
from app.standing import latest_epoch, standing
from app.studio import Studio
from app.topology import topology_of
from app.truth import TruthTables, truth_series
from app.widgets import (
    engine_notice,
    go_to,
    link_to,
    plain,
    refreshing,
    run_from_query,
    say_in_address,
    state_badge,
    steering,
    step_from_query,
)
from app.wire import frame_message, overview_stride, series_message, temperature_series
from engine.domain.metrics import main_figure
from engine.domain.run import Run, RunEvent, RunState
from engine.domain.snapshot import Snapshot
from pages.draws import draws_panel
from pages.health import health_panel
from pages.heatmaps import heatmap_panel
from pages.history import history_panel
from pages.moments import moment_to_show
from pages.share import share_section
from pages.steer import open_asked, origin_line, steer_buttons, wishes_line
from pages.training import (
    all_seeds,
    origin_link,
    trained_cells,
)

FIGURES_SECONDS = 2.0
MOMENTS_SECONDS = 20.0
"""For the health of a search, and for what is derived and drawn at a moment."""
SELDOM_SECONDS = 60.0
"""For the log, and for heat maps, which the browser draws by itself from frames: this brings exact
values. A change of state, the first step and the first epoch's end bring all of them at once."""
FRAMES_WITHOUT_API = 400
LOG_LINES = 200

DERIVED = (
    "At step {step:,}, by the rule of the search; the graph keeps only what the derived cell runs. "
    "The Architecture page has other rules, its cost and all exports."
)
KEPT = (
    "The best cell that it had trained by step {step:,}. The Architecture page has its cost and "
    "all exports."
)
"""Stands above the cells of a random search, which derives nothing."""

LOG_COLUMNS = (
    Column("at", "Time (UTC)", "code"),
    Column("attempt", "Attempt", "number"),
    Column("kind", "Kind"),
    Column("text", "What happened"),
)


def render(studio: Studio, feed: Feed, tables: TruthTables) -> None:
    """Draw the page of the run in the address."""
    run = run_from_query(studio)
    if run is None:
        _no_run()
        return
    say_in_address(run)
    open_asked(studio, run)
    lively = not run.is_ended
    refreshing(
        lambda: _head(studio, run.id, feed),
        every=None if feed.mounted or not lively else FIGURES_SECONDS,
    )
    if studio.catalog() is None:
        refreshing(lambda: _without_catalog(studio), every=FIGURES_SECONDS)
        return
    if is_training(run):
        all_seeds(studio, run)
    else:
        _moments(studio, run, feed)
    st.subheader("Curves", anchor=False)
    st.caption(
        "Drag across a chart to zoom; a double click shows everything again."
        + ("" if is_training(run) else " One click goes to that moment.")
    )
    refreshing(
        lambda: _curves(studio, run.id, feed, tables),
        every=None if feed.mounted or not lively else 2 * FIGURES_SECONDS,
    )
    if is_training(run):
        st.subheader("Architecture", anchor=False)
        refreshing(lambda: _trained(studio, run))
    share_section(studio, run)
    st.subheader("Event log", anchor=False)
    refreshing(lambda: _log(studio, run.id), every=SELDOM_SECONDS if lively else None)


def is_training(run: Run) -> bool:
    """Whether a run is a training from scratch, not a search."""
    return run.config.purpose == "training"


def _moments(studio: Studio, run: Run, feed: Feed) -> None:
    """The moments of a search: the player with its timeline, and the heat maps."""
    lively = not run.is_ended
    if run.search.method != "random":
        with st.container(border=True):
            refreshing(
                lambda: health_panel(studio, studio.run(run.id)),
                every=MOMENTS_SECONDS if lively else None,
            )
    with st.container(border=True):
        refreshing(
            lambda: _player(studio, run.id, feed),
            every=None if feed.mounted or not lively else FIGURES_SECONDS,
        )
    with st.container(border=True):
        refreshing(lambda: heatmap_panel(studio, run.id), every=SELDOM_SECONDS if lively else None)
    with st.container(border=True):
        history_panel(studio, run)
    refreshing(
        lambda: _of_the_moment(studio, studio.run(run.id)),
        every=MOMENTS_SECONDS if lively else None,
    )


def _of_the_moment(studio: Studio, run: Run) -> None:
    """What is derived, drawn and measured at a moment: one fragment, since each costs a browser."""
    with st.container(border=True):
        _derived(studio, run)
    if run.search.method == "egs":
        with st.container(border=True):
            draws_panel(studio, run.id)
    _gap(studio, run)


def _derived(studio: Studio, run: Run) -> None:
    """What the search would derive at the moment of the timeline; a random one what it keeps."""
    now, catalog = moment_to_show(studio, run), studio.catalog()
    is_random = run.search.method == "random"
    st.subheader("What it keeps" if is_random else "What it derives", anchor=False)
    if now is None or catalog is None:
        st.caption("It appears with the first snapshot.")
        return
    st.caption(KEPT.format(step=now.step) if is_random else DERIVED.format(step=now.step))
    genotype = studio.derive(run.id, now.step)
    data = derived_data(genotype, catalog, cells=run.config.cells)
    derived_cells(data, key=f"derived-{run.uid}")


def _trained(studio: Studio, run: Run) -> None:
    """The cells of a training, and where they come from."""
    genotype = studio.derive(run.id)
    with st.container(border=True):
        trained_cells(studio, run, genotype)
    origin_link(studio, run, genotype)


def _without_catalog(studio: Studio) -> None:
    """No engine has said yet what operations look like; the page goes on once one has."""
    if studio.catalog() is not None:
        st.rerun()
    st.caption("The graph appears as soon as an engine has run once.")


def _no_run() -> None:
    st.title("Live", anchor=False)
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown("There is no search to watch yet.", width="content")
        if st.button("Go to the runs", type="primary", key="to-runs"):
            go_to("")


def _head(studio: Studio, run_id: int, feed: Feed) -> None:
    """Header, buttons and key figures: everything that follows the clock.

    Where the browser can listen, the figures follow by themselves, and all else is drawn anew
    when they say so.
    """
    run = studio.run(run_id)
    begun = [bool(run.progress.step), bool(run.progress.epoch)]
    before, now = st.session_state.get("live-state"), [run_id, run.attempt, run.state, *begun]
    st.session_state["live-state"] = now
    if before is not None and before[0] == run_id and before != now:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(run.name), anchor=False, width="content")
        state_badge(run)
        st.space("stretch")
        steering(studio, run, key="live")
        steer_buttons(run)
        link_to(
            "architecture",
            "Architecture",
            ":material/account_tree:",
            run=run.id,
            step=None if is_training(run) else step_from_query(),
        )
    origin_line(studio, run)
    wishes_line(studio, run)
    _notices(studio, run)
    address = feed.address(run.id, run.uid, "standing")
    key_figures_board(run, standing(studio, run), address=address, key=f"figures-{run.uid}")


def _notices(studio: Studio, run: Run) -> None:
    if run.state is RunState.FAILED:
        reason = (run.failure.value if run.failure else "failed").replace("_", " ")
        st.error(f"**{reason.capitalize()}.** {plain(run.error or '')}", icon=":material/error:")
    elif run.state is RunState.QUEUED and engine_notice(studio):
        st.info(
            plain(run.waiting or "Waiting for the engine to take it."),
            icon=":material/hourglass_empty:",
        )
    elif run.state is RunState.RUNNING:
        engine_notice(studio)


def _player(studio: Studio, run_id: int, feed: Feed) -> None:
    run = studio.run(run_id)
    catalog, space = studio.catalog(), studio.space(run)
    if catalog is None:
        return
    address = feed.address(run.id, run.uid, "frames", stride=_stride(run))
    message = None if address else _whole_history(studio, run)
    data = player_data(
        run, space, catalog, address=address, step=step_from_query(), message=message
    )
    step = cell_player(data, key=f"player-{run.uid}")
    if step != step_from_query():
        if step is None:
            st.query_params.pop("step", None)
        else:
            st.query_params["step"] = str(step)
        st.rerun()


def _stride(run: Run) -> int:
    """The overview's stride; a search that grows is not thinned anew under somebody's eyes."""
    return int(st.session_state.setdefault(f"stride-{run.uid}", overview_stride(run)))


def _whole_history(studio: Studio, run: Run) -> bytes:
    """All frames, thinned, for a start without the API."""
    stride = max(1, -(-run.progress.step // run.config.snapshot_interval // FRAMES_WITHOUT_API))
    frames = studio.frames(run.id, limit=2 * FRAMES_WITHOUT_API, stride=stride)
    return frame_message(run, studio.space(run), frames)


def _gap(studio: Studio, run: Run) -> None:
    """How close the child is to the supernet, at the chosen moment or now."""
    step = step_from_query()
    end = latest_epoch(studio, run) if step is None else _last_end(studio, run, step)
    data = meter_data(main_figure(run.config.task), end.metrics) if end else None
    if end is None or data is None:
        return
    with st.container(border=True):
        st.markdown(f"**Gap at the end of epoch {end.epoch}**")
        gap_meter(data, key=f"gap-{run.uid}")


def _last_end(studio: Studio, run: Run, step: int) -> Snapshot | None:
    """The latest end of an epoch up to a step."""
    ends = ends_of_epochs(studio, run)
    return next((end for end in reversed(ends) if end.step <= step), None)


def _curves(studio: Studio, run_id: int, feed: Feed, tables: TruthTables) -> None:
    run = studio.run(run_id)
    charts = training_charts(run.config.task)
    if not is_training(run):
        charts = _search_charts(studio, run, tables)
    address = feed.address(run.id, run.uid, "series", stride=_stride(run))
    series: Any = None if address else _whole_series(studio, run, tables)
    data = curve_data(run, address=address, series=series, charts=charts)
    curves(data, key=f"curves-{run.uid}")


def _search_charts(studio: Studio, run: Run, tables: TruthTables) -> tuple[Chart, ...]:
    """The charts of a search, with those of a table of published accuracies where one fits."""
    for problem in tables.problems():
        st.warning(plain(problem), icon=":material/table:")
    space = studio.space(run)
    charts = charts_of(run.config.task) + topology_charts(space, run.search)
    return charts + TRUTH_CHARTS if tables.fitting(space) else charts


def _whole_series(studio: Studio, run: Run, tables: TruthTables) -> Any:
    epochs = studio.snapshots(run.id, epochs_only=True)
    return series_message(
        run,
        [
            *studio.series(run.id),
            temperature_series(epochs),
            *topology_of(studio, run, epochs),
            *truth_series(tables, studio, run, epochs),
        ],
    )


def log_rows(events: list[RunEvent]) -> list[dict[str, Any]]:
    """The log as plain values, latest first."""
    rows = [
        {
            "id": str(number),
            "at": event.at.strftime("%Y-%m-%d %H:%M:%S"),
            "attempt": event.attempt,
            "kind": event.kind.value,
            "text": event.text,
        }
        for number, event in enumerate(events)
    ]
    return rows[::-1][:LOG_LINES]


def _log(studio: Studio, run_id: int) -> None:
    data_table(LOG_COLUMNS, log_rows(studio.events(run_id)), key="log", label="Event log")
