"""Changes of a running search: when they come into force, and again after a kill."""

from collections.abc import Iterable

from engine.domain.config import AnyConfig, SearchConfig
from engine.domain.errors import StudioError, WrongState
from engine.domain.item_patterns import check_items
from engine.domain.ports import RunStore
from engine.domain.run import Run
from engine.domain.steering import (
    Change,
    changed,
    config_after,
    first_config,
    in_force,
    refuse_late_end,
)
from engine.optimisation.loop import Loop
from engine.search.loop import SearchLoop


class Steering:
    """The changes of one attempt at a search.

    A change is written down with its step before any update is done with it.
    So whatever a killed process has recorded, the next one finds when each
    setting came into force, and computes the same numbers.

    Args:
        store: Holds the changes.
        run: As it was claimed.
    """

    def __init__(self, store: RunStore, run: Run) -> None:
        self._store = store
        self._run = run
        self._changes = store.changes(run.id)
        self._config = run.config
        self._settled: set[int] = set()

    @property
    def first_config(self) -> AnyConfig:
        """The settings to build the loop with: those before any change."""
        if isinstance(self._config, SearchConfig):
            return first_config(self._config, self._changes)
        return self._config

    def replay(self, loop: Loop) -> None:
        """Let the loop know every change that came into force, at its own step."""
        if not isinstance(loop, SearchLoop) or not isinstance(self._config, SearchConfig):
            return
        for step, _ in in_force(self._changes):
            loop.steer(step, config_after(self._config, self._changes, step))

    def take(self, loop: Loop, pending: Iterable[Change]) -> None:
        """Let wishes come into force at the loop's next update, or refuse them.

        Never before an earlier change that is still to be repeated after a
        kill: later wishes count more.
        """
        if not isinstance(loop, SearchLoop):
            return
        for change in pending:
            if change.number not in self._settled:
                self._settled.add(change.number)
                self._take(loop, change)

    def _take(self, loop: SearchLoop, change: Change) -> None:
        last = max((step for step, _ in in_force(self._changes)), default=0)
        step = max(loop.progress.step, last)
        assert isinstance(self._config, SearchConfig)
        try:
            config = changed(self._config, change.settings)
            check_items(config, loop.space)
            total = self._config.epochs * loop.task.steps_per_epoch
            refuse_late_end(self._config, config, step=step, total=total)
        except StudioError as error:
            self._store.refuse_change(self._run.id, change.number, str(error))
            return
        taken = self._store.take_change(
            self._run.id, change.number, config, step=step, attempt=self._run.attempt
        )
        self._changes.append(taken)
        self._config = config
        loop.steer(step, config)

    def close(self, why: str) -> None:
        """Refuse what came too late, when the search ends for good."""
        for change in self._store.changes(self._run.id):
            if change.is_pending:
                try:
                    self._store.refuse_change(self._run.id, change.number, why)
                except WrongState:
                    continue
