"""Jobs: small pieces of work that a person asks for and an engine does.

Most are about a run; some are about settings of which there is no run yet. A
page only writes the question. An engine takes it beside its searches, in a
process of its own, and writes the answer or the sentence that says why there
is none.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from engine.domain.errors import InvalidConfig

KINDS = ("child", "latency", "export", "data", "preflight", "speed")
"""What can be asked: the figures of a child, its latency, a file that torch has to make; of
settings without a run, what their data are like and how their first steps go; how fast a device
is."""

WITHOUT_RUN = frozenset({"data", "preflight", "speed"})
"""Kinds that are about the settings in their arguments, under ``config``."""


class JobState(StrEnum):
    """Where a job is in its life."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


OPEN = frozenset({JobState.WAITING, JobState.WORKING})
"""States in which an answer is still to come."""

FAILED = frozenset({JobState.FAILED})
ENDED = frozenset({JobState.DONE, JobState.FAILED})
"""States in which nothing more comes by itself."""


@dataclass(frozen=True)
class Job:
    """One question about a run or about settings, and its answer once there is one; times in UTC.

    Attributes:
        id: Number in its database, never given twice.
        run_id: The run that it is about; None if it is about settings.
        kind: What is asked, a name of the table of jobs.
        arguments: With what, as JSON values.
        attempt: How often a process has taken it; fences stale processes.
        crashes: How often a process that had taken it died.
        node: Machine whose engine took it last.
        handle: The launcher's name of the process.
        result: The answer as JSON values; None before it is done.
        error: Why there is none, in a sentence; only of a failed job.
    """

    id: int
    run_id: int | None
    kind: str
    arguments: Mapping[str, Any]
    state: JobState
    created_at: datetime
    attempt: int = 0
    crashes: int = 0
    node: str | None = None
    handle: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether an answer is still to come."""
        return self.state in OPEN


def canonical(values: Mapping[str, Any]) -> str:
    """JSON that is the same text for the same values, whatever their order.

    Raises:
        InvalidConfig: There is no JSON of them, such as of NaN.
    """
    try:
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidConfig(
            asked="a job with these arguments",
            found=f"a value without a JSON form ({error})",
            allowed="text, finite numbers, truth values, lists and mappings",
            advice="correct the arguments",
        ) from None


def question_digest(kind: str, arguments: Mapping[str, Any]) -> str:
    """What two jobs of one run, or of none, share when they ask the same: a SHA-256 digest."""
    return sha256(f"{kind}\n{canonical(arguments)}".encode()).hexdigest()
