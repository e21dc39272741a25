"""``egs runs``: the list of runs, narrowed down as on the page, and as CSV; ``egs label``."""

import json
import sys
from typing import Annotated

import typer

from app.commands.arguments import Json, RunId
from app.plain import plain
from app.run_csv import runs_csv
from app.settings import Settings
from app.studio import Studio
from app.terminal import print_rows, run_line, run_rows
from app.wiring import open_studio
from engine.domain.errors import InvalidConfig
from engine.domain.run import Run, RunState
from engine.domain.run_list import LATEST_FIRST, SORT_KEYS, RunFilter, in_order, summary_of

ORDERS = ", ".join(SORT_KEYS)


def runs(
    text: Annotated[
        str, typer.Option("--find", help="Words in name, number, data, tags or notes.")
    ] = "",
    states: Annotated[
        list[str] | None, typer.Option("--state", help="Only this state; may be repeated.")
    ] = None,
    task: Annotated[str, typer.Option(help="Only this task.")] = "",
    tag: Annotated[str, typer.Option(help="Only runs with this tag.")] = "",
    archived: Annotated[
        bool, typer.Option("--archived", help="Only archived runs, which are left out otherwise.")
    ] = False,
    order: Annotated[
        str, typer.Option("--sort", help=f"{ORDERS}; with a minus before it the reverse.")
    ] = LATEST_FIRST,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="With all settings and figures, as CSV.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Runs that are not archived, latest first, or those that are asked for."""
    studio = open_studio(Settings.from_environment())
    chosen = RunFilter(
        text=text,
        states=frozenset(_state(word) for word in states or ()),
        task=task,
        tag=tag,
        shelf="archived" if archived else "present",
    )
    found = _found(studio, chosen, order)
    if as_csv:
        sys.stdout.write(runs_csv(studio, [run.id for run in found]).replace("\r\n", "\n"))
    elif as_json:
        print(json.dumps(plain(found), indent=2, allow_nan=False))
    elif found:
        print_rows(*run_rows(found))
    elif studio.summaries():
        print("No run fits.")
    else:
        print("No runs. Start one with `egs search --preset digits`.")


def _found(studio: Studio, chosen: RunFilter, order: str) -> list[Run]:
    known = {run.id: run for run in studio.runs()}
    fitting = [line for line in map(summary_of, known.values()) if chosen.fits(line)]
    return [known[line.id] for line in in_order(fitting, order)]


def _state(word: str) -> RunState:
    if word in list(RunState):
        return RunState(word)
    raise InvalidConfig(
        asked=f"runs in the state {word!r}",
        found="no such state",
        allowed=f"one of {', '.join(RunState)}",
        advice="choose one of these",
    )


def label(
    run_id: RunId,
    add: Annotated[
        list[str] | None, typer.Option("--tag", help="Add this tag; may be repeated.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--no-tag", help="Remove this tag; may be repeated.")
    ] = None,
    notes: Annotated[str | None, typer.Option(help="What to remember; replaces what was.")] = None,
    archived: Annotated[
        bool | None,
        typer.Option("--archive/--unarchive", help="Whether lists leave it out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tags, notes and archiving of one run; without options, show them."""
    studio = open_studio(Settings.from_environment())
    tags = (set(studio.run(run_id).tags) | set(add or ())) - set(remove or ())
    run = studio.annotate(run_id, tags=tags, notes=notes, archived=archived)
    if as_json:
        print(json.dumps(plain(run), indent=2, allow_nan=False))
        return
    print(run_line(run) + (", archived" if run.archived else ""))
    print(f"Tags: {', '.join(run.tags) or 'none'}")
    if run.notes:
        print(f"Notes: {run.notes}")
