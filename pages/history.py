"""How a search came to its choice: every edge over the whole search."""

import streamlit as st

from app.components.history import history, history_data
from app.studio import Studio
from engine.domain.run import Run


def history_panel(studio: Studio, run: Run) -> None:
    """Draw edges over time, the curve of one edge, and the operations at each node."""
    catalog = studio.catalog()
    if catalog is None:
        return
    st.subheader("Over time", anchor=False)
    st.caption(
        "Each row is an edge, each column a moment, as many as there is room for. Click to choose "
        "an edge and to go to that moment."
    )
    dark = st.context.theme.type == "dark"
    data = history_data(run, studio.space(run), catalog, dark=dark)
    history(data, key=f"history-{run.uid}")
