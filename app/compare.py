"""What is gathered to compare runs: which they are, their moments, cells and costs."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.studio import Studio, shape_of
from engine.domain.blocks import parts_of
from engine.domain.catalog import Catalog
from engine.domain.cost import Cost, total_of
from engine.domain.errors import InvalidConfig, NotFound, StudioError
from engine.domain.genotype import Genotype, from_masks, to_masks
from engine.domain.metrics import main_figure
from engine.domain.run import Run, RunState
from engine.domain.run_list import RunSummary
from engine.domain.snapshot import Masks
from engine.domain.study import BETWEEN_NAMES
from engine.export.exporter import Shape

FEWEST, MOST = 2, 8
"""How many runs can be compared at a time; a study may have more."""

SEED = "seed "
KEPT_HISTORIES, KEPT_COSTS = 256, 20_000


@dataclass(frozen=True)
class Moment:
    """The end of an epoch, without its probabilities.

    Attributes:
        step: Completed steps.
        epoch: Completed epochs.
        seconds: Training time up to there, without pauses.
        derived: Per cell kind, one bit mask an edge; None of a training.
        figure: The child's main figure, if it was measured.
    """

    step: int
    epoch: int
    seconds: float
    derived: tuple[tuple[str, Masks], ...] | None
    figure: float | None


@dataclass(frozen=True)
class FrontPoint:
    """An architecture that a search derived at the end of an epoch, and its cost."""

    run_id: int
    epoch: int
    step: int
    parameters: int
    multiply_adds: int
    figure: float


@dataclass(frozen=True)
class StudyName:
    """The three parts of the name of a study's run."""

    study: str
    configuration: str
    seed: str


def study_name(name: str) -> StudyName | None:
    """The parts of a run's name; None of one that belongs to no study."""
    parts = name.split(BETWEEN_NAMES)
    if len(parts) != 3 or not all(parts) or not parts[2].startswith(SEED):
        return None
    return StudyName(*parts)


def studies_in(runs: Iterable[RunSummary]) -> dict[str, list[int]]:
    """Numbers of the runs of each study that has two or more, by its name.

    Of several runs of one trial a completed one counts, then the latest.
    """
    chosen: dict[str, RunSummary] = {}
    for run in runs:
        held = chosen.get(run.name)
        if study_name(run.name) and (held is None or _rank(run) > _rank(held)):
            chosen[run.name] = run
    found: dict[str, list[int]] = {}
    for name, run in chosen.items():
        parts = study_name(name)
        if parts is not None:
            found.setdefault(parts.study, []).append(run.id)
    return {name: sorted(ids) for name, ids in sorted(found.items()) if len(ids) >= FEWEST}


def _rank(run: RunSummary) -> tuple[bool, int]:
    return run.state is RunState.COMPLETED, run.id


def runs_named(studio: Studio, text: str) -> list[Run]:
    """The runs whose numbers stand in an address, such as ``3,5,7``, in that order.

    Raises:
        InvalidConfig: There are too few or too many, or one is no number.
        NotFound: One of them does not exist.
    """
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    wrong = [word for word in words if not word.isdecimal() or len(word) > 9]
    if wrong or not FEWEST <= len(words) <= MOST:
        raise InvalidConfig(
            asked=f"a comparison of the runs {text[:60]!r}",
            found=f"{wrong[0][:20]!r}, which is no number" if wrong else f"{len(words)} run(s)",
            allowed=f"{FEWEST} to {MOST} numbers of runs with commas between them",
            advice="choose the runs again",
        )
    return [studio.run(int(word)) for word in words]


def runs_of_study(studio: Studio, name: str) -> list[Run]:
    """All runs of a study, configuration by configuration.

    Raises:
        NotFound: Fewer than two runs are called so.
    """
    studies = studies_in(studio.summaries())
    if name not in studies:
        raise NotFound(
            asked=f"a comparison of the study {name!r}",
            found="fewer than two runs of that name",
            allowed=f"one of {', '.join(map(repr, studies))}" if studies else "a study that runs",
            advice="choose another one, or start it with `egs study`",
        )
    wanted = set(studies[name])
    runs = [run for run in studio.runs() if run.id in wanted]
    return sorted(runs, key=lambda run: (run.name.split(BETWEEN_NAMES)[1], run.config.seed))


_histories: OrderedDict[tuple[str, int, int], tuple[Moment, ...]] = OrderedDict()


def moments_of(studio: Studio, run: Run) -> tuple[Moment, ...]:
    """The ends of all epochs of a run; read once of a run that has ended."""
    key = (run.uid, run.attempt, run.progress.step)
    if run.is_ended and key in _histories:
        _histories.move_to_end(key)
        return _histories[key]
    name = f"child_{main_figure(run.config.task).name}"
    found = tuple(
        Moment(
            step=one.step,
            epoch=one.epoch,
            seconds=one.seconds,
            derived=None if one.derived is None else tuple(sorted(one.derived.items())),
            figure=one.metrics.get(name),
        )
        for one in studio.snapshots(run.id, epochs_only=True)
    )
    if run.is_ended:
        _histories[key] = found
        if len(_histories) > KEPT_HISTORIES:
            _histories.popitem(last=False)
    return found


def genotypes_of(studio: Studio, runs: Sequence[Run]) -> dict[int, Genotype]:
    """The architecture of each run that has one yet, by its number."""
    found = {}
    for run in runs:
        try:
            found[run.id] = studio.derive(run.id)
        except StudioError:
            continue
    return found


def front_points(studio: Studio, run: Run) -> list[FrontPoint]:
    """Figure and cost of everything that a search derived at the ends of its epochs.

    A training has one architecture and other weights, so that it has none.

    Raises:
        StudioError: There is no catalogue, or nothing is known of the data.
    """
    if run.config.purpose != "search":
        return []
    measured = [one for one in moments_of(studio, run) if one.derived and one.figure is not None]
    catalog = studio.catalog()
    if not measured or catalog is None:
        return []
    space, shape = studio.space(run), shape_of(run.config, studio.known_data(run))
    points = []
    for moment in measured:
        genotype = from_masks(space, dict(moment.derived or ()))
        cost = _cost_of(genotype, catalog, shape)
        points.append(
            FrontPoint(
                run_id=run.id,
                epoch=moment.epoch,
                step=moment.step,
                parameters=cost.parameters,
                multiply_adds=cost.multiply_adds,
                figure=moment.figure or 0.0,
            )
        )
    return points


_costs: dict[object, Cost] = {}


def _cost_of(genotype: Genotype, catalog: Catalog, shape: Shape) -> Cost:
    """The cost of a network, counted once for each genotype and shape."""
    space = genotype.space
    cells = tuple(sorted(to_masks(genotype).items()))
    key = (catalog.operations, shape, space.name, space.nodes, space.operations, cells)
    if key not in _costs:
        if len(_costs) >= KEPT_COSTS:
            _costs.clear()
        _costs[key] = total_of(parts_of(genotype, catalog, shape))
    return _costs[key]
