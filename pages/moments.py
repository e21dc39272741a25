"""Which snapshot a page shows."""

from app.studio import Studio
from app.widgets import step_from_query
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot


def moment_to_show(studio: Studio, run: Run) -> Snapshot | None:
    """The snapshot chosen in the address, else the latest; None before the first."""
    return studio.snapshot(run.id, step_from_query())
