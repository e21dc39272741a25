"""The recorder of codes: what was drawn against what the probabilities say."""

import streamlit as st

from app.components.draws import draws, draws_data
from app.studio import Studio
from app.widgets import step_from_query
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig
from engine.domain.draws import record_draws
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot

WINDOWS = (50, 100, 200, 400)


def draws_panel(studio: Studio, run_id: int) -> None:
    """Draw the comparison for the window that ends at the chosen moment, or now."""
    run, catalog = studio.run(run_id), studio.catalog()
    if catalog is None or not isinstance(run.config, SearchConfig):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Codes drawn", anchor=False, width="stretch")
        length = st.selectbox(
            "Window",
            WINDOWS,
            index=1,
            format_func=lambda count: f"Last {count} snapshots",
            key=f"window-{run.id}",
            label_visibility="collapsed",
            width=200,
        )
    st.caption(
        "Dot: share of the codes in which the operation was on. Line: what its probability and the "
        f"{run.config.draws} draws say, 1 − (1 − p)^M. Bar: where 95 % of such counts lie; a "
        "diamond is outside, as one in twenty may be."
    )
    _show(studio, run, catalog, run.config, int(length))


def _show(studio: Studio, run: Run, catalog: Catalog, config: SearchConfig, length: int) -> None:
    space = studio.space(run)
    records = record_draws(space, config, window(studio, run, step_from_query(), length))
    if not records:
        st.caption("It appears with the first snapshot.")
        return
    draws(draws_data(space, catalog, records), key=f"draws-{run.uid}")


def window(studio: Studio, run: Run, step: int | None, length: int) -> list[Snapshot]:
    """The last snapshots up to a step, or up to now; at most that many."""
    last = run.progress.step if step is None else step
    after = max(-1, last - (length + run.config.epochs) * run.config.snapshot_interval)
    found: list[Snapshot] = []
    while page := studio.snapshots(run.id, after=after, limit=2 * length):
        found += [snapshot for snapshot in page if snapshot.step <= last]
        after = page[-1].step
        if after >= last:
            break
    return found[-length:]
