"""Which process is meant: a pid alone is not enough, since pids are used again."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

MODULE = ("-P", "-m")
"""How Python starts a process of the studio: a file ``app.py`` in the folder where somebody
happens to be is not taken for the studio's."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SAME_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessIdentity:
    """A process of this machine since it was booted.

    Attributes:
        boot: Identity of the boot, another one after each restart.
        pid: Number of the process.
        started: Seconds between the boot and the start of the process. The
            time of day would jump when the clock is set.
    """

    boot: str
    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """The identity of a process that is there now.

        Raises:
            psutil.NoSuchProcess: It is not.
        """
        return cls(boot_id(), pid, _seconds_after_boot(psutil.Process(pid)))

    @classmethod
    def mine(cls) -> "ProcessIdentity":
        """The identity of this process."""
        return cls.of(os.getpid())

    @classmethod
    def from_json(cls, text: str) -> "ProcessIdentity":
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: The text says something else.
        """
        try:
            fields = json.loads(text)
            return cls(str(fields["boot"]), int(fields["pid"]), float(fields["started"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the identity of a process: {text!r}") from error

    def to_json(self) -> str:
        """As one line of text."""
        return json.dumps(asdict(self), sort_keys=True)

    def process(self) -> psutil.Process | None:
        """The living process; None when it is gone, a zombie, or another one has its pid."""
        if self.boot != boot_id():
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(_seconds_after_boot(process) - self.started) < SAME_SECONDS
            alive = process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.NoSuchProcess:
            return None
        return process if same and alive else None


@cache
def boot_id() -> str:
    """A name for the time since this machine was booted."""
    if BOOT_ID.exists():
        return BOOT_ID.read_text().strip()
    return f"{platform.node()}-{psutil.boot_time():.0f}"


def _seconds_after_boot(process: psutil.Process) -> float:
    return round(process.create_time() - psutil.boot_time(), 2)
