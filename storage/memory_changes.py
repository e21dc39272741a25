"""Changes of searches that go on, in the memory of one process."""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from threading import RLock
from typing import Any

from engine.domain.config import SearchConfig
from engine.domain.jobs import canonical
from engine.domain.ports import Clock
from engine.domain.run import EventKind, Run, RunState
from engine.domain.steering import Change
from storage import changes, refusals


class MemoryChanges(ABC):
    """The part of :class:`~engine.domain.ports.RunStore` that is about changes."""

    _clock: Clock
    _lock: RLock

    def __init__(self) -> None:
        self._changes: defaultdict[int, dict[int, Change]] = defaultdict(dict)

    @abstractmethod
    def run(self, run_id: int) -> Run:
        """See :class:`RunStore`."""

    @abstractmethod
    def _owned(self, run_id: int, attempt: int) -> Run:
        """The run, if this attempt owns it."""

    @abstractmethod
    def _put(self, run: Run, kind: EventKind, text: str) -> Run:
        """Keep the run and add a line to its log."""

    def ask_change(self, run_id: int, settings: Mapping[str, Any]) -> Change:
        """See :class:`RunStore`."""
        with self._lock:
            run = self.run(run_id)
            if run.state not in refusals.CHANGEABLE | {RunState.RUNNING}:
                allowed = refusals.CHANGEABLE | {RunState.RUNNING}
                raise refusals.wrong_state(f"a change of run {run_id}", run.state, allowed)
            number = len(self._changes[run_id]) + 1
            change = Change(number, self._clock.now(), json.loads(canonical(settings)))
            self._changes[run_id][number] = change
            self._put(run, EventKind.REQUEST, changes.asked_words(change))
            return change

    def changes(self, run_id: int) -> list[Change]:
        """See :class:`RunStore`."""
        with self._lock:
            return list(self._changes[self.run(run_id).id].values())

    def take_change(
        self,
        run_id: int,
        number: int,
        config: SearchConfig,
        *,
        step: int,
        attempt: int | None = None,
    ) -> Change:
        """See :class:`RunStore`."""
        with self._lock:
            run = self.run(run_id) if attempt is None else self._owned(run_id, attempt)
            if attempt is None and run.state not in refusals.CHANGEABLE:
                asked = f"a change of run {run_id} at once"
                raise refusals.wrong_state(asked, run.state, refusals.CHANGEABLE)
            run, change = changes.taken(run, self._change(run_id, number), config, step)
            self._changes[run_id][number] = change
            self._put(run, EventKind.CHANGE, changes.taken_words(change))
            return change

    def refuse_change(self, run_id: int, number: int, why: str) -> None:
        """See :class:`RunStore`."""
        with self._lock:
            change = self._change(run_id, number)
            changes.require_pending(run_id, change)
            self._changes[run_id][number] = replace(change, refused=why)
            self._put(self.run(run_id), EventKind.CHANGE, changes.refused_words(change, why))

    def _change(self, run_id: int, number: int) -> Change:
        found = self._changes[self.run(run_id).id]
        if number not in found:
            raise refusals.no_such_change(run_id, number)
        return found[number]
