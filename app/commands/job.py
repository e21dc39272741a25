"""``egs jobs`` for people, and the hidden ``egs job`` that an engine starts."""

import json
import logging
import os
from typing import Annotated

import typer

from app.commands.arguments import LARGEST_NUMBER, Json
from app.plain import plain
from app.settings import Settings
from app.terminal import print_rows
from app.wiring import open_artifacts, open_store

NICENESS = 10
"""How far a job steps back behind the searches of its machine."""


def job(
    job_id: Annotated[int, typer.Argument(metavar="JOB", help="Number of the job.")],
    attempt: Annotated[int, typer.Option("--attempt")],
) -> None:
    """Work out one job, at low priority; the engine calls this."""
    os.nice(NICENESS)
    from engine.runtime.jobs import perform

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings.from_environment()
    code = perform(
        open_store(settings),
        open_artifacts(settings),
        job_id,
        attempt,
        cache=settings.home / "data",
        data_roots=settings.data_roots,
    )
    raise typer.Exit(code)


def jobs(
    run_id: Annotated[
        int | None,
        typer.Argument(min=1, max=LARGEST_NUMBER, metavar="RUN", help="Only those about this run."),
    ] = None,
    as_json: Json = False,
) -> None:
    """What was asked about runs or settings beside the searches, latest first, with answers."""
    found = open_store(Settings.from_environment()).jobs(run_id)
    if as_json:
        print(json.dumps(plain(found), indent=2, allow_nan=False))
        return
    if not found:
        print("No jobs.")
    rows = [
        (
            one.id,
            "" if one.run_id is None else one.run_id,
            one.kind,
            one.state.value,
            f"{one.created_at:%Y-%m-%d %H:%M:%S}",
            one.error or ("" if one.result is None else short(one.result)),
        )
        for one in found
    ]
    print_rows(("Job", "Run", "Kind", "State", "Asked", "Answer"), rows)


def short(result: object) -> str:
    """The plain figures and words of an answer, in one line."""
    values = plain(result)
    shown = {key: value for key, value in values.items() if not isinstance(value, dict | list)}
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in shown.items()
        if value is not None
    )
