"""Two readers of the same data that is not there yet, one of them in the midst of its download."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

from engine.data.images import Report
from tests.waiting import PATIENCE_SECONDS


@dataclass(frozen=True)
class Reader:
    """What a reader has got, and what it has said."""

    read: Any
    said: list[str]


def two_readers(read: Callable[[Report], Any]) -> tuple[Reader, Reader]:
    """Let a second one begin where the first has something to say; go on once the second has."""
    first_is_at_it, second_has_spoken = Event(), Event()
    said: tuple[list[str], list[str]] = ([], [])

    def first(sentence: str) -> None:
        said[0].append(sentence)
        first_is_at_it.set()
        assert second_has_spoken.wait(PATIENCE_SECONDS)

    def second(sentence: str) -> None:
        said[1].append(sentence)
        second_has_spoken.set()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(read, first)
        assert first_is_at_it.wait(PATIENCE_SECONDS)
        other = pool.submit(read, second)
        return Reader(one.result(), said[0]), Reader(other.result(), said[1])
