"""Runs: every search and training with its state and its figures, found, tidied and chosen."""

from collections.abc import Sequence

import streamlit as st

from app.components.table import choosing_table
from app.family import has_family
from app.recording import TAG
from app.run_csv import runs_csv
from app.studio import Studio
from app.widgets import attempt, engine_notice, go_to, link_to, plain, refreshing
from engine.domain.errors import InvalidConfig
from engine.domain.presets import preset_config
from engine.domain.run import Run, RunState
from engine.domain.run_list import (
    SHELVES,
    RunFilter,
    RunSummary,
    Shelf,
    in_order,
    page_of,
    tags_in,
)
from pages.run_dialogs import ask, done, open_asked
from pages.run_rows import columns_of, run_rows, task_label

FIRST_PRESET = "digits"
REFRESH_SECONDS = 2.0
ROWS_ON_A_PAGE = 50
FEWEST, MOST = 2, 8
"""How many runs can be compared at a time."""

SHELF_WORDS: dict[Shelf, str] = {
    "present": "Not archived",
    "archived": "Archived",
    "all": "All",
}


def render(studio: Studio) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Runs", anchor=False)
        if st.button("New search", icon=":material/add:", key="new"):
            go_to("new")
    runs = studio.summaries()
    if all(TAG in run.tags for run in runs):
        _empty(studio, [run.id for run in runs])
    if not runs:
        return
    chosen = _filter(studio, runs)
    first = [runs]
    refreshing(
        lambda: _table(studio, chosen, first.pop() if first else studio.summaries()),
        every=REFRESH_SECONDS,
    )
    open_asked(studio)


def _filter(studio: Studio, runs: Sequence[RunSummary]) -> RunFilter:
    """The fields above the table; what they hold stands in the address."""
    catalog = studio.catalog()
    tasks = {card.name: card.label for card in catalog.tasks} if catalog else {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find",
            key="find",
            placeholder="name, number, data, tag or note",
            icon=":material/search:",
            width=230,
            bind="query-params",
        )
        states = st.multiselect(
            "State",
            [state.value for state in RunState],
            key="state",
            placeholder="any",
            width=165,
            bind="query-params",
        )
        task = st.selectbox(
            "Task",
            sorted({run.task for run in runs}),
            index=None,
            format_func=lambda name: task_label(name, tasks),
            key="task",
            placeholder="any",
            width=165,
            bind="query-params",
        )
        tag = st.selectbox(
            "Tag",
            tags_in(runs),
            index=None,
            key="tag",
            placeholder="any",
            width=130,
            bind="query-params",
        )
        shelf = st.selectbox(
            "Shelf",
            SHELVES,
            format_func=lambda name: SHELF_WORDS[name],
            key="shelf",
            width=145,
            bind="query-params",
            help="Archived runs are kept as they are; this list only leaves them out.",
        )
        found = RunFilter(
            text=text or "",
            states=frozenset(map(RunState, states)),
            task=task or "",
            tag=tag or "",
            shelf=shelf,
        )
        st.download_button(
            "CSV",
            data=lambda: runs_csv(studio, [run.id for run in _listed(studio, found)]),
            file_name="runs.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="csv",
            help="What the list shows now, on all its pages, with all settings and figures.",
        )
    return found


def _listed(studio: Studio, chosen: RunFilter) -> list[RunSummary]:
    """The runs that fit, in the order of the address."""
    fitting = [run for run in studio.summaries() if chosen.fits(run)]
    return in_order(fitting, order_from_query())


def order_from_query() -> str:
    """The order in the address; latest first where there is none or an unknown one."""
    order = st.query_params.get("sort", "")
    try:
        in_order([], order)
    except InvalidConfig:
        return ""
    return order


def _page_from_query() -> int:
    text = st.query_params.get("page", "1")
    return int(text) if text.isdecimal() and len(text) < 7 else 1


def _table(studio: Studio, chosen: RunFilter, everything: Sequence[RunSummary]) -> None:
    engine_notice(studio)
    order = order_from_query()
    listed = in_order([run for run in everything if chosen.fits(run)], order)
    rows, pages = page_of(listed, _page_from_query(), ROWS_ON_A_PAGE)
    with st.container(horizontal=True, vertical_alignment="center", key="runs-tools"):
        tools = st.container(horizontal=True, vertical_alignment="center", width="stretch")
        _turn(len(listed), len(everything), pages)
    answer = choosing_table(
        columns_of(everything),
        run_rows(rows, studio.catalog(), studio.clock.now()),
        key="runs",
        label="Runs",
        opens="live",
        order=order,
        clear=st.session_state.get("runs-clear", 0),
    )
    if answer.opened is not None:
        go_to("live", run=answer.opened)
    if answer.order != order:
        _sort(answer.order)
    present = {str(run.id): run for run in everything}
    with tools:
        _tools(studio, everything, [present[i] for i in answer.selected if i in present])
    if not listed:
        st.caption("No run fits. Clear a field above, or look on another shelf.")
    st.caption(
        "The figure is an accuracy, of texts a perplexity, of segmentations a mean IoU. That of a "
        "search is of the derived child with inherited weights on validation data, and the gap is "
        "its error minus the supernet's; that of a training is of validation data, and once it "
        "has ended of the test data. Open a run to watch it."
    )


def _sort(order: str) -> None:
    if order:
        st.query_params["sort"] = order
    else:
        st.query_params.pop("sort", None)
    st.query_params.pop("page", None)
    st.rerun()


def _turn(fitting: int, everything: int, pages: int) -> None:
    """How many runs there are, and buttons that turn the page."""
    of = f"{fitting:,} of {everything:,} runs" if fitting != everything else f"{fitting:,} runs"
    if pages == 1:
        st.caption(of, width="content")
        return
    at = min(max(_page_from_query(), 1), pages)
    st.caption(f"{of}, page {at} of {pages}", width="content")
    for label, to, icon in (
        ("Previous page", at - 1, ":material/chevron_left:"),
        ("Next page", at + 1, ":material/chevron_right:"),
    ):
        if st.button(icon, key=f"page-{label}", help=label, disabled=not 1 <= to <= pages):
            st.query_params["page"] = str(to)
            st.rerun()


def _tools(studio: Studio, everything: Sequence[RunSummary], ticked: Sequence[RunSummary]) -> None:
    """What can be done with the runs that are ticked."""
    if not ticked:
        st.caption(f"Tick {FEWEST} to {MOST} runs to compare them.", width="content")
        return
    ids = [run.id for run in ticked]
    if st.button(
        f"Compare {len(ids)}",
        type="primary",
        icon=":material/compare_arrows:",
        key="compare",
        disabled=not FEWEST <= len(ids) <= MOST,
        help=f"{FEWEST} to {MOST} runs: curves, settings, cells and costs side by side.",
    ):
        go_to("compare", runs=",".join(map(str, ids)))
    _opener("Tags and notes", "words", ids, ":material/sell:")
    if len(ids) == 1 and has_family(everything, ids[0]):
        _opener("Family", "family", ids, ":material/account_tree:")
    if len(ids) == 1 and ticked[0].purpose == "search":
        _clone(ids[0])
    archived = all(run.archived for run in ticked)
    if st.button(
        "Unarchive" if archived else "Archive",
        icon=":material/unarchive:" if archived else ":material/archive:",
        key="archive",
        help="Archived runs are kept; the list leaves them out.",
    ):
        for number in ids:
            attempt(lambda number=number: studio.annotate(number, archived=not archived))  # type: ignore[misc]
        done()
    _opener("Delete", "delete", ids, ":material/delete:")
    if len(ids) == 1 and ticked[0].notes:
        st.caption(f"Notes: {plain(' '.join(ticked[0].notes.split())[:200])}", width="content")


def _clone(run_id: int) -> None:
    if st.button(
        "Clone",
        icon=":material/content_copy:",
        key="clone",
        help="Open New search with all settings of this run; it starts from nothing.",
    ):
        go_to("new", clone=run_id)


def _opener(label: str, dialog: str, ids: Sequence[int], icon: str) -> None:
    if st.button(label, icon=icon, key=f"ask-{dialog}"):
        ask(dialog, ids)
        st.rerun()


def _empty(studio: Studio, recorded: Sequence[int]) -> None:
    """What to begin with, as long as nothing has been searched here."""
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
        for run_id in recorded:
            link_to("live", "Or look at a recorded one", ":material/movie:", run=run_id)
        st.space("small")


def _start(studio: Studio) -> None:
    made: list[Run] = []
    attempt(lambda: made.append(studio.create(preset_config(FIRST_PRESET))))
    if made:
        go_to("live", run=made[0].id)
