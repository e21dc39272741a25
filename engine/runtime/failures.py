"""From any exception to the reason and the sentence that a person reads."""

import errno
from collections.abc import Iterator

from engine.domain.errors import DiskFull, FailureReason, OutOfMemory, StudioError
from engine.optimisation.out_of_memory import is_out_of_memory

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def explain(error: BaseException) -> tuple[FailureReason, str]:
    """Why a search failed, and one sentence about it.

    Looks through what the exception was raised from, since torch wraps the
    errors of the file that it writes to.
    """
    for each in _chain(error):
        if isinstance(each, StudioError):
            return each.reason, str(each)
        if is_out_of_memory(each):
            return OutOfMemory.reason, str(_out_of_memory(each))
        if isinstance(each, OSError) and each.errno in NO_ROOM:
            return DiskFull.reason, str(_disk_full(each))
    return FailureReason.CRASHED, f"The search ended with {_named(error)}"


def last_words(printed: str) -> str:
    """How a process's log ends, as the end of a sentence."""
    lines = printed.strip().splitlines()
    return f"its log ends with: {lines[-1].strip()}" if lines else "it printed nothing."


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _out_of_memory(error: BaseException) -> OutOfMemory:
    return OutOfMemory(
        asked="memory for the next step",
        found=_named(error),
        allowed="a search that fits into the memory of its device",
        advice="lower batch_size, channels or cells, or set gradient = 'sampled', "
        "and start a new search",
    )


def _disk_full(error: OSError) -> DiskFull:
    return DiskFull(
        asked=f"to write {error.filename!r}" if error.filename else "to write a file",
        found=error.strerror or "no room",
        allowed="a disk with room for one more checkpoint",
        advice="make room and resume the run; its last checkpoint is intact",
    )


def _named(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
