"""Messages to a web address when a run ends or a search goes wrong.

The address is set by whoever runs the engine. A message is JSON; its ``text``
is what chat services show. Messages are sent by a thread of their own, so that
an address that does not answer never holds up a search; what cannot be sent is
noted in the run's event log and forgotten. What ended while no engine lived is
not told.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPException
from queue import SimpleQueue
from typing import Any
from urllib.request import Request, urlopen

from engine.domain.config import SearchConfig
from engine.domain.diagnosis import examine
from engine.domain.errors import NotFound
from engine.domain.health import Health, Verdict
from engine.domain.metrics import main_figure
from engine.domain.ports import RunStore
from engine.domain.run import ENDED, FINAL, EventKind, Run, RunState
from engine.domain.run_list import RunSummary

log = logging.getLogger(__name__)

ALARMS = frozenset({Verdict.STUCK, Verdict.COLLAPSED})
TIMEOUT_SECONDS = 5.0
TRIES = 3

NOT_TAKEN = (OSError, HTTPException, ValueError)
"""What sending raises where nobody listens, where something else than a web server does, and
for an address that is none."""

Message = dict[str, Any]


def post(address: str, message: Mapping[str, Any]) -> None:
    """Send one message.

    Raises:
        OSError: The address did not take it.
        HTTPException: It did not answer as a web server does.
        ValueError: It is no address.
    """
    body = json.dumps(message).encode()
    request = Request(address, data=body, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=TIMEOUT_SECONDS):
        pass


class Alerts:
    """Looks at the runs and tells an address what has become of them.

    Args:
        store: The database; used by whoever calls, never by the thread.
        address: An ``http`` or ``https`` address.
        send: Sends one message.
    """

    def __init__(
        self,
        store: RunStore,
        address: str,
        *,
        send: Callable[[str, Mapping[str, Any]], None] = post,
    ) -> None:
        self._store = store
        self._address = address
        self._send = send
        self._ended = {run.id for run in store.summaries() if run.state in ENDED}
        self._judged: dict[int, int] = {}
        self._alarmed: set[tuple[int, Verdict]] = set()
        self._waiting: SimpleQueue[tuple[int, Message] | None] = SimpleQueue()
        self._given_up: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self._thread = threading.Thread(target=self._deliver, name="alerts", daemon=True)
        self._thread.start()

    def tick(self) -> None:
        """One look: runs that have ended since the last one, searches with a new epoch."""
        self._note_given_up()
        for summary in self._store.summaries():
            try:
                self._look_at(summary)
            except NotFound:
                log.info("run %d: was deleted meanwhile", summary.id)

    def close(self, *, seconds: float = TIMEOUT_SECONDS) -> None:
        """Let what waits be sent, but not for longer than this."""
        self._waiting.put(None)
        self._thread.join(seconds)
        self._note_given_up()

    def _look_at(self, summary: RunSummary) -> None:
        if summary.state in ENDED and summary.id not in self._ended:
            self._ended.add(summary.id)
            run = self._store.run(summary.id)
            self._waiting.put((summary.id, ending(run, self._health(run))))
        elif summary.state is RunState.RUNNING:
            self._judge(summary.id, summary.progress.epoch)

    def _judge(self, run_id: int, epoch: int) -> None:
        if self._judged.get(run_id, 0) == epoch:
            return
        self._judged[run_id] = epoch
        run = self._store.run(run_id)
        health = self._health(run)
        if health is None or health.verdict not in ALARMS:
            return
        if (run_id, health.verdict) in self._alarmed:
            return
        self._alarmed.add((run_id, health.verdict))
        sentence = f"{health.summary} {health.findings[0].advice}"
        message = message_of(run, health.verdict.value, sentence, health)
        self._waiting.put((run_id, message))

    def _health(self, run: Run) -> Health | None:
        """The health of a search; None if there is nothing to judge."""
        space = self._store.space_of(run)
        if space is None or not isinstance(run.config, SearchConfig):
            return None
        epochs = self._store.snapshots(run.id, epochs_only=True)
        return examine(space, run.config, epochs, ended=run.state in FINAL)

    def _deliver(self) -> None:
        while (entry := self._waiting.get()) is not None:
            run_id, message = entry
            for number in range(1, TRIES + 1):
                try:
                    self._send(self._address, message)
                except NOT_TAKEN as error:
                    if number == TRIES:
                        self._give_up(run_id, message, error)
                else:
                    break

    def _give_up(self, run_id: int, message: Message, error: Exception) -> None:
        log.warning("run %d: the webhook did not take a message: %s", run_id, error)
        text = f"The webhook did not take the message {message['event']!r}: {error}"
        self._given_up.put((run_id, text))

    def _note_given_up(self) -> None:
        while not self._given_up.empty():
            run_id, text = self._given_up.get()
            try:
                self._store.note(run_id, EventKind.NOTE, text)
            except NotFound:
                log.info("run %d: was deleted meanwhile", run_id)


def ending(run: Run, health: Health | None) -> Message:
    """The message about a run that has ended, with the verdict on a search."""
    main = main_figure(run.config.task)
    figures = f"{main.label} {main.text(run.progress.score)}"
    sentence = run.error or f"{run.progress.epoch} of {run.config.epochs} epochs, {figures}."
    if health is not None:
        sentence = f"{sentence} {health.summary}"
    return message_of(run, run.state.value, sentence, health)


def message_of(run: Run, event: str, sentence: str, health: Health | None) -> Message:
    """A message with everything that a program may want to know of the run."""
    return {
        "event": event,
        "text": f"Run {run.id} “{run.name}”: {event}. {sentence}",
        "run": run.id,
        "uid": run.uid,
        "name": run.name,
        "state": run.state.value,
        "epoch": run.progress.epoch,
        "epochs": run.config.epochs,
        "score": run.progress.score,
        "score_name": run.progress.score_name,
        "gap": run.progress.gap,
        "verdict": None if health is None else health.verdict.value,
    }
