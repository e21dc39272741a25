"""Trainings from scratch of an architecture, one a seed, and what came of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.library import text_of_file
from app.studio import Studio
from engine.data.table import DATA_SOURCES
from engine.domain.catalog import Catalog
from engine.domain.config import AnyConfig, TrainingConfig, make_training_config
from engine.domain.errors import InvalidConfig, NotFound
from engine.domain.genotype import Genotype, read_genotype, to_json
from engine.domain.metrics import main_figure, metric
from engine.domain.presets import Preset
from engine.domain.run import Run
from engine.domain.statistics import Spread, spread_of
from engine.domain.training_presets import default_training_preset, task_of, training_preset

OF_THE_DATA = (
    "data",
    "tokens",
    "vocabulary_limit",
    "broken_images",
    "image_size",
    "ignore_index",
    "validation_fraction",
    "test_fraction",
    "train_limit",
)
"""Settings that say which data and how they are read; a training takes over the search's."""

NAME_LENGTH = 90
"""Of what stands before the seed in the name of a run."""


@dataclass(frozen=True)
class Origin:
    """An architecture to train, and where it comes from.

    Attributes:
        genotype: The architecture; its lineage says from which run and step.
        name: What people call it.
        task: The task that it was found on, as far as that is known.
        data: Settings of the data that it was found on.
    """

    genotype: Genotype
    name: str
    task: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """Several trainings of one architecture that differ in their seeds only.

    Attributes:
        runs: The trainings.
        figure: Name of the figure that they are judged by, such as ``test_accuracy``.
        values: That figure by the number of the run, of those trainings that have it.
        spread: Mean and sample standard deviation over seeds, each once with its
            latest training; None of nothing.
    """

    runs: tuple[Run, ...]
    figure: str
    values: Mapping[int, float]
    spread: Spread | None

    @property
    def tested(self) -> list[tuple[int, float]]:
        """Seed and figure of each training that has it."""
        return [
            (run.config.seed, self.values[run.id]) for run in self.runs if run.id in self.values
        ]


def origin_of_run(run: Run, genotype: Genotype) -> Origin:
    """An architecture that a search has found or that a training trains."""
    return Origin(genotype, run.name, run.config.task, _data_of(run.config))


def _data_of(config: AnyConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in OF_THE_DATA}


def origin_of_file(studio: Studio, path: Path) -> Origin:
    """An architecture in a file, in any notation; nothing in it is evaluated.

    Raises:
        DataError: The file cannot be read.
        InvalidGenotype: It holds no architecture that is known here.
        NotFound: No engine has published its search spaces yet.
    """
    genotype = read_genotype(text_of_file(path), _catalog(studio).spaces)
    data = str(genotype.lineage.get("data", ""))
    source = DATA_SOURCES.get(data)
    for_text = genotype.space.skeleton == "recurrent"
    likely = "language_modelling" if for_text else "image_classification"
    return Origin(
        genotype,
        str(genotype.lineage.get("name", "")) or path.stem,
        source.task if source else likely,
        {"data": data} if source else {},
    )


def _catalog(studio: Studio) -> Catalog:
    catalog = studio.catalog()
    if catalog is None:
        raise NotFound(
            asked="an architecture to train",
            found="no catalogue of search spaces",
            allowed="spaces that an engine has published",
            advice="start an engine once with `egs engine`",
        )
    return catalog


def training_config(
    origin: Origin,
    *,
    preset: str | None = None,
    data: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> TrainingConfig:
    """The settings of a training of an architecture.

    Args:
        origin: The architecture.
        preset: Name of a training preset; None takes the one that fits the
            task and data of the origin, on the origin's data.
        data: Other data than those of the preset or the origin.
        changes: Settings that differ from the preset.

    Raises:
        InvalidConfig: There is no such preset, it needs data that are not
            given, or a setting does not fit.
    """
    found_on = str(origin.data.get("data", ""))
    chosen = training_preset(preset) if preset else default_training_preset(origin.task, found_on)
    values: dict[str, Any] = dict(chosen.settings)
    if data is not None:
        values["data"] = data
    elif _takes_data_of(origin, chosen, is_default=preset is None):
        part = {} if preset is None else {"train_limit": 0}
        values = {**origin.data, **part, **values, "data": found_on}
    values.update(changes or {})
    if "data" not in values:
        raise _no_data(chosen)
    return make_training_config({**values, "genotype": to_json(origin.genotype)})


def settings_for_data(origin: Origin, preset: str, data: str) -> TrainingConfig:
    """A preset laid over chosen data; data of the search are read as the search read them.

    Raises:
        InvalidConfig: There is no such preset.
    """
    chosen = training_preset(preset)
    if data != origin.data.get("data") or task_of(chosen) != origin.task:
        return training_config(origin, preset=preset, data=data)
    if chosen == default_training_preset(origin.task, data):
        return training_config(origin)
    own = {"train_limit", *chosen.settings}
    read = {name: value for name, value in origin.data.items() if name not in own}
    return training_config(origin, preset=preset, data=data, changes=read)


def _takes_data_of(origin: Origin, preset: Preset, *, is_default: bool) -> bool:
    """Whether the data are the origin's: as a default, or as the folder that a preset is for."""
    if not origin.data or task_of(preset) != origin.task:
        return False
    return is_default or ("data" not in preset.settings and origin.data["data"] not in DATA_SOURCES)


def _no_data(preset: Preset) -> InvalidConfig:
    return InvalidConfig(
        asked=f"the training preset {preset.name!r}",
        found="no data",
        allowed="a folder with the data that it is for",
        advice="say with --data where it lies",
    )


def evaluate(
    studio: Studio,
    origin: Origin,
    config: TrainingConfig,
    *,
    seeds: int = 1,
    name: str | None = None,
    priority: int = 0,
) -> list[Run]:
    """Queue one training a seed, from the settings' own seed on; all or none of them.

    Raises:
        StudioError: As for :meth:`Studio.create`.
    """
    if seeds < 1:
        raise InvalidConfig(
            asked=f"{seeds} seeds",
            found="nothing to train",
            allowed="1 seed or more",
            advice="choose a larger number",
        )
    configs = [
        make_training_config({**config.model_dump(), "seed": config.seed + number})
        for number in range(seeds)
    ]
    for one in configs:
        studio.check(one)
    what = (name or f"{origin.name} trained on {Path(config.data).stem}")[:NAME_LENGTH].rstrip()
    return [
        studio.create(one, name=f"{what}, seed {one.seed}", priority=priority) for one in configs
    ]


def outcome(studio: Studio, runs: Sequence[Run]) -> Evaluation:
    """What trainings have measured on the test data, together."""
    figure = f"test_{main_figure(runs[0].config.task).name}"
    values: dict[int, float] = {}
    by_seed: dict[int, float] = {}
    for run in sorted(runs, key=lambda one: one.id):
        last = studio.snapshot(run.id)
        if last is not None and figure in last.metrics:
            values[run.id] = by_seed[run.config.seed] = last.metrics[figure]
    return Evaluation(tuple(runs), figure, values, spread_of(list(by_seed.values())))


def sentence(found: Evaluation) -> str:
    """Mean ± sample standard deviation of the test figure, and of how many trainings."""
    main, spread = main_figure(found.runs[0].config.task), found.spread
    if spread is None:
        return "Nothing has been tested yet."
    deviation = "" if spread.deviation is None else f" ± {spread.deviation:.2f}"
    seeds = "seed" if spread.count == 1 else "seeds"
    label = metric(found.figure).label
    return f"{label} {spread.mean:.2f}{deviation}{main.unit} over {spread.count} {seeds}."
