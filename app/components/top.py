"""A page that is opened begins at its top."""

import streamlit as st

from app.components.loading import StaticComponent

_top = StaticComponent("egs_top", "top.js")

_OUT_OF_THE_WAY = "<style>.st-key-top { position: absolute; }</style>"
"""The component draws nothing, so that it must not take a row either."""


def begin_at_top(page: str) -> None:
    """Scroll to the top where this is another page than before; call it on every page."""
    last, visit = st.session_state.get("egs-visit", (page, 0))
    if last != page:
        visit += 1
    st.session_state["egs-visit"] = (page, visit)
    st.html(_OUT_OF_THE_WAY)
    _top({"visit": visit}, key="top")
