"""What is new of a run, said to every open page at once.

Pages that want the same share one question to the database and one message, so
that a search that twenty tabs watch costs little more than one that a single
tab does. A page first fetches what is there over HTTP; from then on it listens.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import partial

from engine.domain.errors import NotFound

TICK_SECONDS = 0.2
"""Between two looks at a run that somebody watches."""
CALM_SECONDS = 2.0
"""At least, between two questions about a run that rests."""
FAILED, GONE = 1011, 4404
"""Codes with which a connection is closed: see RFC 6455; those from 4000 on are ours."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """What a page wants to hear.

    Attributes:
        what: Name of the channel, such as ``frames``.
        after: The last step that it knows.
        stride: One of how many snapshots it wants.
    """

    what: str
    after: int = -1
    stride: int = 1


@dataclass(frozen=True)
class News:
    """What is to be said for a wish.

    Attributes:
        message: The whole message.
        after: The last step that a page knows once it has it.
        mark: Equal to that of the last message where nothing has changed since.
        calm: Whether little is to be expected, since the run rests.
    """

    message: bytes | str
    after: int
    mark: Hashable
    calm: bool = False


@dataclass(frozen=True)
class Channel:
    """One kind of news.

    Attributes:
        pace_seconds: Between two questions to the database.
        compose: What is to be said for a wish of the run with this number; called in a thread.
    """

    pace_seconds: float
    compose: Callable[[int, Wish], News]


@dataclass(eq=False)
class Listener:
    """One connection of a page.

    Attributes:
        wish: What it wants, as of the message that it was given last.
        mailbox: The message that it has not sent yet, or the code to close with.
        mark: That of the message that it was given last.
        turn: When it was looked after last, in turns of its pace.
        calm: Whether its run rested then.
    """

    wish: Wish
    mailbox: asyncio.Queue[bytes | str | int] = field(default_factory=lambda: asyncio.Queue(1))
    mark: Hashable = None
    turn: int = -1
    calm: bool = False


class Hub:
    """Watches each run that at least one page listens to, and tells them what is new.

    Args:
        channels: By name.
        tick_seconds: Between two looks at a run.
    """

    def __init__(self, channels: dict[str, Channel], *, tick_seconds: float = TICK_SECONDS) -> None:
        self.channels = channels
        self._tick_seconds = tick_seconds
        self._listeners: defaultdict[int, set[Listener]] = defaultdict(set)
        self._watchers: dict[int, asyncio.Task[None]] = {}

    def join(self, run_id: int, listener: Listener) -> None:
        """Tell a listener of a run from now on."""
        self._listeners[run_id].add(listener)
        if run_id not in self._watchers:
            watcher = asyncio.create_task(self._watch(run_id))
            watcher.add_done_callback(partial(self._ended, run_id))
            self._watchers[run_id] = watcher

    def leave(self, run_id: int, listener: Listener) -> None:
        """Forget a listener; with the last one of a run, its watcher ends."""
        self._listeners[run_id].discard(listener)
        if not self._listeners[run_id] and run_id in self._watchers:
            self._watchers.pop(run_id).cancel()
            del self._listeners[run_id]

    async def _watch(self, run_id: int) -> None:
        while True:
            await self._look(run_id)
            await asyncio.sleep(self._tick_seconds)

    def _ended(self, run_id: int, watcher: asyncio.Task[None]) -> None:
        """Close what a watcher leaves behind that could not go on."""
        if self._watchers.get(run_id) is not watcher:
            return  # all had left, and another may watch the run by now
        trouble = None if watcher.cancelled() else watcher.exception()
        if isinstance(trouble, NotFound):
            self._close_all(run_id, GONE)
        elif trouble is not None:
            log.error("run %d is not watched; its pages ask again", run_id, exc_info=trouble)
            self._close_all(run_id, FAILED)

    async def _look(self, run_id: int) -> None:
        """Tell all whose turn it is; those with the same wish share one message.

        Turns are counted alike for all, so that pages that came at different
        times are still asked for together.
        """
        now = time.monotonic()
        wishes: defaultdict[Wish, list[Listener]] = defaultdict(list)
        for listener in self._listeners[run_id]:
            turn = int(now / self._pace(listener))
            if listener.mailbox.empty() and turn > listener.turn:
                listener.turn = turn
                wishes[listener.wish].append(listener)
        for wish, listeners in wishes.items():
            compose = self.channels[wish.what].compose
            news = await asyncio.to_thread(compose, run_id, wish)
            for listener in listeners:
                _tell(listener, news)

    def _pace(self, listener: Listener) -> float:
        pace = self.channels[listener.wish.what].pace_seconds
        return max(pace, CALM_SECONDS) if listener.calm else pace

    def _close_all(self, run_id: int, code: int) -> None:
        self._watchers.pop(run_id, None)
        for listener in self._listeners.pop(run_id, set()):
            while not listener.mailbox.empty():
                listener.mailbox.get_nowait()
            listener.mailbox.put_nowait(code)


def _tell(listener: Listener, news: News) -> None:
    """Put a message into the mailbox where it says something new."""
    if listener.calm != news.calm:
        listener.calm, listener.turn = news.calm, -1
    if listener.mark == news.mark or not listener.mailbox.empty():
        return
    listener.mark = news.mark
    listener.wish = replace(listener.wish, after=news.after)
    listener.mailbox.put_nowait(news.message)
