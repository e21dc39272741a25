"""Which architecture of a search to take home, in one sentence."""

from dataclasses import dataclass
from typing import Literal

from app.health_words import health_of
from app.studio import Studio
from engine.domain.genotype import Genotype
from engine.domain.health import Health, Verdict
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot

STEADY_SHARE = 0.1
"""Share of all epochs for which an architecture has to stand still to be called steady."""

Level = Literal["take", "wait", "care"]


@dataclass(frozen=True)
class Advice:
    """What to do with the architecture that is shown.

    Attributes:
        level: Take it, wait, or take it with care.
        text: Why, in a sentence or two.
        step: Another moment to go to instead; None stays.
    """

    level: Level
    text: str
    step: int | None = None


def advise(studio: Studio, run: Run, step: int | None, shown: Genotype) -> Advice | None:
    """The advice about an architecture that some rule derives from a moment of a search.

    None where nothing can be said: before the first epoch's end, and for random
    search, whose best candidate is what it found.

    Args:
        studio: The use cases.
        run: The search.
        step: The moment; None is the latest epoch's end.
        shown: The architecture.
    """
    epochs = studio.snapshots(run.id, epochs_only=True)
    health = health_of(studio, run)
    if not epochs or health is None:
        return None
    latest = epochs[-1]
    is_earlier = step is not None and step < latest.step
    if shown.cells != studio.derive(run.id, latest.step).cells:
        return _of_another(latest, is_earlier=is_earlier)
    if is_earlier:
        return Advice("take", f"The latest epoch, {latest.epoch}, derives the same architecture.")
    return _of_latest(run, health)


def _of_another(latest: Snapshot, *, is_earlier: bool) -> Advice:
    """Not what the search itself derives at its latest epoch's end."""
    what = "An earlier moment" if is_earlier else "By another rule, or in mid-epoch"
    return Advice(
        "care",
        f"{what}: epoch {latest.epoch} derives another architecture. Take that one, unless you "
        "look for just this.",
        latest.step,
    )


def _of_latest(run: Run, health: Health) -> Advice:
    """The latest epoch: by the health of the search, its end, and how long nothing changed."""
    if health.verdict in (Verdict.COLLAPSED, Verdict.STUCK):
        worst = health.findings[0]
        return Advice("care", f"Not a good one yet. {worst.text} {worst.advice}")
    since = f"since epoch {health.settled_since} of {run.config.epochs}"
    if not run.is_ended:
        return Advice("wait", f"The search goes on; it has derived this architecture {since}.")
    if health.settled_for >= max(1, round(STEADY_SHARE * run.config.epochs)):
        return Advice("take", f"Take this one: the search has derived it {since}.")
    return Advice(
        "care",
        f"Take it with care: the search has derived it only {since}. More epochs, or the rule "
        "that lets many draws vote, give a steadier one.",
    )
