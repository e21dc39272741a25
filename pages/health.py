"""The health of a search in plain words, at the chosen moment or now."""

import streamlit as st

from app.studio import Studio
from app.widgets import plain, step_from_query
from engine.domain.config import SearchConfig
from engine.domain.health import Health, Phase, Verdict, examine
from engine.domain.run import Run

BADGES: dict[Verdict, tuple[str, str, str]] = {
    Verdict.EARLY: ("Too early to say", ":material/hourglass_empty:", "gray"),
    Verdict.GOOD: ("Goes well", ":material/check_circle:", "green"),
    Verdict.WATCH: ("Worth a look", ":material/visibility:", "orange"),
    Verdict.STUCK: ("Stuck", ":material/pending:", "red"),
    Verdict.COLLAPSED: ("Collapsed", ":material/compress:", "red"),
}
"""Words, icon and colour of a verdict: never colour alone."""

PHASES: dict[Phase, str] = {
    Phase.WARMING_UP: "It is warming up: nothing can be said of a single epoch.",
    Phase.EXPLORING: "It explores: the probabilities do not decide more than before.",
    Phase.NARROWING: "It narrows down: the probabilities decide more with every epoch.",
    Phase.SETTLED: "It has settled: the derived architecture does not change any more.",
}
STEADY = 0.0005
"""Change of entropy an epoch that is told as none."""

EXPLANATION = (
    "Entropy 1 is undecided, 0 is decided. The lead is that of the most probable operation of a "
    "row over the second. Skips count among what the derived architecture keeps, `none` by its "
    "probability."
)


def health_panel(studio: Studio, run: Run) -> None:
    """Draw verdict, measures and advice; a line instead before the first epoch has ended."""
    health = health_of(studio, run, step_from_query())
    if health is None:
        if run.search.method != "random":
            st.caption("The health of the search is told from the end of its first epoch on.")
        return
    words, icon, colour = BADGES[health.verdict]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(words, icon=icon, color=colour)  # type: ignore[arg-type]
        st.markdown(PHASES[health.phase], width="content")
    st.caption(measures(health), help=EXPLANATION)
    for finding in health.findings:
        st.markdown(f"**{plain(finding.text)}** {plain(finding.advice)}")


def health_of(studio: Studio, run: Run, step: int | None = None) -> Health | None:
    """The health of a search at a step, or now; None where there is nothing to judge."""
    config = run.config
    if not isinstance(config, SearchConfig):
        return None
    epochs = studio.snapshots(run.id, epochs_only=True)
    known = [one for one in epochs if step is None or one.step <= step]
    return examine(studio.space(run), config, known)


def measures(health: Health) -> str:
    """What is measured, in one line."""
    parts = [
        f"epoch {health.epoch}",
        f"entropy {health.entropy:.2f}{_trend_words(health.trend)}",
        f"lead {100 * health.margin:.0f} %",
        f"skips {100 * health.skip_share:.0f} %",
        f"`none` {100 * health.none_share:.0f} %",
        f"temperature {health.temperature:.2f}",
    ]
    if health.settled_for:
        parts.append(f"same architecture since epoch {health.settled_since}")
    line = " · ".join(parts)
    return line[0].upper() + line[1:]


def _trend_words(trend: float | None) -> str:
    if trend is None:
        return ""
    if abs(trend) < STEADY:
        return ", steady"
    return f", {'falling' if trend < 0 else 'rising'} {abs(trend):.3f} an epoch"
