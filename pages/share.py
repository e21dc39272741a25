"""Handing a search on: a file that anybody can open."""

import streamlit as st

from app.evolution import evolution
from app.replay import replay
from app.studio import Studio
from engine.domain.run import Run

FRAMES = 30


def share_section(studio: Studio, run: Run) -> None:
    """Draw the download of the replay; nothing before there is something to replay."""
    if run.config.purpose != "search" or not run.progress.step:
        return
    st.subheader("Share", anchor=False)
    st.caption(
        "A replay is one HTML file with the player, the curves and the architecture. It opens in "
        "any browser without a server, and fetches nothing. The animation shows the cells only."
    )
    with st.container(horizontal=True):
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
