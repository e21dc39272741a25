"""Edge probabilities as heat maps: at a moment, or what has changed since another."""

import streamlit as st

from app.components.heatmap import heatmap_data, heatmaps
from app.epochs import ends_of_epochs
from app.figures.heatmap import edge_changes, edge_heatmaps
from app.studio import Studio
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot
from pages.moments import moment_to_show

NOTHING = "nothing"


def heatmap_panel(studio: Studio, run_id: int) -> None:
    """Draw the maps of the chosen moment, or of the latest."""
    run, catalog = studio.run(run_id), studio.catalog()
    now = moment_to_show(studio, run)
    if now is None or catalog is None:
        st.subheader("Edge probabilities", anchor=False)
        st.caption("The heat map appears with the first snapshot.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Edge probabilities", anchor=False, width="stretch")
        then = _compared_with(studio, run, now)
    space, scope = studio.space(run), run.search.scope
    st.caption(_words(then))
    if then is None:
        maps = edge_heatmaps(space, catalog, now, scope)
    else:
        maps = edge_changes(space, catalog, now, then, scope)
    data = heatmap_data(maps, run=run.uid, dark=st.context.theme.type == "dark")
    heatmaps(data, key=f"heatmap-{run.uid}")


def _compared_with(studio: Studio, run: Run, now: Snapshot) -> Snapshot | None:
    """The moment to subtract; None where the probabilities themselves are wanted."""
    first = studio.snapshots(run.id, limit=1)
    epochs = ends_of_epochs(studio, run)
    moments = {str(one.step): one for one in (*first, *epochs) if one.step < now.step}
    chosen = st.selectbox(
        "Compare with",
        [NOTHING, *moments],
        format_func=lambda key: "As they are" if key == NOTHING else _since(moments[key]),
        key=f"since-{run.id}",
        label_visibility="collapsed",
        width=240,
    )
    return moments.get(chosen)


def _since(moment: Snapshot) -> str:
    if not moment.epoch:
        return f"Change since step {moment.step:,}"
    return f"Change since epoch {moment.epoch}"


def _words(then: Snapshot | None) -> str:
    place = "At the moment of the timeline"
    if then is None:
        return (
            f"{place}. A dot marks what the code drawn at that step keeps; a click on a row shows "
            "its edge over time."
        )
    return (
        f"{place}, minus step {then.step:,}. Blue with + gained probability, orange with − lost "
        "it; a click on a row shows its edge over time."
    )
