"""``egs report``: a run on paper, as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.arguments import Json, RunId
from app.commands.pages import write_page
from app.settings import Settings
from app.wiring import open_studio


def report_command(
    run_id: RunId,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="File or folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a search or a training as one HTML file that reads and prints well."""
    from app.report.document import report

    content = report(open_studio(Settings.from_environment()), run_id)
    write_page(content, f"run-{run_id}-report.html", output, as_json=as_json)
