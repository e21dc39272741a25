"""``egs fork`` and ``egs change``: steer searches that exist."""

import json
from typing import Annotated

import typer

from app.assignments import assigned
from app.commands.arguments import LARGEST_NUMBER, Json, Priority
from app.commands.ending import search_to_end
from app.plain import plain
from app.settings import Settings
from app.steering import change, fork
from app.terminal import run_line, say
from app.wiring import open_studio
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import LAST_STEP
from engine.domain.run import RunState
from engine.domain.steering import Change

FAILED = 1

Search = Annotated[
    int,
    typer.Argument(min=1, max=LARGEST_NUMBER, metavar="RUN", help="Number of the search."),
]
Given = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated."),
]


def fork_command(
    run_id: Search,
    step: Annotated[
        int | None,
        typer.Option(
            "--step",
            min=0,
            max=LAST_STEP,
            help="Latest snapshot at or before this step; the last.",
        ),
    ] = None,
    settings_given: Given = None,
    fresh: Annotated[
        bool, typer.Option("--fresh-weights", help="New weights; the probabilities alone stay.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the new search.")] = None,
    priority: Priority = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Queue a search that starts from the probabilities and weights of another one."""
    settings = Settings.from_environment()
    studio = open_studio(settings)
    changes = assigned(settings_given or [])
    if fresh:
        changes["origin_weights"] = "fresh"
    run = fork(studio, run_id, step, changes, name=name, priority=priority)
    if wait:
        run = search_to_end(studio, settings, run, quiet=as_json)
    print(json.dumps(plain(run), indent=2, allow_nan=False) if as_json else run_line(run))
    if wait and run.state is not RunState.COMPLETED:
        if run.error and not as_json:
            say(run.error)
        raise typer.Exit(FAILED)
    if not wait and not studio.living_nodes():
        say("No engine is running; start one with `egs up` or `egs engine`.")


def change_command(run_id: Search, settings_given: Given = None, as_json: Json = False) -> None:
    """Let other settings be in force from the next step of a search on."""
    studio = open_studio(Settings.from_environment())
    wanted = assigned(settings_given or [])
    if not wanted:
        raise InvalidConfig(
            asked=f"a change of run {run_id}",
            found="no setting to change",
            allowed="at least one --set KEY=VALUE",
            advice="write for instance --set alpha_learning_rate=0.01",
        )
    made = change(studio, run_id, wanted)
    if as_json:
        print(json.dumps(plain(made), indent=2, allow_nan=False))
    else:
        print(change_line(made))


def change_line(made: Change) -> str:
    """What became of a change, in one line."""
    if made.refused is not None:
        return f"Refused: {made.refused}"
    if made.step is None:
        return f"Asked for: {made.words}. The search takes it at its next step."
    return f"From step {made.step} on: {made.words}"
