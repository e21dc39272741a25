"""``egs report``: a run on paper, as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.arguments import RunId
from app.settings import Settings
from app.whole_file import whole_file
from app.wiring import open_studio


def report_command(
    run_id: RunId,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes.")
    ] = None,
) -> None:
    """Write a search or a training as one HTML file that reads and prints well."""
    from app.report.document import report

    content = report(open_studio(Settings.from_environment()), run_id)
    path = output or Path(f"run-{run_id}-report.html")
    with whole_file(path) as file:
        file.write(content)
    print(f"{path} ({len(content) / 2**10:.0f} KiB)")
