"""Whether a search goes well, in plain words, from what it has recorded.

Nothing is measured here: all of it is read from the snapshots at the ends of
epochs, so that a search of long ago gets the verdict it would have got then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.domain.config import SearchConfig
from engine.domain.distribution import entropy, margin, mass
from engine.domain.metrics import main_figure
from engine.domain.snapshot import Masks, Snapshot, operations_in
from engine.domain.space import NONE, SearchSpace

SKIPS = frozenset({"skip_connect", "identity"})
FIRST_JUDGED = 2
"""The epoch from which on anything is said of a search."""
WINDOW = 5
"""Epochs over which a trend is taken."""
UNDECIDED = 0.97
"""Entropy at or above which a row is as good as uniform."""
MOVES = 0.002
"""Fall of entropy an epoch below which it stands still."""
COLLAPSED_SHARE = 0.6
"""Share of skips among what is kept from which a cell counts as collapsed."""
NONE_SHARE = 0.5
LARGE_GAP = 5.0
"""Points of error between child and supernet that are worth a word."""
FALLEN = 3.0
"""Points below its best from which a child's figure has fallen."""


class Verdict(StrEnum):
    """What all findings come to; the worst one counts."""

    EARLY = "early"
    GOOD = "good"
    WATCH = "watch"
    STUCK = "stuck"
    COLLAPSED = "collapsed"


class Phase(StrEnum):
    """Where the probabilities are on their way from uniform to decided."""

    WARMING_UP = "warming up"
    EXPLORING = "exploring"
    NARROWING = "narrowing"
    SETTLED = "settled"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        verdict: How bad it is.
        text: What was seen, in a sentence.
        advice: What to do, in a sentence.
    """

    verdict: Verdict
    text: str
    advice: str


@dataclass(frozen=True)
class Health:
    """A search at the end of one of its epochs.

    Attributes:
        epoch: That epoch; 0 before the first has ended.
        phase: Where it is on its way.
        entropy: Mean normalised entropy of the probability rows, 1 is uniform.
        trend: Its change an epoch, fitted over the last epochs; None below two.
        margin: Mean lead of the best operation of a row over the second best.
        skip_share: Skips among the operations kept, 0 to 1.
        none_share: Mean probability of ``none`` in a row, 0 to 1.
        temperature: Temperature tau of the draws.
        settled_since: First epoch from which the derived architecture is the
            one of now.
        findings: What is wrong, the worst first; nothing before the second epoch.
    """

    epoch: int
    phase: Phase
    entropy: float
    trend: float | None
    margin: float
    skip_share: float
    none_share: float
    temperature: float
    settled_since: int
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; good without any, early before two epochs."""
        if self.findings:
            return self.findings[0].verdict
        return Verdict.EARLY if self.epoch < FIRST_JUDGED else Verdict.GOOD

    @property
    def settled_for(self) -> int:
        """How many epochs ago the derived architecture changed last."""
        return self.epoch - self.settled_since


SEVERITY = (Verdict.COLLAPSED, Verdict.STUCK, Verdict.WATCH)


def examine(space: SearchSpace, config: SearchConfig, epochs: Sequence[Snapshot]) -> Health | None:
    """The health of a search at the last of these snapshots.

    Args:
        space: Its search space.
        config: Its configuration.
        epochs: Its snapshots at the ends of epochs, in their order, each with
            the derived code.

    Returns:
        None before the first epoch has ended, and for random search, which has
        no probabilities to judge.
    """
    if not epochs or config.method == "random":
        return None
    now, scope = epochs[-1], config.scope
    entropies = [entropy(space, one.probabilities, scope) for one in epochs[-WINDOW:]]
    since = settled_since(epochs)
    measures = Health(
        epoch=now.epoch,
        phase=Phase.WARMING_UP,
        entropy=entropies[-1],
        trend=slope(entropies) if len(entropies) > 1 else None,
        margin=margin(space, now.probabilities, scope),
        skip_share=skip_share(space, now.derived or {}),
        none_share=mass(space, now.probabilities, scope, frozenset({NONE})),
        temperature=now.temperature,
        settled_since=since,
        findings=(),
    )
    if now.epoch < FIRST_JUDGED:
        return measures
    found = [
        *_of_probabilities(measures, config),
        *_of_skips(space, config, epochs),
        *_of_figures(config, epochs),
    ]
    found.sort(key=lambda finding: SEVERITY.index(finding.verdict))
    return Health(**{**vars(measures), "phase": _phase(measures), "findings": tuple(found)})


def settled_since(epochs: Sequence[Snapshot]) -> int:
    """The first epoch from which on each derived the architecture of the last one."""
    since = epochs[-1]
    for one in reversed(epochs):
        if one.derived != since.derived:
            break
        since = one
    return since.epoch


def skip_share(space: SearchSpace, derived: Mapping[str, Masks]) -> float:
    """Skips among all operations that a derived code keeps, ``none`` aside; 0 if it keeps none."""
    kept = [
        space.operations[k]
        for masks in derived.values()
        for mask in masks
        for k in operations_in(mask)
        if space.operations[k] != NONE
    ]
    return sum(name in SKIPS for name in kept) / len(kept) if kept else 0.0


def slope(values: Sequence[float]) -> float:
    """The change a step of the line that fits equally spaced values best (least squares)."""
    middle = (len(values) - 1) / 2
    mean = sum(values) / len(values)
    above = sum((x - middle) * (y - mean) for x, y in enumerate(values))
    return above / sum((x - middle) ** 2 for x in range(len(values)))


def _phase(health: Health) -> Phase:
    if health.trend is None:
        return Phase.WARMING_UP
    if health.settled_for >= WINDOW and health.entropy < UNDECIDED:
        return Phase.SETTLED
    return Phase.NARROWING if health.trend < -MOVES else Phase.EXPLORING


def _of_probabilities(health: Health, config: SearchConfig) -> list[Finding]:
    found = []
    if _is_stuck(health, config):
        found.append(
            Finding(
                Verdict.STUCK,
                f"After {health.epoch} of {config.epochs} epochs the probabilities have hardly "
                f"moved: entropy {health.entropy:.3f}, where 1 is undecided.",
                "Raise alpha's learning rate, or give it more epochs.",
            )
        )
    if health.none_share >= NONE_SHARE:
        found.append(
            Finding(
                Verdict.WATCH,
                f"`none` holds {health.none_share:.0%} of the probability of a row on average.",
                "Probe what is not drawn (gradient exact or probed), since none's own gradient "
                "is always zero.",
            )
        )
    return found


def _of_skips(
    space: SearchSpace, config: SearchConfig, epochs: Sequence[Snapshot]
) -> list[Finding]:
    """Skips win early in many good searches, since the weights of the others are young still."""
    lately = [skip_share(space, one.derived or {}) for one in epochs[-WINDOW:]]
    if len(lately) < 2 or min(lately) < COLLAPSED_SHARE:
        return []
    words = f"{lately[-1]:.0%} of the operations that the derived architecture keeps are skips"
    if len(lately) < WINDOW or 2 * epochs[-1].epoch < config.epochs:
        return [
            Finding(
                Verdict.WATCH,
                f"{words}. That is usual while the weights are young.",
                "Wait; if it is so after half of the epochs, the search has collapsed.",
            )
        ]
    return [
        Finding(
            Verdict.COLLAPSED,
            f"{words}, for {WINDOW} epochs now: the search has collapsed to a network with few "
            "weights.",
            "Take the architecture of an earlier epoch, or search again with a lower learning "
            "rate of alpha, more draws or joint updates.",
        )
    ]


def _is_stuck(health: Health, config: SearchConfig) -> bool:
    """Whether half of the epochs are over and the rest would not decide anything at this pace."""
    if 2 * health.epoch < config.epochs or health.trend is None:
        return False
    left = config.epochs - health.epoch
    return min(health.entropy, health.entropy + left * health.trend) >= UNDECIDED


def _of_figures(config: SearchConfig, epochs: Sequence[Snapshot]) -> list[Finding]:
    main = main_figure(config.task)
    found = []
    gap = epochs[-1].metrics.get("gap")
    if main.gap_unit and gap is not None and gap >= LARGE_GAP:
        found.append(
            Finding(
                Verdict.WATCH,
                f"The derived network errs {gap:.1f} points more often than the supernet: it is "
                "not what was searched.",
                "Derive with the draws and the scope of the search, or let it go on until the "
                "entropy falls.",
            )
        )
    name = f"child_{main.name}"
    scores = [one.metrics[name] for one in epochs if name in one.metrics]
    if main.gap_unit and len(scores) > WINDOW and max(scores) - scores[-1] >= FALLEN:
        found.append(
            Finding(
                Verdict.WATCH,
                f"The child's {main.label} is {max(scores) - scores[-1]:.1f} points below its "
                "best.",
                "Look at the curves: a learning rate too high, or an architecture getting worse.",
            )
        )
    return found
