"""Handing a search on: a file that anybody can open."""

import streamlit as st

from app.evolution import evolution
from app.replay import replay
from app.report.document import report
from app.studio import Studio
from engine.domain.run import Run

FRAMES = 30
REPORT_WORDS = (
    "The report is one HTML file for print: figures, curves, architecture, settings, and how to "
    "repeat the run."
)
REPLAY_WORDS = (
    "A replay holds the player, the curves and the architecture, and the animation the cells only. "
    "All of them open in any browser without a server, and fetch nothing."
)


def share_section(studio: Studio, run: Run) -> None:
    """Draw the downloads of a run; nothing before it has recorded anything."""
    if not run.progress.step:
        return
    is_search = run.config.purpose == "search"
    st.subheader("Share", anchor=False)
    st.caption(f"{REPORT_WORDS} {REPLAY_WORDS}" if is_search else REPORT_WORDS)
    with st.container(horizontal=True):
        st.download_button(
            "Download the report",
            data=lambda: report(studio, run.id),
            file_name=f"run-{run.id}-report.html",
            mime="text/html",
            on_click="ignore",
            icon=":material/description:",
            key="report",
        )
        if is_search:
            _of_a_search(studio, run)


def _of_a_search(studio: Studio, run: Run) -> None:
    """What moves: the replay, and the animation."""
    st.download_button(
        "Download the replay",
        data=lambda: replay(studio, run.id),
        file_name=f"run-{run.id}-replay.html",
        mime="text/html",
        on_click="ignore",
        icon=":material/movie:",
        key="replay",
    )
    st.download_button(
        "Download an animation",
        data=lambda: evolution(studio, run.id, frames=FRAMES),
        file_name=f"run-{run.id}-evolution.gif",
        mime="image/gif",
        on_click="ignore",
        icon=":material/animation:",
        key="evolution",
        help=f"A GIF of {FRAMES} moments, which takes some seconds to draw.",
    )
