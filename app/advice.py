"""Whether to use the architecture that is shown, in one or two sentences."""

from dataclasses import dataclass
from typing import Literal

from app.health_text import health_of
from app.studio import Studio
from engine.domain.genotype import Genotype
from engine.domain.health import Health, Moment, Verdict
from engine.domain.run import Run

Level = Literal["take", "wait", "care"]

WARNED = frozenset({Verdict.STUCK, Verdict.COLLAPSED, Verdict.SHORT})
"""Verdicts on a running search that waiting does not mend."""


@dataclass(frozen=True)
class Advice:
    """What to do with the architecture that is shown.

    Attributes:
        level: Use it, wait, or use it with care.
        text: Why, in a sentence or two.
        other: Another moment to look at; None if there is no better one.
    """

    level: Level
    text: str
    other: Moment | None = None


def advise(studio: Studio, run: Run, step: int | None, shown: Genotype) -> Advice | None:
    """The advice about an architecture that some rule derives from a moment of a search.

    It repeats the verdict on the search and judges nothing itself. None if there
    is no verdict: before the end of the first epoch, and for random search.

    Args:
        studio: The use cases.
        run: The search.
        step: The moment; None is the end of the latest epoch.
        shown: The architecture.
    """
    latest = health_of(studio, run)
    if latest is None:
        return None
    is_earlier = step is not None and step < latest.step
    if shown.cells != studio.derive(run.id, latest.step).cells:
        return _of_earlier(latest, step or 0) if is_earlier else _of_another(latest)
    found = _of_latest(latest)
    if not is_earlier:
        return found
    same = f"Epoch {latest.epoch} derives the same architecture."
    return Advice(found.level, f"{same} {found.text}", found.other)


def _of_another(latest: Health) -> Advice:
    """What another rule derives, or the search itself in the middle of an epoch."""
    return Advice(
        "care",
        f"The search derives another architecture at the end of epoch {latest.epoch} "
        f"({latest.verdict.label.lower()}).",
        Moment(latest.epoch, latest.step),
    )


def _of_earlier(latest: Health, step: int) -> Advice:
    """What an earlier moment derives; after a collapse there is one worth a comparison."""
    if latest.alternative is not None and latest.alternative.step == step:
        return Advice(
            "care",
            f"Epoch {latest.alternative.epoch} is the last one before the search collapsed. Train "
            f"it and that of epoch {latest.epoch} before you choose.",
        )
    return Advice(
        "care",
        f"An earlier moment: epoch {latest.epoch} derives another architecture "
        f"({latest.verdict.label.lower()}).",
        latest.alternative or Moment(latest.epoch, latest.step),
    )


def _of_latest(latest: Health) -> Advice:
    """The end of the latest epoch."""
    text = latest.summary
    if latest.findings:
        text = f"{text} {latest.findings[0].advice}"
    if latest.is_over and latest.verdict is Verdict.GOOD:
        since = f"since epoch {latest.settled_since} of {latest.epochs}"
        return Advice("take", f"{text} It has derived this architecture {since}.")
    if latest.is_over or latest.verdict in WARNED:
        return Advice("care", text, latest.alternative)
    return Advice("wait", f"{text} The search is not over.")
