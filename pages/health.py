"""The health of a search, at the chosen moment or now."""

import streamlit as st

from app.health_text import (
    EXPLANATION,
    TOPOLOGY_EXPLANATION,
    health_of,
    measures,
    topology_lines,
)
from app.studio import Studio
from app.widgets import link_to, plain, step_from_query
from engine.domain.health import Health, Verdict
from engine.domain.run import Run, RunState

BADGES: dict[Verdict, tuple[str, str]] = {
    Verdict.EARLY: (":material/hourglass_empty:", "gray"),
    Verdict.DECIDING: (":material/tune:", "blue"),
    Verdict.GOOD: (":material/check_circle:", "green"),
    Verdict.WATCH: (":material/visibility:", "orange"),
    Verdict.SHORT: (":material/hourglass_disabled:", "orange"),
    Verdict.STUCK: (":material/pending:", "red"),
    Verdict.UNDECIDED: (":material/help:", "orange"),
    Verdict.COLLAPSED: (":material/compress:", "red"),
}
"""Icon and colour beside the text of a verdict: never colour alone."""

FAILED = "Failed; until then:"
"""Stands before the verdict on a search that failed."""


def health_panel(studio: Studio, run: Run) -> None:
    """Draw verdict, measures and advice; a line instead before the first epoch has ended."""
    health = health_of(studio, run, step_from_query())
    if health is None:
        st.caption("Health appears after epoch 1.")
        return
    icon, colour = BADGES[health.verdict]
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.state is RunState.FAILED:
            st.badge(FAILED, icon=":material/error:", color="red")
        st.badge(health.verdict.label, icon=icon, color=colour)  # type: ignore[arg-type]
        st.markdown(health.headline, width="content")
    st.caption(measures(health), help=EXPLANATION)
    st.caption("  \n".join(map(plain, topology_lines(health))), help=TOPOLOGY_EXPLANATION)
    for finding in health.findings:
        st.markdown(f"**{plain(finding.text)}** {plain(finding.advice)}")
    _ways_out(run, health)


def _ways_out(run: Run, health: Health) -> None:
    """Links to what the advice says."""
    if not health.is_over or health.verdict is Verdict.GOOD:
        return
    with st.container(horizontal=True):
        link_to("new", "Search again with other settings", ":material/replay:", clone=run.id)
        if health.alternative is not None:
            link_to(
                "architecture",
                f"Architecture of epoch {health.alternative.epoch}",
                ":material/history:",
                run=run.id,
                step=health.alternative.step,
            )
