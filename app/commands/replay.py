"""``egs replay``: a whole search in one HTML file or animation."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.arguments import Json, RunId
from app.commands.pages import write_page
from app.settings import Settings
from app.wiring import open_studio


def replay_command(
    run_id: RunId,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="File or folder.")
    ] = None,
    gif: Annotated[bool, typer.Option("--gif", help="Write an animated GIF instead.")] = False,
    as_json: Json = False,
) -> None:
    """Write a search as one HTML file that opens without a server, or as an animation."""
    from app.evolution import evolution
    from app.replay import replay

    studio = open_studio(Settings.from_environment())
    content = evolution(studio, run_id) if gif else replay(studio, run_id)
    name = f"run-{run_id}-{'evolution.gif' if gif else 'replay.html'}"
    write_page(content, name, output, as_json=as_json)
