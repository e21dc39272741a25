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
    """The snapshot chosen in the address, else that of the latest epoch's end, else the first."""
    step = step_from_query()
    if step is not None:
        return studio.snapshot(run.id, step)
    epoch = latest_epoch(studio, run)
    if epoch is not None:
        return epoch
    first = studio.snapshots(run.id, limit=1)
    return first[0] if first else None
