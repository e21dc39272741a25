"""The status of a search: one value from which every text about it is written.

Pages, reports, alerts, the command line and the engine read this value and
judge nothing themselves. :func:`engine.domain.diagnosis.examine` makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.domain.topology import Shape


class Verdict(StrEnum):
    """What all findings come to. The values are stored and never renamed."""

    EARLY = "early"
    DECIDING = "deciding"
    GOOD = "good"
    WATCH = "watch"
    SHORT = "short"
    STUCK = "stuck"
    UNDECIDED = "undecided"
    COLLAPSED = "collapsed"

    @property
    def label(self) -> str:
        """What people read."""
        return LABELS[self]


LABELS: Mapping[Verdict, str] = {
    Verdict.EARLY: "Too early to tell",
    Verdict.DECIDING: "Still deciding",
    Verdict.GOOD: "On track",
    Verdict.WATCH: "Needs attention",
    Verdict.SHORT: "Too short to tell",
    Verdict.STUCK: "Not deciding",
    Verdict.UNDECIDED: "Undecided",
    Verdict.COLLAPSED: "Collapsed",
}

SEVERITY = (
    Verdict.COLLAPSED,
    Verdict.STUCK,
    Verdict.SHORT,
    Verdict.UNDECIDED,
    Verdict.WATCH,
)
"""Verdicts that a finding can have, the worst first; the worst finding is the verdict."""


class Phase(StrEnum):
    """How far the probabilities are from uniform to decided."""

    WARMING_UP = "warming up"
    EXPLORING = "exploring"
    NARROWING = "narrowing"
    SETTLED = "settled"


PHASES: Mapping[Phase, str] = {
    Phase.WARMING_UP: "Warming up: no choice has been made yet.",
    Phase.EXPLORING: "Exploring: choices are not getting clearer yet.",
    Phase.NARROWING: "Converging: choices are getting clearer.",
    Phase.SETTLED: "Settled: the derived architecture hardly changes any more.",
}

AT_THE_END: Mapping[Verdict, str] = {
    Verdict.GOOD: "The search has decided, and the derived cells are connected.",
    Verdict.WATCH: "The search has ended.",
}

AT_ANY_TIME: Mapping[Verdict, str] = {
    Verdict.SHORT: "There is too little of this search to judge what it finds.",
    Verdict.UNDECIDED: "The search ended before its choices were clear.",
    Verdict.COLLAPSED: "The derived architecture uses only a small part of what it could.",
}


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
class SourceShare:
    """How much of a cell's probability is on one class of sources.

    Attributes:
        source: Its name: an input of the cell, or ``nodes`` for all earlier nodes.
        share: Share of the probability of all operations, ``none`` aside.
        uniform: The same before anything is learnt.
    """

    source: str
    share: float
    uniform: float


@dataclass(frozen=True)
class CellTopology:
    """The topology of one cell kind.

    Attributes:
        kind: The cell kind.
        shape: Depth, width and inputs of the derived cell.
        sources: Where the probability is, one entry per class of sources.
        empty_nodes: Nodes of the derived cell that keep no operation.
    """

    kind: str
    shape: Shape
    sources: tuple[SourceShare, ...]
    empty_nodes: tuple[int, ...]


@dataclass(frozen=True)
class DeadCounts:
    """What of the derived network lies on no path from its input to its scores.

    Attributes:
        cells: Dead cells.
        of_cells: All cells.
        operations: Operations of the cell kinds that are dead wherever they stand.
        of_operations: All kept operations of the cell kinds.
        unread_kinds: Cell kinds in which nothing reads c_{k-1}.
    """

    cells: int
    of_cells: int
    operations: int
    of_operations: int
    unread_kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moment:
    """The end of an epoch of a search."""

    epoch: int
    step: int


@dataclass(frozen=True)
class Health:
    """A search, judged at the end of one of its epochs.

    Attributes:
        epoch: That epoch, from 1.
        step: Weight updates until then.
        epochs: Planned epochs.
        is_over: Whether the search had ended.
        verdict: What the findings come to.
        phase: How far it is.
        entropy: Mean normalised entropy of the probability rows; 1 is uniform.
        trend: Its change per tenth of the search, fitted over the window; None
            with fewer than two epochs.
        margin: Mean lead of the likeliest operation of a row over the second.
        window: Epochs of the window: a tenth of the search.
        steady: Share of the kept operations that stayed over the window; None
            with fewer than two epochs.
        settled_since: First epoch from which the derived architecture is the present one.
        skip_share: Skips among the kept operations, 0 to 1.
        none_share: Mean probability of ``none`` in a row, 0 to 1.
        temperature: Temperature tau of the draws.
        cells: Topology of each cell kind.
        dead: Dead parts of the derived network.
        findings: What is wrong, the worst first.
        alternative: After a collapse, the last epoch that showed no sign of it.
    """

    epoch: int
    step: int
    epochs: int
    is_over: bool
    verdict: Verdict
    phase: Phase
    entropy: float
    trend: float | None
    margin: float
    window: int
    steady: float | None
    settled_since: int
    skip_share: float
    none_share: float
    temperature: float
    cells: tuple[CellTopology, ...]
    dead: DeadCounts
    findings: tuple[Finding, ...] = ()
    alternative: Moment | None = None

    @property
    def settled_for(self) -> int:
        """How many epochs ago the derived architecture changed last."""
        return self.epoch - self.settled_since

    @property
    def headline(self) -> str:
        """One sentence that goes with the verdict."""
        if self.verdict in AT_ANY_TIME:
            return AT_ANY_TIME[self.verdict]
        if self.is_over and self.verdict in AT_THE_END:
            return AT_THE_END[self.verdict]
        return PHASES[self.phase]

    @property
    def summary(self) -> str:
        """Verdict and worst finding in one line, for logs and messages."""
        rest = self.findings[0].text if self.findings else self.headline
        return f"{self.verdict.label}: {rest}"


def cell_label(kind: str) -> str:
    """What people call a cell of a kind; some spaces have one only."""
    return "cell" if kind == "cell" else f"{kind} cell"
