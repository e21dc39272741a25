"""``egs study``: configurations × seeds with an honest comparison."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.assignments import assigned
from app.commands.arguments import Json, Priority
from app.plain import plain
from app.settings import Settings
from app.study import StudyReport, queue_study, report, runs_of, unfinished
from app.terminal import print_rows, say
from app.truth import TruthTables, read_table
from app.waiting import see_to_end
from app.whole_file import whole_file
from app.wiring import open_studio
from engine.domain.errors import DataError
from engine.domain.run import RunState
from engine.domain.study import Study, read_study

FAILED, INTERRUPTED = 1, 130
LARGEST_FILE_BYTES = 1_000_000


def study(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The study, in TOML.")],
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="PATH|NAME", help="Data of all its configurations."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="Table of published accuracies (.npz)."),
    ] = None,
    settings_given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting of all; may be repeated."),
    ] = None,
    priority: Priority = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all have ended.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report as JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run configurations × seeds and compare them; what is there already is not run again."""
    settings = Settings.from_environment()
    changes = {**({"data": data} if data is not None else {}), **assigned(settings_given or [])}
    plan = read_study(_text_of(file), changes=changes, truth=str(truth) if truth else None)
    table = _table(plan, file, given=truth, settings=settings)
    if output is not None:
        with whole_file(output, trial=True):
            pass
    studio = open_studio(settings)
    known = len(runs_of(studio, plan))
    runs = queue_study(studio, plan, priority=priority)
    say(f"{len(runs)} runs, {len(runs) - known} of them new.")
    if wait:
        try:
            see_to_end(studio, settings, runs, quiet=as_json)
        except KeyboardInterrupt:
            say("The runs go on; the same command continues the study.")
            raise typer.Exit(INTERRUPTED) from None
    found = report(studio, plan, command=_command(file, data, truth, settings_given), truth=table)
    if output is not None:
        with whole_file(output) as whole:
            whole.write(_json_of(found).encode())
    if as_json:
        print(_json_of(found), end="")
    else:
        print_report(found)
    if wait and not found.complete:
        raise typer.Exit(FAILED)
    if not found.complete and not wait and not studio.living_nodes():
        say("No engine is running; start one with `egs up` or `egs engine`.")


def print_report(found: StudyReport) -> None:
    """Means and spreads, the raw figures, and the sentences."""
    print_rows(*summary_rows(found))
    print()
    print_rows(*trial_rows(found))
    if found.comparisons:
        print()
    for comparison in found.comparisons:
        print(comparison.sentence)
    for line in unfinished(found):
        say(line)


def summary_rows(found: StudyReport) -> tuple[Sequence[str], list[Sequence[Any]]]:
    """Head and rows of the table of means ± sample standard deviations."""
    head = ("Configuration", "Seeds", *(_capital(measure.label) for measure in found.measures))
    rows: list[Sequence[Any]] = [
        (
            result.name,
            f"{sum(trial.state == RunState.COMPLETED.value for trial in result.trials)}"
            f"/{len(found.seeds)}",
            *(measure.spread_text(result.summary.get(measure.name)) for measure in found.measures),
        )
        for result in found.configurations
    ]
    return head, rows


def trial_rows(found: StudyReport) -> tuple[Sequence[str], list[Sequence[Any]]]:
    """Head and rows of the table of raw figures, one row a run."""
    labels = (_capital(measure.label) for measure in found.measures)
    head = ("Configuration", "Seed", "Run", "State", *labels)
    rows: list[Sequence[Any]] = [
        (
            result.name,
            trial.seed,
            "–" if trial.run is None else trial.run,
            trial.state,
            *(measure.text(trial.figures.get(measure.name)) for measure in found.measures),
        )
        for result in found.configurations
        for trial in result.trials
    ]
    return head, rows


def _capital(label: str) -> str:
    return label[:1].upper() + label[1:]


def _json_of(found: StudyReport) -> str:
    return json.dumps(plain(found), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _text_of(file: Path) -> str:
    """The content of the file of a study."""
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= LARGEST_FILE_BYTES else b""
    except OSError as error:
        raise DataError(
            asked=f"the study in {str(file)!r}",
            found=f"that it cannot be read ({error.strerror})",
            allowed="a TOML file",
            advice="correct its name; benchmarks/studies has examples",
        ) from None
    try:
        if content or not size:
            return content.decode()
    except UnicodeDecodeError:
        pass
    raise DataError(
        asked=f"the study in {str(file)!r}",
        found="no text in UTF-8" if content else f"{size:,} bytes",
        allowed=f"a TOML file in UTF-8 of at most {LARGEST_FILE_BYTES:,} bytes",
        advice="choose another file",
    )


def _table(plan: Study, file: Path, *, given: Path | None, settings: Settings) -> Path | None:
    """Where the table of the study lies: as given, beside its file, or among the known ones.

    Raises:
        DataError: There is none, or it cannot be read.
    """
    if plan.truth is None:
        return None
    known = TruthTables(settings.truth_tables, settings.home / "tables").paths()
    beside = file.parent / plan.truth
    places = [given] if given else [beside, *(path for path in known if path.name == plan.truth)]
    place = next((path for path in places if path.is_file()), None)
    if place is None:
        raise DataError(
            asked=f"the table of published accuracies {Path(plan.truth).name!r}",
            found="no such file",
            allowed="a file given by --truth, beside the study, or in the folder "
            f"{str(settings.home / 'tables')!r}",
            advice="say with --truth where it lies",
        )
    read_table(place)
    return place


def _command(
    file: Path, data: str | None, truth: Path | None, settings_given: Sequence[str] | None
) -> str:
    """What was typed, without the folders of this machine."""
    words = ["egs", "study", file.name]
    words += ["--data", Path(data).name] if data else []
    words += ["--truth", truth.name] if truth else []
    for assignment in settings_given or []:
        words += ["--set", assignment]
    return shlex.join(words)
