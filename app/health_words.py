"""The health of a search in plain words, for pages and reports."""

from app.epochs import ends_of_epochs
from app.studio import Studio
from engine.domain.config import SearchConfig
from engine.domain.health import Health, Phase, Verdict, examine
from engine.domain.run import Run

VERDICTS: dict[Verdict, str] = {
    Verdict.EARLY: "Too early to say",
    Verdict.GOOD: "Goes well",
    Verdict.WATCH: "Worth a look",
    Verdict.STUCK: "Stuck",
    Verdict.COLLAPSED: "Collapsed",
}
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


def health_of(studio: Studio, run: Run, step: int | None = None) -> Health | None:
    """The health of a search at a step, or now; None where there is nothing to judge."""
    config = run.config
    if not isinstance(config, SearchConfig):
        return None
    known = [one for one in ends_of_epochs(studio, run) if step is None or one.step <= step]
    return examine(studio.space(run), config, known)


def measures(health: Health) -> str:
    """What is measured, in one line."""
    parts = [
        f"epoch {health.epoch}",
        f"entropy {health.entropy:.2f}{_trend_words(health.trend)}",
        f"lead {100 * health.margin:.0f} %",
        f"skips {100 * health.skip_share:.0f} %",
        f"none {100 * health.none_share:.0f} %",
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
