"""Arguments that several commands take, within what a database can keep."""

from typing import Annotated

import typer

from engine.domain.genotype import LAST_STEP

LARGEST_NUMBER = 2**31 - 1
"""Of runs and jobs, and of priorities."""

RunId = Annotated[
    int,
    typer.Argument(min=1, max=LARGEST_NUMBER, metavar="RUN", help="Number of the run."),
]
Step = Annotated[
    int | None,
    typer.Option(
        "--snapshot",
        min=0,
        max=LAST_STEP,
        metavar="STEP",
        help="Latest snapshot at or before this step.",
    ),
]
Priority = Annotated[
    int, typer.Option(min=-LARGEST_NUMBER, max=LARGEST_NUMBER, help="Higher starts earlier.")
]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", help="Time budget, from which all settings follow that are not set."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def is_run_id(text: str) -> bool:
    """Whether a text can be the number of a run."""
    return text.isdecimal() and len(text) <= 10 and 1 <= int(text) <= LARGEST_NUMBER
