"""Waiting for one search at a terminal."""

import typer

from app.settings import Settings
from app.studio import Studio
from app.terminal import say
from app.waiting import see_to_end
from engine.domain.run import Run

INTERRUPTED = 130


def search_to_end(studio: Studio, settings: Settings, run: Run, *, quiet: bool) -> Run:
    """See a search to its end; Ctrl-C leaves it alone and says how to pause it."""
    try:
        return see_to_end(studio, settings, [run], quiet=quiet)[0]
    except KeyboardInterrupt:
        say(f"The search goes on; pause it with `egs pause {run.id}`.")
        raise typer.Exit(INTERRUPTED) from None
