"""What an examination of data finds, as plain values that pages and commands show."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "note", "warning", "error"]

SPLITS = ("training", "validation", "test")
MOST_BARS = 30
LONGEST_NAME = 60


@dataclass(frozen=True)
class Finding:
    """One sentence about the data: what was found and, if it is bad, what to do.

    Attributes:
        level: ``error``: a search would refuse the data; ``warning``: its
            figures would mislead or suffer; ``note``: worth knowing.
        text: The sentence.
    """

    level: Level
    text: str


@dataclass(frozen=True)
class Bar:
    """One class, or one word: how often it occurs, one number a split that is shown."""

    name: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Examination:
    """Everything that was found.

    Attributes:
        kind: ``images``, ``scenes``, ``text``, or empty where the data could
            not be read.
        findings: In the order of reading.
        counts: Images, scenes or tokens a split.
        bars: Classes or most frequent words; at most :data:`MOST_BARS`.
        bars_of: What the counts of the bars are, such as ``images``.
        bar_splits: The splits that their counts are of.
        left_out: So many bars are not shown.
        texts: Pieces of the texts by split.
    """

    kind: str
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    bars: tuple[Bar, ...] = ()
    bars_of: str = ""
    bar_splits: tuple[str, ...] = SPLITS
    left_out: int = 0
    texts: Mapping[str, str] | None = None

    def to_plain(self) -> dict[str, Any]:
        """The same as JSON values, with a count of the findings in words."""
        levels = [finding.level for finding in self.findings]
        counted = (f"{levels.count(level)} {level}" for level in dict.fromkeys(levels))
        return {**asdict(self), "found": ", ".join(counted)}


def unreadable(sentence: str) -> Examination:
    """What is known of data that a search would refuse."""
    return Examination("", (Finding("error", sentence),), {})


def shown_bars(
    names: Sequence[str], counts: Sequence[Sequence[int]]
) -> tuple[tuple[Bar, ...], int]:
    """Bars of classes in their order; of too many, the largest and the smallest.

    Args:
        names: Of the classes.
        counts: Per class, one count a split; the first one decides what is shown.

    Returns:
        The bars, and how many were left out.
    """
    bars = [
        Bar(name[:LONGEST_NAME], tuple(int(count) for count in each))
        for name, each in zip(names, counts, strict=True)
    ]
    if len(bars) <= MOST_BARS:
        return tuple(bars), 0
    half = MOST_BARS // 2
    ordered = sorted(bars, key=lambda bar: -bar.counts[0])
    return (*ordered[:half], *ordered[-half:]), len(bars) - 2 * half


def per_cent(part: float, whole: float) -> str:
    """A share in words, so that a small one is not called 0 %."""
    share = 100.0 * part / whole if whole else 0.0
    if 0.0 < share < 0.1:
        return "under 0.1 %"
    return f"{share:.1f} %" if 0.0 < share < 10.0 else f"{share:.0f} %"
