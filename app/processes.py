"""Starting and ending the studio's own processes: engine and front end."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from app.settings import Settings
from engine.domain.errors import StudioError
from engine.runtime.identity import MODULE

ENGINE = (*MODULE, "app.cli", "engine")
FRONT_END = (*MODULE, "app.serve")
TAIL_BYTES = 4000
SHORT_LIFE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 30.0
ANSWER_SECONDS = 2.0
"""A front end that takes longer to say that it is there is not."""


class ProcessEnded(StudioError):
    """A process of the studio ended where it should have stayed."""


class PortTaken(StudioError):
    """Another program listens where the front end would."""


@dataclass
class Child:
    """One process of the studio, its output in a file, started again if it ends.

    It has a session of its own, so that Ctrl-C reaches only whoever started
    it, who then ends the children in order.

    Attributes:
        name: Of the process and its log file.
        arguments: What follows the Python interpreter.
        settings: Where the log goes, and what the process inherits.
    """

    name: str
    arguments: Sequence[str]
    settings: Settings
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    _started_at: float = field(default=0.0, repr=False)
    _next_start_at: float = field(default=0.0, repr=False)

    @property
    def log(self) -> Path:
        """The file that takes its output."""
        return self.settings.home / "logs" / f"{self.name}.log"

    def start(self) -> None:
        """Start the process."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment_of(self.settings)},
                start_new_session=True,
            )
        self._started_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def keep_alive(self) -> None:
        """Start it again if it has ended, later each time that it ended soon."""
        now = time.monotonic()
        if self.is_alive:
            return
        if self._next_start_at <= self._started_at:
            soon = now - self._started_at < SHORT_LIFE_SECONDS
            self.deaths = self.deaths + 1 if soon else 1
            self._next_start_at = now + min(2.0 ** (self.deaths - 1), LONGEST_PAUSE_SECONDS)
        if now >= self._next_start_at:
            self.start()

    def end(self, grace_seconds: float) -> None:
        """Ask it to end, and force it after the grace."""
        if self.process is None:
            return
        if self.is_alive:
            self.process.terminate()
        try:
            self.process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        """The last line that it printed."""
        return last_line(self.log)


def engine(settings: Settings, *, until_idle: bool = False) -> Child:
    """The engine, not started yet."""
    extra = ("--until-idle",) if until_idle else ()
    return Child("engine", (*ENGINE, *extra), settings)


def front_end(settings: Settings) -> Child:
    """The front end, not started yet."""
    return Child("front-end", FRONT_END, settings)


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as the variables from which a child reads them."""
    return {
        "EGS_HOME": str(settings.home),
        "EGS_DATABASE_URL": settings.database_url,
        "EGS_ARTIFACTS": settings.artifacts_url,
        "EGS_CPU_PLACES": str(settings.cpu_places),
        "EGS_GPU_PLACES": str(settings.gpu_places),
        "EGS_DATA_ROOTS": os.pathsep.join(str(root) for root in settings.data_roots),
        "EGS_HOST": settings.host,
        "EGS_PORT": str(settings.port),
        "PYTHONUNBUFFERED": "1",
    }


def url_of(settings: Settings) -> str:
    """Where a browser on this machine finds the front end."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def is_serving(settings: Settings) -> bool:
    """Whether the front end answers."""
    try:
        with urllib.request.urlopen(
            f"{url_of(settings)}/_stcore/health", timeout=ANSWER_SECONDS
        ) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, HTTPException, OSError):
        return False


def is_port_free(settings: Settings) -> bool:
    """Whether the front end could listen."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((settings.host, settings.port))
        except OSError:
            return False
    return True


def check_port(settings: Settings) -> None:
    """Refuse a port that is taken.

    Raises:
        PortTaken: Then.
    """
    if is_port_free(settings):
        return
    ours = is_serving(settings)
    raise PortTaken(
        asked=f"the address {url_of(settings)}",
        found="a studio that is running there already" if ours else "another program there",
        allowed="a free port",
        advice="use it, or end it first" if ours else "end it, or set EGS_PORT to another port",
    )


def wait_until_serving(child: Child, *, seconds: float) -> None:
    """Wait until the front end answers.

    Raises:
        ProcessEnded: It ended, or did not answer in time.
    """
    give_up_at = time.monotonic() + seconds
    while not is_serving(child.settings):
        late = time.monotonic() > give_up_at
        if late or not child.is_alive:
            raise ProcessEnded(
                asked="the front end",
                found="no answer in time" if late else f"that it ended: {child.last_words()}",
                allowed="a front end that answers",
                advice=f"read {str(child.log)!r} and run `egs doctor`",
            )
        time.sleep(0.1)


def last_line(path: Path) -> str:
    """The last line of a log that is not empty."""
    if not path.exists():
        return "it printed nothing"
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it printed nothing"
