"""What a study measures, and the one sentence that says who is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.domain.metrics import main_figure
from engine.domain.statistics import PairedTest, Spread, holm, paired_test

Verdict = Literal["yes", "no", "not shown"]
BySeed = Mapping[int, float]
"""A figure of one configuration, by seed."""

SIGNIFICANCE = 0.05
"""Below this (corrected) p a difference counts as shown."""

FEWEST_PAIRS = 3
"""Below this many seeds nothing is judged: two differences have one degree of freedom."""

MILLION = 1e6


@dataclass(frozen=True)
class Measure:
    """One figure of a search as a study reports it.

    Attributes:
        name: Name in reports.
        label: What people read, in lower case.
        unit: Unit of a value, with a blank before it; empty for none.
        gap_unit: Unit of a difference of two values, in the same form.
        better: Which direction is good.
        decimals: Digits after the point.
        scale: What one unit is of the stored figure.
    """

    name: str
    label: str
    unit: str = ""
    gap_unit: str = ""
    better: Literal["higher", "lower"] = "lower"
    decimals: int = 2
    scale: float = 1.0

    def text(self, value: float | None) -> str:
        """A value with its unit, or a dash."""
        return "–" if value is None else f"{value / self.scale:.{self.decimals}f}{self.unit}"

    def spread_text(self, spread: Spread | None) -> str:
        """Mean ± sample standard deviation, or the one value, or a dash."""
        if spread is None or spread.deviation is None:
            return self.text(spread.mean if spread else None)
        mean, deviation = (
            f"{value / self.scale:.{self.decimals}f}" for value in (spread.mean, spread.deviation)
        )
        return f"{mean} ± {deviation}{self.unit}"

    def difference_text(self, value: float) -> str:
        """A difference with its sign and unit."""
        return f"{value / self.scale:+.{self.decimals}f}{self.gap_unit}"


@dataclass(frozen=True)
class Comparison:
    """One configuration against the baseline, by one measure.

    Attributes:
        configuration: Its name.
        baseline: Name of what it is compared with.
        measure: Name of the measure.
        seeds: The seeds with both figures.
        test: The paired test over them; None where there is none.
        corrected_p: p of the t test after Holm's correction for all
            comparisons of the study; None where it cannot judge.
        verdict: Whether the configuration is better.
        sentence: The same for people.
    """

    configuration: str
    baseline: str
    measure: str
    seeds: tuple[int, ...]
    test: PairedTest | None
    corrected_p: float | None
    verdict: Verdict
    sentence: str


def measures_of(task: str, *, with_truth: bool = False) -> tuple[Measure, ...]:
    """What a study of this task reports, the most telling first.

    The accuracy of images is given as its error, as the paper does (Table 8).
    """
    child, supernet = (_main_measure(task, whose) for whose in ("child", "supernet"))
    truth = (
        Measure("truth", "true accuracy", " %", " points", "higher"),
        Measure("rank", "true rank", decimals=0),
    )
    return (
        *(truth if with_truth else ()),
        child,
        supernet,
        Measure("gap", "gap", main_figure(task).gap_unit, main_figure(task).gap_unit),
        Measure("parameters", "parameters", " M", " M", decimals=3, scale=MILLION),
        Measure("seconds", "time", " s", " s", decimals=0),
    )


def _main_measure(task: str, whose: str) -> Measure:
    figure = main_figure(task)
    if figure.name == "accuracy":
        return Measure(whose, f"{whose} error", figure.unit, figure.gap_unit)
    better: Literal["higher", "lower"] = "higher" if figure.unit else "lower"
    return Measure(whose, f"{whose} {figure.label}", figure.unit, figure.gap_unit, better)


def compare_all(
    measures: Sequence[Measure],
    figures: Mapping[str, Mapping[str, BySeed]],
    baseline: str,
    seeds: Sequence[int],
) -> list[Comparison]:
    """Every configuration against the baseline, by every measure.

    Args:
        measures: By what is compared.
        figures: By configuration and name of the measure, the figures by seed.
        baseline: Name of a configuration.
        seeds: All seeds of the study.
    """
    drafts = [
        _draft(measure, figures, name, baseline, seeds)
        for measure in measures
        for name in figures
        if name != baseline
    ]
    corrected = holm([_p_of(draft) for draft in drafts])
    known = {measure.name: measure for measure in measures}
    return [
        _judged(replace(draft, corrected_p=p), known[draft.measure], len(drafts), len(seeds))
        for draft, p in zip(drafts, corrected, strict=True)
    ]


def _draft(
    measure: Measure,
    figures: Mapping[str, Mapping[str, BySeed]],
    name: str,
    baseline: str,
    seeds: Sequence[int],
) -> Comparison:
    """A comparison that is tested and not judged yet."""
    mine, other = (figures[one].get(measure.name, {}) for one in (name, baseline))
    pairs = tuple(seed for seed in seeds if seed in mine and seed in other)
    test = paired_test([mine[seed] for seed in pairs], [other[seed] for seed in pairs])
    return Comparison(name, baseline, measure.name, pairs, test, None, "not shown", "")


def _p_of(draft: Comparison) -> float | None:
    """p before the correction; None where nothing can be judged."""
    test = draft.test
    return test.p if test is not None and test.count >= FEWEST_PAIRS else None


def _judged(draft: Comparison, measure: Measure, comparisons: int, seeds: int) -> Comparison:
    verdict = _verdict(draft, measure)
    why = _why(draft, measure, comparisons, seeds)
    sentence = f"{draft.configuration} better than {draft.baseline}: {verdict} ({why})."
    return replace(draft, verdict=verdict, sentence=sentence)


def _verdict(draft: Comparison, measure: Measure) -> Verdict:
    if draft.test is None or draft.corrected_p is None or draft.corrected_p >= SIGNIFICANCE:
        return "not shown"
    is_better = (draft.test.difference > 0) == (measure.better == "higher")
    return "yes" if is_better else "no"


def _why(draft: Comparison, measure: Measure, comparisons: int, seeds: int) -> str:
    """Difference, p and number of pairs, in words."""
    test = draft.test
    if test is None:
        return f"no seed has the {measure.label} of both"
    count = f"n = {test.count}" + (f" of {seeds} seeds" if test.count < seeds else "")
    difference = f"mean difference in {measure.label} {measure.difference_text(test.difference)}"
    return f"{difference}, {_chance(draft, comparisons)}, {count}"


def _chance(draft: Comparison, comparisons: int) -> str:
    if draft.corrected_p is None:
        few = draft.test is not None and draft.test.count < FEWEST_PAIRS
        what = f"fewer than {FEWEST_PAIRS} pairs" if few else "differences that are all equal"
        return f"{what} cannot be judged"
    small = draft.corrected_p < 0.001
    p = "p < 0.001" if small else f"p = {draft.corrected_p:.3f}"
    return p + (f" corrected for {comparisons} comparisons" if comparisons > 1 else "")
