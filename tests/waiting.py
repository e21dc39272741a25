"""Waiting for what has to happen, however quick or slow the machine is.

A test names the state that it waits for and looks until it is there. Whatever runs beside the test
is held by a gate meanwhile, so that the state stays: see ``tests/processes/gate.py``.
"""

import os
import time
from collections.abc import Callable

PATIENCE_SECONDS = float(os.environ.get("TEST_PATIENCE_SECONDS", "300"))
"""How long a test waits before it fails; one that passes never waits so long."""

LATE_SECONDS = float(os.environ.get("TEST_LATE_SECONDS", "0"))
"""By how much a test comes late to all that it waits for: as if everything beside it were quick."""

LOOK_SECONDS = 0.02


def until(
    holds: Callable[[], object], what: str, *, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Return once a condition holds.

    Args:
        holds: The condition.
        what: Names it, where it never comes to hold.
        patience_seconds: How long to wait.

    Raises:
        AssertionError: Patience is over.
    """
    give_up_at = time.monotonic() + patience_seconds
    while not holds():
        assert time.monotonic() < give_up_at, f"waited {patience_seconds:.0f} s for {what}"
        time.sleep(LOOK_SECONDS)
    come_late()


def come_late() -> None:
    """Let everything that goes on beside the test go on for a while."""
    time.sleep(LATE_SECONDS)
