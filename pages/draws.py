"""The recorder of codes: what was drawn against what the probabilities say."""

from collections.abc import Sequence

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
    _show(studio, run, catalog, int(length))


def _show(studio: Studio, run: Run, catalog: Catalog, length: int) -> None:
    space = studio.space(run)
    config, found = of_one_ensemble(studio, run, window(studio, run, step_from_query(), length))
    st.caption(
        "Dot: share of the codes in which the operation was on. Line: what its probability and the "
        f"{config.draws} draws say, 1 − (1 − p)^M. Bar: where 95 % of such counts lie; a "
        "diamond is outside, as one in twenty may be."
    )
    records = record_draws(space, config, found)
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


def of_one_ensemble(
    studio: Studio, run: Run, snapshots: Sequence[Snapshot]
) -> tuple[SearchConfig, list[Snapshot]]:
    """The settings at the end of a window, and its snapshots with as many draws as then.

    A person may have changed the number of draws within the window.
    """
    changes = studio.changes(run.id)
    if not snapshots or not changes:
        return run.search, list(snapshots)
    settings = [studio.settings_of(run, snapshot, changes) for snapshot in snapshots]
    last = settings[-1]
    pairs = zip(snapshots, settings, strict=True)
    return last, [snapshot for snapshot, now in pairs if now.draws == last.draws]
