"""Studies: queue what is missing, and report what has been measured.

A trial is an ordinary run. It is found again by its name and all its settings,
so that a study can be interrupted, continued and reported at any time, and a
run that somebody started under the same name with other settings does not
count, nor one whose settings were changed while it went on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.studio import Studio, versions, with_absolute_path
from app.truth import read_table, truth_of_run
from engine.domain.comparison import Comparison, Measure, compare_all, measures_of
from engine.domain.config import SearchConfig
from engine.domain.errors import InvalidGenotype
from engine.domain.metrics import main_figure
from engine.domain.run import Run, RunState
from engine.domain.run_config import data_name
from engine.domain.statistics import Spread, spread_of
from engine.domain.steering import in_force
from engine.domain.study import Study, Trial
from engine.domain.truth import TruthTable

KIND = "study"
"""By which a report is known among other raw figures."""


@dataclass(frozen=True)
class TrialResult:
    """What one run of a study gave.

    Attributes:
        seed: Its seed.
        state: State of its run; ``missing`` where there is none.
        run: Number of its run.
        uid: The run's identity that never collides.
        settings_digest: SHA-256 of all its settings, the data by name only.
        data_digest: SHA-256 of the data as the worker split them.
        figures: What was measured, by name of the measure; only of a completed
            run, and without what does not apply.
        why: Sentences about figures that are missing.
        architecture: The derived cell in the notation of the table, if there
            is one.
    """

    seed: int
    state: str
    run: int | None = None
    uid: str | None = None
    settings_digest: str | None = None
    data_digest: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    why: tuple[str, ...] = ()
    architecture: str | None = None


@dataclass(frozen=True)
class ConfigurationResult:
    """What one configuration gave over all seeds.

    Attributes:
        name: Its name.
        settings: Those that differ from the defaults.
        trials: One a seed, in the order of the study.
        summary: Mean and sample standard deviation, by name of the measure.
    """

    name: str
    settings: Mapping[str, Any]
    trials: tuple[TrialResult, ...]
    summary: Mapping[str, Spread]


@dataclass(frozen=True)
class StudyReport:
    """A study with everything measured so far, whole enough to be read in years.

    Attributes:
        kind: Always ``study``.
        name: Of the study.
        command: What was typed, without folders.
        made_at: When it was reported.
        complete: Whether every trial has completed.
        task: What was learnt.
        data: The data by name.
        seeds: Of all configurations.
        baseline: What the others are compared with.
        measures: What is reported, the most telling first.
        configurations: In the order of the study.
        comparisons: One a measure and configuration.
        versions: Of studio and torch at the time of the report.
    """

    kind: str
    name: str
    command: str
    made_at: datetime
    complete: bool
    task: str
    data: str
    seeds: tuple[int, ...]
    baseline: str | None
    measures: tuple[Measure, ...]
    configurations: tuple[ConfigurationResult, ...]
    comparisons: tuple[Comparison, ...]
    versions: Mapping[str, str]


def queue_study(studio: Studio, study: Study, *, priority: int = 0) -> list[Run]:
    """Start what is not there yet, after checking all of it; the runs of all trials.

    Raises:
        StudioError: A trial cannot be started; then none has been.
    """
    found = runs_of(studio, study)
    missing = [trial for trial in study.trials if trial.run_name not in found]
    for config in {trial.config.model_copy(update={"seed": 0}) for trial in missing}:
        studio.check(with_absolute_path(config))
    for trial in missing:
        found[trial.run_name] = studio.create(trial.config, name=trial.run_name, priority=priority)
    return [found[trial.run_name] for trial in study.trials]


def runs_of(studio: Studio, study: Study) -> dict[str, Run]:
    """The run of each trial that has one, by its name.

    Of several equal ones a completed run comes first, then one that goes on,
    then the latest.
    """
    wanted = {trial.run_name: with_absolute_path(trial.config) for trial in study.trials}
    found: dict[str, Run] = {}
    for run in studio.runs():
        if wanted.get(run.name) != run.config or in_force(studio.changes(run.id)):
            continue
        if run.name not in found or _rank(run) > _rank(found[run.name]):
            found[run.name] = run
    return found


def _rank(run: Run) -> tuple[bool, bool, int]:
    return run.state is RunState.COMPLETED, not run.is_ended, run.id


def report(studio: Studio, study: Study, *, command: str, truth: Path | None = None) -> StudyReport:
    """Everything measured so far, and the comparison with the baseline.

    Args:
        studio: The use cases.
        study: What is reported.
        command: What was typed, for those who want to repeat it.
        truth: A table of published accuracies.

    Raises:
        DataError: The table cannot be read.
    """
    table = read_table(truth) if truth else None
    runs = runs_of(studio, study)
    config = study.configurations[0].config
    measures = measures_of(config.task, with_truth=table is not None)
    results = tuple(
        _of_configuration(studio, study, one.name, runs, measures, table)
        for one in study.configurations
    )
    states = [trial.state for result in results for trial in result.trials]
    return StudyReport(
        kind=KIND,
        name=study.name,
        command=command,
        made_at=studio.clock.now(),
        complete=all(state == RunState.COMPLETED.value for state in states),
        task=config.task,
        data=data_name(config.data),
        seeds=study.seeds,
        baseline=study.baseline,
        measures=measures,
        configurations=results,
        comparisons=_comparisons(study, measures, results),
        versions=versions(),
    )


def _of_configuration(
    studio: Studio,
    study: Study,
    name: str,
    runs: Mapping[str, Run],
    measures: Sequence[Measure],
    table: TruthTable | None,
) -> ConfigurationResult:
    trials = [trial for trial in study.trials if trial.configuration == name]
    results = tuple(_of_trial(studio, trial, runs.get(trial.run_name), table) for trial in trials)
    spreads = {
        measure.name: spread_of(
            [r.figures[measure.name] for r in results if measure.name in r.figures]
        )
        for measure in measures
    }
    return ConfigurationResult(
        name=name,
        settings=_settings_of(trials[0].config),
        trials=results,
        summary={key: spread for key, spread in spreads.items() if spread is not None},
    )


def _of_trial(
    studio: Studio, trial: Trial, run: Run | None, table: TruthTable | None
) -> TrialResult:
    digest = _digest(trial.config)
    if run is None:
        return TrialResult(trial.seed, "missing", settings_digest=digest)
    data = studio.data(run)
    result = TrialResult(
        seed=trial.seed,
        state=run.state.value,
        run=run.id,
        uid=run.uid,
        settings_digest=digest,
        data_digest=data.digest if data else None,
        why=(run.error,) if run.error else (),
    )
    if run.state is not RunState.COMPLETED:
        return result
    measured = replace(result, figures=_figures(studio, run))
    return _with_truth(studio, run, measured, table) if table else measured


def _figures(studio: Studio, run: Run) -> dict[str, float]:
    """Figures at the end of the last epoch, the derived network's cost, and the time."""
    snapshot = studio.snapshot(run.id)
    metrics = snapshot.metrics if snapshot else {}
    main = main_figure(run.config.task)
    figures = {"seconds": run.progress.seconds}
    for whose in ("child", "supernet"):
        value = metrics.get(f"{whose}_{main.name}")
        if value is not None:
            figures[whose] = 100 - value if main.name == "accuracy" else value
    if "gap" in metrics:
        figures["gap"] = metrics["gap"]
    figures["parameters"] = studio.cost(run.id, studio.derive(run.id)).parameters
    return figures


def _with_truth(studio: Studio, run: Run, result: TrialResult, table: TruthTable) -> TrialResult:
    """The same with what was published about the derived cell, or why nothing was."""
    try:
        final = truth_of_run(studio, run.id, table)[-1]
    except InvalidGenotype as error:
        return replace(result, why=(*result.why, str(error)))
    if final.truth is None:
        return replace(result, why=(*result.why, f"not in the table: {final.why}"))
    truth = final.truth
    figures = {**result.figures, "truth": truth.test_accuracy, "rank": float(truth.rank)}
    return replace(result, figures=figures, architecture=truth.arch)


def _comparisons(
    study: Study, measures: Sequence[Measure], results: Sequence[ConfigurationResult]
) -> tuple[Comparison, ...]:
    if study.baseline is None:
        return ()
    chosen = [measure for measure in measures if measure.name in study.compare]
    figures = {
        result.name: {
            measure.name: {
                trial.seed: trial.figures[measure.name]
                for trial in result.trials
                if measure.name in trial.figures
            }
            for measure in chosen
        }
        for result in results
    }
    return tuple(compare_all(chosen, figures, study.baseline, study.seeds))


def _settings_of(config: SearchConfig) -> dict[str, Any]:
    """Settings that differ from the defaults; the seed is the study's, the data have a name."""
    fields = SearchConfig.model_fields
    values = {**config.model_dump(), "data": data_name(config.data)}
    return {
        key: value
        for key, value in values.items()
        if key != "seed" and (key == "data" or value != fields[key].default)
    }


def _digest(config: SearchConfig) -> str:
    values = {**config.model_dump(mode="json"), "data": data_name(config.data)}
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def unfinished(report_: StudyReport) -> list[str]:
    """One line for each trial that has no result, with what there is to do."""
    lines = []
    for result in report_.configurations:
        for trial in result.trials:
            if trial.state in {RunState.FAILED.value, RunState.PAUSED.value}:
                advice = f"resume it with `egs resume {trial.run}`"
            elif trial.state == RunState.STOPPED.value:
                advice = f"delete it with `egs delete {trial.run}` to have it started again"
            else:
                continue
            lines.append(
                f"{result.name}, seed {trial.seed}: run {trial.run} {trial.state}; {advice}."
            )
    return lines
