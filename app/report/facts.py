"""What a report is written from: everything stored about a run, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.bench import dead_in
from app.costs import CostView, cost_view
from app.evaluations import outcome, sentence
from app.family import family_tree
from app.health_text import health_of
from app.studio import Studio
from app.topology import topology_of
from app.trainings import search_of, seeds_of, trainings_of
from engine.data.summaries import Summary
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig
from engine.domain.errors import NotFound, StudioError
from engine.domain.genotype import Genotype
from engine.domain.health import Health
from engine.domain.run import Run, RunEvent
from engine.domain.run_list import RunSummary
from engine.domain.snapshot import Series, Snapshot
from engine.domain.space import SearchSpace
from engine.domain.steering import Change


@dataclass(frozen=True)
class Facts:
    """A run as it is stored at one moment.

    Attributes:
        run: The run itself.
        written_at: That moment.
        catalog: Labels of what can be chosen; None where no engine has run yet.
        space: Search space of a search; None of a training, or where it is gone.
        data: What the worker found the data to be; None before it has loaded them.
        epochs: Snapshots at the ends of epochs.
        last: Snapshot that the architecture was read off; None before there is one.
        series: Every figure over time, by name.
        genotype: The derived or trained architecture; None where nothing is recorded yet.
        cost: Cost of its network; None where that cannot be told.
        dead: What of it is dead, in sentences.
        health: Of a search; None where there is nothing to judge.
        changes: Settings that were to change while it went on.
        events: Its log.
        family: (depth, run) of the tree of forks that it is in.
        others: Those of the family and of its trainings, by number.
        origin: Of a training: the search that found what it trains.
        trainings: Of a search: the trainings of what it found. Of a training:
            those that differ from it in the seed only, itself among them.
        tested: Mean and spread of the test figure of such seeds, in a sentence.
    """

    run: Run
    written_at: datetime
    catalog: Catalog | None
    space: SearchSpace | None
    data: Summary | None
    epochs: Sequence[Snapshot]
    last: Snapshot | None
    series: Mapping[str, Series]
    genotype: Genotype | None
    cost: CostView | None
    dead: Sequence[str]
    health: Health | None
    changes: Sequence[Change]
    events: Sequence[RunEvent]
    family: Sequence[tuple[int, RunSummary]]
    others: Mapping[int, Run]
    origin: Run | None
    trainings: Sequence[Run]
    tested: str

    @property
    def is_search(self) -> bool:
        """Whether it is a search, not a training from scratch."""
        return self.run.config.purpose == "search"

    @property
    def measured(self) -> Mapping[str, float]:
        """Figures at the end of the latest epoch."""
        return self.epochs[-1].metrics if self.epochs else {}


def gather(studio: Studio, run_id: int) -> Facts:
    """Read everything about a run.

    Raises:
        NotFound: There is no such run.
    """
    run = studio.run(run_id)
    epochs = studio.snapshots(run.id, epochs_only=True)
    genotype = _genotype(studio, run)
    space = _space(studio, run)
    is_search = isinstance(run.config, SearchConfig)
    trainings = trainings_of(studio, run) if is_search else seeds_of(studio, run)
    family = family_tree(studio.summaries(), run.id) if is_search else []
    return Facts(
        run=run,
        written_at=studio.clock.now(),
        catalog=studio.catalog(),
        space=space,
        data=studio.data(run),
        epochs=epochs,
        last=epochs[-1] if epochs else studio.snapshot(run.id),
        series={
            one.name: one for one in (*studio.series(run.id), *topology_of(studio, run, epochs))
        },
        genotype=genotype,
        cost=_cost(studio, run, genotype),
        dead=() if genotype is None else dead_in(studio, run, genotype),
        health=health_of(studio, run),
        changes=studio.changes(run.id),
        events=studio.events(run.id),
        family=family if len(family) > 1 else [],
        others={one.id: studio.run(one.id) for _, one in family},
        origin=None if is_search else search_of(studio, run),
        trainings=trainings,
        tested="" if is_search else sentence(outcome(studio, trainings)),
    )


def _genotype(studio: Studio, run: Run) -> Genotype | None:
    try:
        return studio.derive(run.id)
    except NotFound:
        return None


def _space(studio: Studio, run: Run) -> SearchSpace | None:
    if not isinstance(run.config, SearchConfig):
        return None
    try:
        return studio.space(run)
    except NotFound:
        return None


def _cost(studio: Studio, run: Run, genotype: Genotype | None) -> CostView | None:
    """Nothing where the data were never loaded and are not there, or the network does not fit."""
    if genotype is None:
        return None
    try:
        return cost_view(studio, run.id, genotype)
    except StudioError:
        return None
