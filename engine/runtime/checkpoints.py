"""Checkpoints of one run: saved in an order that no kill can break, and found again."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from engine.domain.errors import CheckpointError, NotFound
from engine.domain.metrics import metric
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.run import Checkpoint, Run, nearest
from engine.optimisation.loop import Loop
from engine.search.checkpoint import load_checkpoint, read_model, save_checkpoint

Result = TypeVar("Result")

KEPT = 2
"""The newest checkpoints that are kept, beside the best one."""


class Checkpoints:
    """Saves and restores the search of one attempt.

    A file without a row does not exist; a row is written only after its file.
    Names hold the attempt, so that a fenced process cannot touch the file of
    a newer one.
    """

    def __init__(self, store: RunStore, artifacts: ArtifactStore, run: Run) -> None:
        self._store = store
        self._artifacts = artifacts
        self._run = run
        self._folder = f"runs/{run.uid}/checkpoints"

    def save(self, loop: Loop, *, measured: bool) -> Checkpoint:
        """Write the file, then the row, then remove what is superseded.

        Args:
            loop: The search, between two of its steps.
            measured: Whether the child was measured at just this step.

        Raises:
            DiskFull: There was no room; earlier checkpoints are untouched.
            Fenced: A newer attempt owns the run.
        """
        progress = loop.progress
        name = f"step-{progress.step:08d}-epoch-{progress.epoch}-attempt-{self._run.attempt}.pt"
        key = f"{self._folder}/{name}"
        with self._artifacts.write(key) as file:
            save_checkpoint(loop, file, run=self._run.uid)
        written = self._artifacts.describe(key)
        checkpoint = Checkpoint(
            step=progress.step,
            epoch=progress.epoch,
            key=key,
            size_bytes=written.size_bytes,
            sha256=written.sha256,
            created_at=datetime.now(UTC),
            score=progress.score if measured else None,
        )
        self._store.add_checkpoint(self._run.id, self._run.attempt, checkpoint)
        self._tidy(lower_is_better=metric(progress.score_name or "").better == "lower")
        return checkpoint

    def _tidy(self, *, lower_is_better: bool) -> None:
        """Forget superseded checkpoints, then delete files that no row names.

        Also what killed attempts have left half written: this one's own file
        is whole, and nobody else may write here.
        """
        saved = self._store.checkpoints(self._run.id)
        for checkpoint in superseded(saved, lower_is_better=lower_is_better):
            self._store.drop_checkpoint(self._run.id, checkpoint.key)
        kept = {checkpoint.key for checkpoint in self._store.checkpoints(self._run.id)}
        for key in self._artifacts.keys(self._folder):
            if key not in kept:
                self._artifacts.delete(key)
        self._artifacts.delete_unfinished(self._folder)

    def restore(self, loop: Loop, report: Callable[[str], None]) -> Checkpoint | None:
        """Continue the newest checkpoint that is whole; None when the run has none.

        One that cannot be read is reported, and forgotten once an earlier one
        could be: if none can, it is the place where they lie that is gone.

        Raises:
            CheckpointError: None of those that the run has can be read.
        """
        unreadable: list[Checkpoint] = []
        for checkpoint in reversed(self._store.checkpoints(self._run.id)):
            try:
                self._load(loop, checkpoint)
            except (NotFound, CheckpointError) as error:
                report(f"The checkpoint of step {checkpoint.step} cannot be used: {error}")
                unreadable.append(checkpoint)
            else:
                for later in unreadable:
                    self._store.drop_checkpoint(self._run.id, later.key)
                return checkpoint
        if unreadable:
            raise self._none_readable(len(unreadable))
        return None

    def _none_readable(self, count: int) -> CheckpointError:
        return CheckpointError(
            asked=f"a checkpoint to continue run {self._run.id} from",
            found=f"{count} checkpoint(s), none of which can be read",
            allowed="one that is there and whole",
            advice="check that the folder or object store of the checkpoints (EGS_ARTIFACTS) can "
            "be reached, and resume the run",
        )

    def load_near(self, loop: Loop, step: int | None) -> Checkpoint:
        """Load the checkpoint that is nearest in time to a step, and say which it was.

        Args:
            loop: Takes its state.
            step: The last checkpoint at or before this step is taken, or the
                first one after it where there is none; None takes the newest.

        Raises:
            NotFound: The run has no checkpoint.
            CheckpointError: The file is damaged, or of another run.
        """
        found = self._near(step, lambda checkpoint: self._load(loop, checkpoint))
        if found is None:
            raise NotFound(
                asked=f"a checkpoint of run {self._run.id}",
                found="none",
                allowed="a run that has ended an epoch or was paused",
                advice="wait for the end of the first epoch",
            )
        return found[0]

    def weights_near(self, step: int | None) -> tuple[Checkpoint, dict[str, Any]] | None:
        """The network's ``state_dict`` in the checkpoint that :meth:`load_near` would load.

        Returns:
            Which checkpoint it was, and the weights; None where there is none.

        Raises:
            CheckpointError: The file is damaged, or of another run.
        """
        return self._near(step, self._weights)

    def _near(
        self, step: int | None, read: Callable[[Checkpoint], Result]
    ) -> tuple[Checkpoint, Result] | None:
        """What is read from the nearest checkpoint; its run may supersede it meanwhile."""
        while True:
            checkpoint = nearest(self._store.checkpoints(self._run.id), step)
            if checkpoint is None:
                return None
            try:
                return checkpoint, read(checkpoint)
            except NotFound:
                if checkpoint in self._store.checkpoints(self._run.id):
                    raise

    def _load(self, loop: Loop, checkpoint: Checkpoint) -> None:
        self._check(checkpoint)
        changes = self._store.changes(self._run.id)
        changed = frozenset(name for change in changes for name in change.before or ())
        with self._artifacts.read(checkpoint.key) as file:
            load_checkpoint(loop, file, run=self._run.uid, changed=changed)

    def _weights(self, checkpoint: Checkpoint) -> dict[str, Any]:
        self._check(checkpoint)
        with self._artifacts.read(checkpoint.key) as file:
            return read_model(file, run=self._run.uid)

    def _check(self, checkpoint: Checkpoint) -> None:
        found = self._artifacts.describe(checkpoint.key)
        if found.sha256 != checkpoint.sha256:
            raise CheckpointError(
                asked=f"the checkpoint {checkpoint.key!r}",
                found=f"a file with the SHA-256 digest {found.sha256}",
                allowed=f"the digest {checkpoint.sha256}, as it was written",
                advice="check the disk; the checkpoint before it is used",
            )


def superseded(
    checkpoints: Sequence[Checkpoint], *, lower_is_better: bool = False
) -> list[Checkpoint]:
    """The checkpoints, given by ascending step, that are neither new nor the best.

    Args:
        checkpoints: What is saved.
        lower_is_better: Whether the best has the lowest score, as of a perplexity.
    """
    measured = [checkpoint for checkpoint in checkpoints if checkpoint.score is not None]
    choose = min if lower_is_better else max
    best = choose(measured, key=lambda checkpoint: checkpoint.score or 0.0, default=None)
    return [checkpoint for checkpoint in checkpoints[:-KEPT] if checkpoint != best]
