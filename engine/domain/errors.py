"""Every refusal the studio can utter, as one tree of exceptions.

A message has four parts: what was asked, what was found, what is allowed, and
what to do next. The parts are separate arguments so that no raise site can
leave one out; they are joined to one sentence unless there is a better text.
"""

from enum import StrEnum
from typing import ClassVar


class FailureReason(StrEnum):
    """Why a run failed, kept apart so that tables can be filtered by it."""

    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    NOT_A_NUMBER = "not_a_number"
    DATA_ERROR = "data_error"
    CONFIG_ERROR = "config_error"
    DEVICE_MISSING = "device_missing"
    DISK_FULL = "disk_full"
    MACHINE_LOST = "machine_lost"


class StudioError(Exception):
    """Something cannot be done; the message says what would work.

    Args:
        asked: What was asked for, values quoted.
        found: What stands in its way.
        allowed: What would have been accepted.
        advice: The next thing to do, as a command to the reader.
        text: The problem and the fix in at most two sentences; empty joins the
            four parts.
    """

    reason: ClassVar[FailureReason] = FailureReason.CRASHED

    def __init__(
        self, *, asked: str, found: str, allowed: str, advice: str, text: str = ""
    ) -> None:
        self.asked = asked
        self.found = found
        self.allowed = allowed
        self.advice = advice
        super().__init__(
            text or f"Asked for {asked}; found {found}; allowed is {allowed}; {advice}."
        )


class InvalidConfig(StudioError):
    """A setting is unknown, of the wrong type or out of bounds."""

    reason = FailureReason.CONFIG_ERROR


class InvalidGenotype(StudioError):
    """A genotype does not belong to its search space or cannot be read."""

    reason = FailureReason.DATA_ERROR


class DataError(StudioError):
    """A data set is missing, empty or malformed."""

    reason = FailureReason.DATA_ERROR


class NoNetwork(DataError):
    """A data set has to be downloaded and the network cannot be reached."""


class DeviceMissing(StudioError):
    """A run asks for a device that this machine does not have."""

    reason = FailureReason.DEVICE_MISSING


class OutOfMemory(StudioError):
    """The device or the machine has no memory left for the search."""

    reason = FailureReason.OUT_OF_MEMORY


class NotANumber(StudioError):
    """A loss is NaN or infinite, so that no further step has a meaning."""

    reason = FailureReason.NOT_A_NUMBER


class DiskFull(StudioError):
    """A file could not be written to its end."""

    reason = FailureReason.DISK_FULL


class CheckpointError(StudioError):
    """A checkpoint cannot be read, or belongs to something else."""


class NotFound(StudioError):
    """No run, snapshot or artifact has the given identity."""


class WrongState(StudioError):
    """A run is in a state from which the request makes no sense."""


class Fenced(StudioError):
    """A newer attempt owns the run; the writer has to end without a trace."""


class EngineAlreadyRunning(StudioError):
    """Another engine serves this database from the same machine."""


class NewerDatabase(StudioError):
    """The database was written by a later version of the studio."""


class UnsafeDatabase(StudioError):
    """The database cannot keep its promises where it lies."""
