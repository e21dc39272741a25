"""The derivation bench: any rule on any snapshot, and what its architecture is worth.

Everything is computed from recorded probabilities, so that it is there at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.studio import Export, Studio
from engine.data.shapes import keeps_dead
from engine.domain.blocks import dead_sentences
from engine.domain.chances import CodeProbability
from engine.domain.config import SearchConfig
from engine.domain.cost import Cost, DeadShare
from engine.domain.derivation import DerivationRule, code_probability, derive, stability
from engine.domain.errors import DataError, NotFound, WrongState
from engine.domain.genotype import Genotype, from_masks, to_masks
from engine.domain.pruning import Pruning, pruning_of
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot

COMPARED_SNAPSHOTS = 20
PAGE_OF_SNAPSHOTS = 200


@dataclass(frozen=True)
class Bench:
    """An architecture that a rule derives at one moment, with its figures.

    Attributes:
        genotype: The architecture; the rule is written into it. A random search
            derives nothing: of it, the best cell so far, without a rule.
        cost: Parameters and multiply-adds in the run's own network; None while
            no engine has published its operations, or nobody has read the data.
        probability: That the rule's M draws give exactly this architecture.
        stability: Share of the snapshots just before that derive the same;
            None where there is none before, or nothing is derived.
        compared: How many snapshots that share is of.
        measured: Figures of the child at that moment, where it is the very
            architecture that the search measured; else empty.
        pruning: What of the architecture is dead in the run's own network.
        dead: How many parameters that is; None where the cost is not known.
    """

    genotype: Genotype
    cost: Cost | None
    probability: CodeProbability
    stability: float | None
    compared: int
    measured: Mapping[str, float]
    pruning: Pruning
    dead: DeadShare | None

    @property
    def question(self) -> dict[str, Any]:
        """The arguments of the job that measures this child with inherited weights."""
        masks = {kind: list(edges) for kind, edges in to_masks(self.genotype).items()}
        return {"step": self.genotype.lineage["step"], "masks": masks}


def own_rule(studio: Studio, run: Run, step: int | None = None) -> DerivationRule:
    """The rule of a search at a moment: the draws then and its scope, of a random search as well.

    Args:
        studio: The use cases.
        run: The search.
        step: The moment, as for :meth:`Studio.derive`.

    Raises:
        NotFound: Nothing has been recorded there.
        WrongState: The run is a training, which derives nothing.
    """
    if isinstance(run.config, SearchConfig):
        return studio.derive(run.id, step).rule or run.config.rule
    raise WrongState(
        asked=f"an architecture derived from run {run.id}",
        found="the training of an architecture that was given",
        allowed="a search",
        advice="choose the search that found it",
    )


def changed_rule(
    studio: Studio, run: Run, step: int | None = None, **changes: Any
) -> DerivationRule:
    """The run's own rule at a moment with other parameters; its scope stays the search's.

    Raises:
        InvalidConfig: A parameter is out of its bounds.
        NotFound: Nothing has been recorded there.
        WrongState: The run is a training, or a random search, which has no rule to change.
    """
    rule = replace(own_rule(studio, run, step), **changes)
    if changes and not run.search.derives:
        raise WrongState(
            asked=f"another derivation rule for run {run.id}",
            found="a random search, which derives nothing and keeps the best cell that it trained",
            allowed="that cell, as it is",
            advice="leave the rule out",
        )
    return rule


def bench(
    studio: Studio,
    run_id: int,
    step: int | None = None,
    rule: DerivationRule | None = None,
    *,
    last: int = COMPARED_SNAPSHOTS,
) -> Bench:
    """What a rule derives at a moment, with cost, probability and stability.

    Args:
        studio: The use cases.
        run_id: The search.
        step: The moment, as for :meth:`Studio.derive`.
        rule: The rule; None takes the run's own at that moment.
        last: With how many snapshots before it the architecture is compared.

    Raises:
        NotFound: Nothing has been recorded there.
        WrongState: The run is a training.
    """
    run = studio.run(run_id)
    rule = rule or own_rule(studio, run, step)
    snapshot, genotype = _moment(studio, run, step, rule)
    space, masks = studio.space(run), to_masks(genotype)
    earlier = _before(studio, run, snapshot.step, last) if run.search.derives else []
    rows = [one.probabilities for one in earlier]
    return Bench(
        genotype=genotype,
        cost=known_cost(studio, run, genotype),
        probability=code_probability(space, snapshot.probabilities, masks, rule),
        stability=stability(space, rows, masks, rule),
        compared=len(rows),
        measured=dict(snapshot.metrics) if snapshot.derived == masks else {},
        pruning=pruning_of(genotype, run.config.cells),
        dead=known_dead(studio, run, genotype),
    )


def export_benched(
    studio: Studio, run_id: int, format_name: str, step: int | None, rule: DerivationRule
) -> Export:
    """One file of the architecture that a rule derives; see :meth:`Studio.export`."""
    genotype = _moment(studio, studio.run(run_id), step, rule)[1]
    return studio.export(run_id, format_name, step, genotype=genotype)


def _moment(
    studio: Studio, run: Run, step: int | None, rule: DerivationRule
) -> tuple[Snapshot, Genotype]:
    """A snapshot, and the architecture that a rule derives there or that was kept by then."""
    own = studio.derive(run.id, step)
    snapshot = studio.snapshot(run.id, own.lineage["step"])
    if snapshot is None:
        raise NotFound(
            asked=f"an architecture of run {run.id} at step {own.lineage['step']}",
            found="that its history was taken back just now",
            allowed="a step that is recorded",
            advice="choose another moment",
        )
    if not run.search.derives:
        return snapshot, own
    space = studio.space(run)
    masks = derive(space, snapshot.probabilities, rule)
    return snapshot, from_masks(space, masks, rule, own.lineage)


def _before(studio: Studio, run: Run, step: int, count: int) -> list[Snapshot]:
    """The last snapshots before a step; every interval of the run there is at least one."""
    found: list[Snapshot] = []
    after = max(-1, step - count * run.config.snapshot_interval - 1)
    while page := studio.snapshots(run.id, after=after, limit=PAGE_OF_SNAPSHOTS):
        found += [snapshot for snapshot in page if snapshot.step < step]
        after = page[-1].step
        if after >= step:
            break
    return found[-count:]


def known_cost(studio: Studio, run: Run, genotype: Genotype) -> Cost | None:
    """What a genotype costs in a run's network; None while that cannot be known."""
    try:
        return studio.cost(run.id, genotype)
    except (NotFound, DataError):
        return None


def known_dead(studio: Studio, run: Run, genotype: Genotype) -> DeadShare | None:
    """The parameters of a genotype that are dead; None while that cannot be known."""
    try:
        return studio.dead_share(run.id, genotype)
    except (NotFound, DataError):
        return None


def dead_in(studio: Studio, run: Run, genotype: Genotype) -> tuple[str, ...]:
    """What of a genotype is dead in a run's network, in sentences; none if everything is alive."""
    return dead_sentences(
        pruning_of(genotype, run.config.cells),
        known_dead(studio, run, genotype),
        left_out=not keeps_dead(run.config),
    )
