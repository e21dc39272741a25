"""Deletion of runs: first the rows, then the files, and no kill in between leaves files for good.

A mark says which run's files shall go. It is written before the rows are
deleted and removed after the files, so that the next deletion finds what a
killed one left.
"""

from contextlib import ExitStack, suppress

from engine.domain.errors import DiskFull, WrongState
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.run import Run

MARKS = "deleted"
"""Folder of the marks, one empty file under the uid of each run."""


def delete_run(store: RunStore, artifacts: ArtifactStore, run: Run) -> None:
    """Remove a run with everything recorded, and what killed deletions left of others.

    Raises:
        WrongState: It is queued or running, or a fork of it has yet to take
            over its state; nothing is deleted then.
    """
    _refuse_orphans(store, run)
    with suppress(DiskFull):  # deleting is what makes room
        _mark(artifacts, run)
    with ExitStack() as undo:
        undo.callback(artifacts.delete, f"{MARKS}/{run.uid}")
        store.delete(run.id)
        undo.pop_all()
    _delete_files(artifacts, run.uid)
    _finish_killed_deletions(store, artifacts)


def _refuse_orphans(store: RunStore, run: Run) -> None:
    """A fork needs where it comes from until its own first checkpoint (decision 22)."""
    for fork in store.runs(parent_id=run.id):
        if not fork.is_ended and not store.checkpoints(fork.id):
            raise WrongState(
                asked=f"to delete run {run.id}",
                found=f"its fork, run {fork.id}, which has not started yet",
                allowed="a run whose forks have all taken over its state, or have ended",
                advice=f"wait for run {fork.id} to start, or stop it",
            )


def _mark(artifacts: ArtifactStore, run: Run) -> None:
    with artifacts.write(f"{MARKS}/{run.uid}"):
        pass


def _delete_files(artifacts: ArtifactStore, uid: str) -> None:
    artifacts.delete_below(f"runs/{uid}")
    artifacts.delete(f"{MARKS}/{uid}")


def _finish_killed_deletions(store: RunStore, artifacts: ArtifactStore) -> None:
    """Only marks of runs without rows count: one with rows is about to be deleted, or was kept."""
    marked = {key.removeprefix(f"{MARKS}/") for key in artifacts.keys(MARKS)}
    if not marked:
        return
    for uid in sorted(marked - {run.uid for run in store.runs()}):
        _delete_files(artifacts, uid)
