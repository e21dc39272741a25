"""Judge a search from its recorded epochs: the only place that does.

:func:`examine` is a pure function of the search space, the settings and the
snapshots at the ends of epochs, so a search of long ago, or a recorded one in
a benchmark, gets the verdict that it would have got while it ran. Windows
count in shares of the planned search; all thresholds are in
``engine.domain.health_limits``.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from engine.domain.config import SearchConfig
from engine.domain.distribution import margin, mass
from engine.domain.epoch_facts import EpochFacts, facts_of, steadiness
from engine.domain.findings import Evidence, find, shows_collapse, slope
from engine.domain.health import SEVERITY, Health, Moment, Phase, Verdict
from engine.domain.health_limits import (
    CONVERGING,
    FEWEST_POINTS,
    HARDLY_MOVED,
    STEADY,
    UNDECIDED_ENTROPY,
    WINDOW_SHARE,
)
from engine.domain.snapshot import Snapshot
from engine.domain.space import NONE, SearchSpace


def examine(
    space: SearchSpace,
    config: SearchConfig,
    epochs: Sequence[Snapshot],
    *,
    ended: bool = False,
) -> Health | None:
    """Judge a search at the last of these snapshots.

    Args:
        space: Its search space.
        config: Its settings.
        epochs: Its snapshots at the ends of epochs, in order.
        ended: Whether nothing follows, although epochs are left. After its
            last planned epoch a search is over anyway.

    Returns:
        None before the first epoch has ended, and for random search, which has
        no probabilities to judge.
    """
    if not epochs or config.method == "random":
        return None
    now = facts_of(space, config, epochs[-1])
    window = tuple(facts_of(space, config, one) for one in window_of(config, epochs))
    measured = _measure(space, config, epochs, now, window, ended=ended)
    evidence = Evidence(
        space=space,
        config=config,
        epochs=epochs,
        now=now,
        window=window,
        is_full=len(window) == measured.window,
        done=max(0, now.epoch - config.alpha_warmup_epochs) / searching_epochs(config),
        measured=measured,
    )
    findings = sorted(find(evidence), key=lambda finding: SEVERITY.index(finding.verdict))
    verdict = findings[0].verdict if findings else _without_findings(evidence)
    return replace(
        measured,
        verdict=verdict,
        phase=_phase(evidence),
        findings=tuple(findings),
        alternative=_alternative(evidence) if verdict is Verdict.COLLAPSED else None,
    )


def searching_epochs(config: SearchConfig) -> int:
    """Planned epochs in which alpha moves."""
    return config.epochs - config.alpha_warmup_epochs


def window_size(config: SearchConfig) -> int:
    """Epochs over which trends and stability are measured: a tenth of those that search."""
    return max(FEWEST_POINTS, ceil(WINDOW_SHARE * searching_epochs(config)))


def window_of(config: SearchConfig, epochs: Sequence[Snapshot]) -> list[Snapshot]:
    """The ends of the last epochs in which alpha moved, as many as the window has."""
    searching = [one for one in epochs if one.epoch > config.alpha_warmup_epochs]
    return searching[-window_size(config) :]


def settled_since(epochs: Sequence[Snapshot]) -> int:
    """The first epoch from which on each derived the architecture of the last one."""
    since = epochs[-1]
    for one in reversed(epochs):
        if one.derived != since.derived:
            break
        since = one
    return since.epoch


def _measure(
    space: SearchSpace,
    config: SearchConfig,
    epochs: Sequence[Snapshot],
    now: EpochFacts,
    window: Sequence[EpochFacts],
    *,
    ended: bool,
) -> Health:
    """Everything that is measured; the judgement follows."""
    last = epochs[-1]
    tenth = WINDOW_SHARE * searching_epochs(config)
    falls = tenth * slope([one.entropy for one in window]) if len(window) > 1 else None
    return Health(
        epoch=now.epoch,
        step=now.step,
        epochs=config.epochs,
        is_over=ended or now.epoch >= config.epochs,
        verdict=Verdict.EARLY,
        phase=Phase.WARMING_UP,
        entropy=now.entropy,
        trend=falls,
        margin=margin(space, last.probabilities, config.scope),
        window=window_size(config),
        steady=steadiness([one.code for one in window]),
        settled_since=settled_since(epochs),
        skip_share=now.skip_share,
        none_share=mass(space, last.probabilities, config.scope, frozenset({NONE})),
        temperature=last.temperature,
        cells=now.cells,
        dead=now.dead,
    )


def _phase(evidence: Evidence) -> Phase:
    measured = evidence.measured
    if not evidence.is_full or measured.trend is None:
        return Phase.WARMING_UP
    if measured.trend <= -CONVERGING:
        return Phase.NARROWING
    return Phase.SETTLED if _has_decided(measured) else Phase.EXPLORING


def _without_findings(evidence: Evidence) -> Verdict:
    if not evidence.is_full:
        return Verdict.EARLY
    return Verdict.GOOD if _has_decided(evidence.measured) else Verdict.DECIDING


def _has_decided(measured: Health) -> bool:
    """Whether choices are clear and the derived architecture keeps most of its operations."""
    steady = measured.steady is not None and measured.steady >= STEADY
    return steady and measured.entropy <= UNDECIDED_ENTROPY


def _alternative(evidence: Evidence) -> Moment | None:
    """The last epoch without a sign of collapse, if it comes after the first window."""
    config = evidence.config
    first = config.alpha_warmup_epochs + evidence.measured.window
    for one in reversed(evidence.epochs):
        if one.epoch < first:
            return None
        facts = facts_of(evidence.space, config, one)
        if facts.entropy < HARDLY_MOVED and not shows_collapse(evidence.space, facts):
            return Moment(one.epoch, one.step)
    return None
