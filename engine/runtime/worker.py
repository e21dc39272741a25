"""One attempt at one run, from its first step or checkpoint to its end.

The worker owns the search; the database owns the truth. Whatever happens
here, a kill included, the next attempt continues from the last checkpoint
and computes the same numbers.
"""

import logging
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import Protocol

import torch

from engine.data.signs import Alive
from engine.domain.config import AnyConfig, SearchConfig
from engine.domain.diagnosis import examine
from engine.domain.errors import DeviceMissing, FailureReason, Fenced
from engine.domain.health import Health, Verdict
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.run import Checkpoint, EventKind, Request, Run, RunState
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.evaluate.loop import TrainingLoop
from engine.optimisation.loop import Loop
from engine.runtime.build import build_loop
from engine.runtime.checkpoints import Checkpoints
from engine.runtime.devices import CPU
from engine.runtime.failures import explain
from engine.runtime.forks import start_from_origin
from engine.runtime.recorded_data import check_recorded_data, record_data, recorded_digest
from engine.runtime.recorder import Recorder, StoreLost
from engine.runtime.start_weights import start_weights
from engine.runtime.steering import Steering
from engine.search.loop import SearchLoop

log = logging.getLogger(__name__)


class Exit(IntEnum):
    """What a worker process ends with."""

    DONE = 0
    FAILED = 1
    FENCED = 3
    GIVEN_UP = 4
    STORE_LOST = 75


class BuildLoop(Protocol):
    """Makes a search or a training at its first step: :func:`engine.runtime.build.build_loop`."""

    def __call__(
        self,
        config: AnyConfig,
        device: torch.device,
        *,
        report: Callable[[str], None],
        cache: Path | None,
        alive: Alive,
    ) -> Loop:
        """The search or training of a configuration on a device."""


@dataclass(frozen=True)
class Outcome:
    """The state in which the run is left, and the sentence about it."""

    state: RunState
    why: str
    failure: FailureReason | None = None


COMPLETED = Outcome(RunState.COMPLETED, "All epochs are done.")
WISHES = {
    Request.PAUSE: Outcome(RunState.PAUSED, "Paused as asked, with a checkpoint."),
    Request.STOP: Outcome(RunState.STOPPED, "Stopped as asked, with a checkpoint."),
}
ENGINE_STOPS = Outcome(
    RunState.QUEUED, "The engine is stopping; the run continues from its checkpoint later."
)
NO_PROGRESS = Outcome(
    RunState.QUEUED, "Ended for want of progress; the run continues from its checkpoint."
)

UNHEALTHY = frozenset({Verdict.STUCK, Verdict.COLLAPSED})


class _Interrupted(Exception):
    """A signal came while nothing was there to save yet."""


class _Signals:
    """SIGTERM and SIGINT: noted between steps, raised while the search is built."""

    def __init__(self) -> None:
        self.received = False
        self._interrupts = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle both signals here, and as before afterwards."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Within, a signal raises :class:`_Interrupted`."""
        self._interrupts = True
        try:
            if self.received:
                raise _Interrupted
            yield
        finally:
            self._interrupts = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.received = True
        if self._interrupts:
            raise _Interrupted


def work(
    store: RunStore,
    artifacts: ArtifactStore,
    run_id: int,
    attempt: int,
    *,
    cache: Path | None = None,
    build: BuildLoop = build_loop,
) -> int:
    """Run or continue a search or a training until it ends, is asked to leave, or fails.

    Must be called from the main thread, since it handles SIGTERM and SIGINT:
    both make a checkpoint and put the run back into the queue. Where the engine
    sends one for want of progress and there is nothing to save yet, the run is
    left as it is: the engine counts a crash.

    Args:
        store: The database.
        artifacts: Where checkpoints go.
        run_id: The run.
        attempt: The attempt that this process is; another one fences it.
        cache: Folder for downloaded data sets.
        build: Makes the search or the training.

    Returns:
        The exit code, one of :class:`Exit`.
    """
    run = store.run(run_id)
    if run.attempt != attempt or run.state is not RunState.RUNNING:
        log.warning("run %d: attempt %d is not the present one", run_id, attempt)
        return Exit.FENCED
    try:
        return _Attempt(store, artifacts, run, cache, build).run_to_end()
    except Fenced as error:
        log.warning("run %d: %s", run_id, error)
        return Exit.FENCED
    except StoreLost:
        log.exception("run %d: the database failed; the engine will try again", run_id)
        return Exit.STORE_LOST


class _Attempt:
    """The state of one call of :func:`work`."""

    def __init__(
        self,
        store: RunStore,
        artifacts: ArtifactStore,
        run: Run,
        cache: Path | None,
        build: BuildLoop,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._run = run
        self._cache = cache
        self._build = build
        self._signals = _Signals()
        self._recorder = Recorder(store, run.id, run.attempt, progress=run.progress)
        self._checkpoints = Checkpoints(store, artifacts, run)
        self._steering = Steering(store, run)
        self._saved: tuple[int, int] | None = None
        self._saved_at = time.monotonic()

    def run_to_end(self) -> Exit:
        """Search, then leave the run in the state that fits."""
        try:
            with self._signals.caught():
                outcome = self._record()
                if outcome is None:
                    return Exit.GIVEN_UP
        except (Fenced, StoreLost):
            raise
        except Exception as error:  # one of two places: anything becomes FAILED with its reason
            outcome = self._failed(error)
        if outcome.state in {RunState.COMPLETED, RunState.STOPPED}:
            self._steering.close("the search ended before")
        self._store.transition(
            self._run.id,
            outcome.state,
            why=outcome.why,
            attempt=self._run.attempt,
            failure=outcome.failure,
            error=outcome.why if outcome.failure else None,
        )
        return Exit.FAILED if outcome.failure else Exit.DONE

    def _failed(self, error: Exception) -> Outcome:
        log.error("run %d failed", self._run.id, exc_info=error)
        self._store.beat(self._run.id, self._run.attempt)
        trace = "".join(traceback.format_exception(error))
        self._store.note(self._run.id, EventKind.ERROR, trace)
        reason, sentence = explain(error)
        return Outcome(RunState.FAILED, sentence, reason)

    def _record(self) -> Outcome | None:
        """The search with its recorder; the run is still RUNNING on return.

        None: the engine has given this process up, and there is nothing to save.
        """
        with self._recorder:
            try:
                with self._signals.interrupting():
                    loop = self._prepare()
            except _Interrupted:
                outcome = self._leaving()
                return None if outcome is NO_PROGRESS else outcome
            return self._search(loop)

    def _prepare(self) -> Loop:
        """The search at its first step or at its last checkpoint."""
        device = torch_device(self._run)
        set_up_torch(self._run.config, device)
        loop = self._build(
            self._steering.first_config,
            device,
            report=self._recorder.report,
            cache=self._cache,
            alive=self._recorder.alive,
        )
        checkpoint = self._restored(loop)
        if checkpoint is not None:
            self._saved = (checkpoint.step, checkpoint.epoch)
            self._recorder.report(f"Continues from the checkpoint of step {checkpoint.step}.")
        elif isinstance(loop, TrainingLoop):
            self._take_over_weights(loop)
        elif isinstance(loop, SearchLoop) and loop.config.origin:
            report = self._recorder.report
            start_from_origin(self._store, self._artifacts, self._run, loop, report)
            self._save(loop, measured=False)
        self._steering.replay(loop)
        return loop

    def _take_over_weights(self, loop: TrainingLoop) -> None:
        """Start from the weights of another training, where the settings name one."""
        weights = start_weights(self._store, self._artifacts, loop.config)
        if weights is not None:
            self._recorder.report(
                f"Starts from the training {loop.config.start_from}: {loop.start_from(weights)} "
                f"of its {len(weights)} tensors fit."
            )

    def _restored(self, loop: Loop) -> Checkpoint | None:
        """The checkpoint that the loop now stands at; None where the run has none.

        Only with the data that it was written with. What the data of a run are is
        written down when it starts.
        """
        if self._store.checkpoints(self._run.id):
            check_recorded_data(self._artifacts, self._run, loop)
        checkpoint = self._checkpoints.restore(loop, self._recorder.report)
        if checkpoint is None or recorded_digest(self._artifacts, self._run) is None:
            record_data(self._artifacts, self._run, loop)
        return checkpoint

    def _search(self, loop: Loop) -> Outcome:
        if (early := self._ended_early(loop)) is not None:
            return early
        for snapshot in loop.steps():
            self._recorder.put(snapshot, loop.progress)
            if is_epoch_end(snapshot) or self._is_checkpoint_due(loop):
                self._save(loop, measured=is_epoch_end(snapshot))
            outcome = self._leaving()
            if outcome is not None:
                self._save(loop, measured=False)
                return outcome
            self._steering.take(loop, self._recorder.wishes)
            if is_epoch_end(snapshot) and (early := self._ended_early(loop)) is not None:
                return early
        self._save(loop, measured=False)
        return completed(self._health(loop))

    def _ended_early(self, loop: Loop) -> Outcome | None:
        """Why a search ends before its last epoch, if its settings ask for that."""
        config = loop.config
        if not isinstance(config, SearchConfig):
            return None
        if not config.stop_settled_epochs and not config.stop_unhealthy:
            return None
        return early_end(self._health(loop), config)

    def _health(self, loop: Loop) -> Health | None:
        """The health of a search; None of a training."""
        if not isinstance(loop.config, SearchConfig):
            return None
        epochs = self._store.snapshots(self._run.id, epochs_only=True)
        return examine(loop.space, loop.config, epochs)

    def _leaving(self) -> Outcome | None:
        """Why the search has to be left now, if it has; wishes go before signals."""
        request = self._recorder.request
        if request is not None:
            return WISHES[request]
        if not self._signals.received:
            return None
        return NO_PROGRESS if self._is_given_up() else ENGINE_STOPS

    def _is_given_up(self) -> bool:
        """Whether the engine ends this process for want of progress: it logs that as an error."""
        return any(
            event.kind is EventKind.ERROR and event.attempt == self._run.attempt
            for event in self._store.events(self._run.id)
        )

    def _is_checkpoint_due(self, loop: Loop) -> bool:
        return time.monotonic() - self._saved_at >= 60.0 * loop.config.checkpoint_minutes

    def _save(self, loop: Loop, *, measured: bool) -> None:
        """Commit the history, then checkpoint, unless this place is saved already."""
        self._recorder.flush()
        place = (loop.progress.step, loop.progress.epoch)
        if place != self._saved:
            self._checkpoints.save(loop, measured=measured)
            self._saved = place
        self._saved_at = time.monotonic()


def completed(health: Health | None) -> Outcome:
    """The end of a search after its last epoch, with its verdict; or of a training."""
    return (
        COMPLETED if health is None else replace(COMPLETED, why=f"{COMPLETED.why} {health.summary}")
    )


def early_end(health: Health | None, config: SearchConfig) -> Outcome | None:
    """What the health of a search comes to under its own settings; None: it goes on."""
    if health is None:
        return None
    if config.stop_unhealthy and health.verdict in UNHEALTHY:
        return Outcome(RunState.STOPPED, f"Stopped as stop_unhealthy asks. {health.summary}")
    if 0 < config.stop_settled_epochs <= health.settled_for:
        return Outcome(
            RunState.COMPLETED,
            f"The derived architecture has stayed the same for {health.settled_for} epochs, as "
            "stop_settled_epochs asks.",
        )
    return None


def is_epoch_end(snapshot: Snapshot | None) -> bool:
    """Whether a step closed an epoch."""
    return snapshot is not None and snapshot.kind is SnapshotKind.EPOCH


def torch_device(run: Run) -> torch.device:
    """The device that the engine gave to a run; of the GPUs, a worker sees that one only.

    Raises:
        DeviceMissing: This installation of torch cannot use it.
    """
    if run.device in (None, CPU):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceMissing(
            asked=f"the GPU {run.device!r}",
            found=f"torch {torch.__version__}, which cannot use it",
            allowed="a torch built for this GPU's driver, or device = 'cpu'",
            advice="install the CUDA build of torch or start a new search with device = 'cpu'",
        )
    return torch.device("cuda", 0)


def set_up_torch(config: AnyConfig, device: torch.device) -> None:
    """Threads as configured; on a CPU, kernels that repeat a search bit for bit."""
    torch.set_num_threads(config.cpu_threads or os.cpu_count() or 1)
    torch.use_deterministic_algorithms(device.type == "cpu")
    # Nothing here reads memory before it is written; filling it costs a step some 5 %.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
