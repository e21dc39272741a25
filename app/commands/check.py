"""``egs check``: the data and the first steps of a search, before it starts."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.checks import (
    Question,
    data_question,
    figures_of,
    preflight_question,
    preflight_words,
)
from app.commands.arguments import Json, Minutes
from app.commands.propose import prepare
from app.plain import plain
from app.requests import ask
from app.settings import Settings
from app.studio import Studio, with_absolute_path
from app.terminal import print_rows, say
from app.waiting import see_answer
from app.wiring import open_studio
from engine.domain.jobs import Job, JobState

FAILED, INTERRUPTED = 1, 130
MARKS = {"ok": "good", "note": "note", "warning": "warning", "error": "ERROR"}


def check(
    preset_names: Annotated[
        list[str] | None,
        typer.Option("--preset", help="Starting point, and once more for a method."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="PATH|NAME", help="A data set by name, .npz or folder."),
    ] = None,
    minutes: Minutes = None,
    settings_given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated."),
    ] = None,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Also take a few real steps: time, memory, batch.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Examine the data of a search, and with --preflight try its first steps.

    An engine does it, started by itself where none lives. Ends with 1 where
    a search would refuse the data or would not fit into memory.
    """
    settings = Settings.from_environment()
    studio = open_studio(settings)
    prepared = prepare(studio, settings, preset_names or [], data, settings_given or [], minutes)
    config = with_absolute_path(prepared.config)
    questions = [data_question(config), *([preflight_question(config)] if preflight else [])]
    asked = [_asked(studio, question) for question in questions]
    try:
        jobs = [see_answer(studio, settings, job) for job in asked]
    except KeyboardInterrupt:
        say("An engine goes on with it; `egs jobs` shows the answer.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print(json.dumps({job.kind: _plain_answer(job) for job in jobs}, indent=2))
    else:
        for job in jobs:
            _print_answer(job)
    if not all(map(_is_good, jobs)):
        raise typer.Exit(FAILED)


def _asked(studio: Studio, question: Question) -> Job:
    """Ask for the answer of now, whatever was found earlier."""
    return ask(studio, None, question.kind, question.arguments, afresh=True)


def _is_good(job: Job) -> bool:
    """Whether a search could start."""
    if job.result is None:
        return False
    if job.kind == "preflight":
        return bool(job.result["fits"])
    return all(one["level"] != "error" for one in job.result["findings"])


def _plain_answer(job: Job) -> Any:
    """The answer without pictures; the sentence of a job that failed."""
    if job.result is None:
        return {"error": job.error}
    return plain({key: value for key, value in job.result.items() if key != "sheet"})


def _print_answer(job: Job) -> None:
    if job.state is not JobState.DONE or job.result is None:
        print(job.error)
    elif job.kind == "preflight":
        _print_preflight(job.result)
    else:
        rows = [(MARKS[one["level"]], one["text"]) for one in job.result["findings"]]
        print_rows(("", "The data"), rows)


def _print_preflight(result: Mapping[str, Any]) -> None:
    print(preflight_words(result))
    if result["fits"]:
        print_rows(("First steps", "", ""), figures_of(result))
