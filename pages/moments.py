"""Which snapshot a page shows."""

from app.studio import Studio
from app.widgets import step_from_query
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot, SnapshotKind


def latest_epoch(studio: Studio, run: Run) -> Snapshot | None:
    """The snapshot at the end of the latest completed epoch; None before the first."""
    if not run.progress.epoch or not run.progress.total_steps:
        return None
    step = run.progress.epoch * run.progress.total_steps // run.config.epochs
    found = studio.snapshot(run.id, step)
    return found if found is not None and found.kind is SnapshotKind.EPOCH else None


def moment_to_show(studio: Studio, run: Run) -> Snapshot | None:
    """The snapshot chosen in the address, else the latest; None before the first."""
    return studio.snapshot(run.id, step_from_query())
