"""The health of a search in plain words, at the chosen moment or now."""

import streamlit as st

from app.health_words import EXPLANATION, PHASES, VERDICTS, health_of, measures
from app.studio import Studio
from app.widgets import plain, step_from_query
from engine.domain.health import Verdict
from engine.domain.run import Run, RunState

BADGES: dict[Verdict, tuple[str, str]] = {
    Verdict.EARLY: (":material/hourglass_empty:", "gray"),
    Verdict.GOOD: (":material/check_circle:", "green"),
    Verdict.WATCH: (":material/visibility:", "orange"),
    Verdict.STUCK: (":material/pending:", "red"),
    Verdict.COLLAPSED: (":material/compress:", "red"),
}
"""Icon and colour beside the words of a verdict: never colour alone."""

FAILED = "The run failed; until then:"
"""What stands before the verdict on a search that came to no good end."""


def health_panel(studio: Studio, run: Run) -> None:
    """Draw verdict, measures and advice; a line instead before the first epoch has ended."""
    health = health_of(studio, run, step_from_query())
    if health is None:
        st.caption("The health of the search is told from the end of its first epoch on.")
        return
    icon, colour = BADGES[health.verdict]
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.state is RunState.FAILED:
            st.badge(FAILED, icon=":material/error:", color="red")
        st.badge(VERDICTS[health.verdict], icon=icon, color=colour)  # type: ignore[arg-type]
        st.markdown(PHASES[health.phase], width="content")
    st.caption(measures(health), help=EXPLANATION)
    for finding in health.findings:
        st.markdown(f"**{plain(finding.text)}** {plain(finding.advice)}")
