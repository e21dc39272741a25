"""One process at a time at the files of a data set that is downloaded."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from engine.data.images import Report
from engine.data.signs import Alive, unheard

WAIT_SECONDS = 0.2
"""Between two tries to get a lock that another process has."""


@contextmanager
def alone_at(label: str, root: Path, report: Report, *, alive: Alive = unheard) -> Iterator[None]:
    """Within, no other process fetches or unpacks the same data set.

    The file ``<root>.lock`` beside the folder is locked. It stays there, empty;
    the system unlocks it when its process ends, however that happens. Where
    nothing can be locked, as beside a folder that may only be read, nobody waits.

    Args:
        label: Name of the data set for people.
        root: Folder of the data set.
        report: Takes one sentence if another process has to be waited for.
        alive: Called while it is waited for.
    """
    with _lock_file(root) as file:
        if file is not None:
            _lock(file, label, report, alive)
        yield


def _lock_file(root: Path) -> AbstractContextManager[IO[bytes] | None]:
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        return root.with_name(f"{root.name}.lock").open("ab")
    except OSError:
        return nullcontext()


def _lock(file: IO[bytes], label: str, report: Report, alive: Alive) -> None:
    if _is_free(file):
        return
    report(f"Waiting for another process, which downloads or unpacks {label}")
    while not _is_free(file):
        alive()
        time.sleep(WAIT_SECONDS)


def _is_free(file: IO[bytes]) -> bool:
    """Whether nobody else has the lock; it is ours then."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without locks.
        return True
    return True
