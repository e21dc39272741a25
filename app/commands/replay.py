"""``egs replay``: a whole search in one HTML file or animation."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.arguments import RunId
from app.settings import Settings
from app.whole_file import whole_file
from app.wiring import open_studio


def replay_command(
    run_id: RunId,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes.")
    ] = None,
    gif: Annotated[bool, typer.Option("--gif", help="Write an animated GIF instead.")] = False,
) -> None:
    """Write a search as one HTML file that opens without a server, or as an animation."""
    from app.evolution import evolution
    from app.replay import replay

    studio = open_studio(Settings.from_environment())
    content = evolution(studio, run_id) if gif else replay(studio, run_id)
    path = output or Path(f"run-{run_id}-{'evolution.gif' if gif else 'replay.html'}")
    with whole_file(path) as file:
        file.write(content)
    print(f"{path} ({len(content) / 2**20:.1f} MiB)")
