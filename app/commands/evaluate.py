"""``egs evaluate``: an architecture trained from scratch, once a seed, and tested at the end."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.assignments import assigned
from app.bench import bench, changed_rule
from app.commands.arguments import Json, Priority, Step, is_run_id
from app.evaluations import (
    Evaluation,
    Origin,
    evaluate,
    origin_of_file,
    origin_of_run,
    outcome,
    sentence,
    training_config,
)
from app.plain import plain
from app.settings import Settings
from app.studio import Studio
from app.terminal import print_rows, run_line, say
from app.waiting import see_to_end
from app.wiring import open_studio
from engine.domain.derivation import RULES
from engine.domain.errors import InvalidConfig
from engine.domain.metrics import main_figure, metric
from engine.domain.run import Run, RunState

FAILED, INTERRUPTED = 1, 130


def evaluate_command(
    architecture: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="Number of a run, or a genotype's JSON, DARTS text, NAS-Bench-201 string, bundle.",
        ),
    ],
    step: Step = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help=f"One of {', '.join(RULES)}; the search's own.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="Training preset; see `egs presets`. By task and data."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="PATH|NAME", help="Other data than it was found on."),
    ] = None,
    settings_given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings, a seed each.")] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the runs, before the seed.")] = None,
    priority: Priority = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all have ended.")] = False,
    as_json: Json = False,
) -> None:
    """Train an architecture from scratch and test it once; with --wait, see it to its end."""
    settings = Settings.from_environment()
    studio = open_studio(settings)
    origin = origin_of(studio, architecture, step, rule)
    changes = assigned(settings_given or [])
    config = training_config(origin, preset=preset, data=data, changes=changes)
    runs = evaluate(studio, origin, config, seeds=seeds, name=name, priority=priority)
    if wait:
        runs = _wait(studio, settings, runs, quiet=as_json)
    found = outcome(studio, runs)
    if as_json:
        print(json.dumps(json_of(studio, found), indent=2, allow_nan=False))
    else:
        print_evaluation(found)
    if wait and any(run.state is not RunState.COMPLETED for run in runs):
        raise typer.Exit(FAILED)
    if not wait and not studio.living_nodes():
        say("No engine is running; start one with `egs up` or `egs engine`.")


def origin_of(studio: Studio, architecture: str, step: int | None, rule: str | None) -> Origin:
    """The architecture that a number or a file means.

    Raises:
        InvalidConfig: A snapshot or a rule is asked of a file.
        StudioError: There is no such run, file or architecture.
    """
    if not is_run_id(architecture):
        if step is not None or rule is not None:
            raise InvalidConfig(
                asked=f"a snapshot or a rule for {architecture!r}",
                found="a file, which holds one architecture",
                allowed="the number of a search",
                advice="leave --snapshot and --rule out",
            )
        return origin_of_file(studio, Path(architecture))
    run = studio.run(int(architecture))
    if rule is None:
        return origin_of_run(run, studio.derive(run.id, step))
    changed = changed_rule(studio, run, step, name=rule)
    return origin_of_run(run, bench(studio, run.id, step, changed).genotype)


def _wait(studio: Studio, settings: Settings, runs: Sequence[Run], *, quiet: bool) -> list[Run]:
    try:
        return see_to_end(studio, settings, runs, quiet=quiet)
    except KeyboardInterrupt:
        numbers = ", ".join(str(run.id) for run in runs)
        say(f"The trainings go on as runs {numbers}; pause them with `egs pause RUN`.")
        raise typer.Exit(INTERRUPTED) from None


def print_evaluation(found: Evaluation) -> None:
    """One line a training, and mean and spread of what the test data say."""
    for run in found.runs:
        print(run_line(run))
        if run.error:
            say(run.error)
    if found.spread is None:
        return
    main = main_figure(found.runs[0].config.task)
    print_rows(
        ("Seed", metric(found.figure).label),
        [(seed, main.text(value)) for seed, value in found.tested],
    )
    print(sentence(found))


def json_of(studio: Studio, found: Evaluation) -> dict[str, Any]:
    """Everything as one JSON value; each run with its latest figures."""
    runs = [
        {
            **plain(run),
            "metrics": {s.name: s.values[-1] for s in studio.series(run.id) if s.values},
        }
        for run in found.runs
    ]
    return {
        "figure": found.figure,
        "values": [{"seed": seed, "value": value} for seed, value in found.tested],
        "mean": found.spread.mean if found.spread else None,
        "standard_deviation": found.spread.deviation if found.spread else None,
        "runs": runs,
    }
