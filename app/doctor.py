"""Is everything there that the studio needs? One line each, with advice."""

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from app import wiring
from app.processes import is_port_free, is_serving, url_of
from app.settings import Settings
from engine.domain.errors import StudioError
from engine.domain.ports import RunStore
from engine.runtime.devices import find_devices

Status = Literal["ok", "warning", "error"]

OLDEST_PYTHON = (3, 11)
PACKAGES = ("egs-studio", "torch", "torchvision", "numpy", "streamlit", "sqlalchemy", "plotly")
LEAST_FREE_BYTES = 2 * 2**30
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: What was looked at.
        status: Whether it stops the studio (``error``), may disturb
            (``warning``), or is well.
        found: What was found.
        advice: What to do; empty where all is well.
    """

    name: str
    status: Status
    found: str
    advice: str = ""


def examine(settings: Settings) -> list[Check]:
    """All findings on this machine."""
    return [
        check_python(),
        *check_packages(),
        *check_devices(settings),
        *check_database(settings),
        check_disk(settings.home),
        *check_data_roots(settings),
        check_port(settings),
        check_chromium(),
    ]


def check_python() -> Check:
    """The interpreter is new enough."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info >= OLDEST_PYTHON:
        return Check("Python", "ok", found)
    return Check("Python", "error", found, "install Python 3.11 or later")


def check_packages() -> Iterator[Check]:
    """The packages are installed; none is imported."""
    for package in PACKAGES:
        try:
            yield Check(package, "ok", metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Check(package, "error", "not installed", "run `make studio` again")


def check_devices(settings: Settings) -> Iterator[Check]:
    """Where searches can run."""
    devices = find_devices(cpu_places=settings.cpu_places)
    gpus = [device for device in devices if device.index is not None]
    try:
        for_cpu_only = metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        for_cpu_only = True
    for device in devices:
        size = f"{device.label}, {device.memory_bytes / 2**30:.0f} GiB"
        yield Check(device.id if device.index is None else f"cuda:{device.index}", "ok", size)
    if gpus and for_cpu_only:
        yield Check("GPU", "warning", "torch without CUDA", "install a CUDA build of torch")
    if not devices:
        yield Check("devices", "error", "none", "set EGS_CPU_PLACES to 1 or more")


def check_database(settings: Settings) -> Iterator[Check]:
    """The database opens and answers, and somebody serves it."""
    place = settings.database_url.split("@")[-1]
    try:
        store = wiring.open_store(settings)
        runs = len(store.runs())
    except StudioError as error:
        yield Check("database", "error", error.found, error.advice)
        return
    yield Check("database", "ok", f"{runs} run(s) in {place}")
    yield _check_engine(store)


def _check_engine(store: RunStore) -> Check:
    from app.studio import living

    nodes = living(store.nodes(), wiring.SystemClock().now())
    if nodes:
        return Check("engine", "ok", ", ".join(node.name for node in nodes))
    return Check("engine", "warning", "none is running", "start `egs up` or `egs engine`")


def check_disk(home: Path) -> Check:
    """There is room for checkpoints."""
    folder = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free at {home}"
    if free < LEAST_FREE_BYTES:
        return Check("disk", "warning", found, "free some space or set EGS_HOME to another disk")
    return Check("disk", "ok", found)


def check_data_roots(settings: Settings) -> Iterator[Check]:
    """The folders that data may be read from are there."""
    for root in settings.data_roots:
        if root.is_dir():
            yield Check("data folder", "ok", str(root))
        else:
            yield Check("data folder", "warning", f"no folder {root}", "correct EGS_DATA_ROOTS")


def check_port(settings: Settings) -> Check:
    """The front end answers or could listen."""
    url = url_of(settings)
    if is_serving(settings):
        return Check("port", "ok", f"the studio answers at {url}")
    if is_port_free(settings):
        return Check("port", "ok", f"{url} is free")
    return Check("port", "warning", f"another program at {url}", "set EGS_PORT to another port")


def check_chromium() -> Check:
    """A browser for the tests, which a user does not need."""
    for name in CHROMIUM:
        path = shutil.which(name)
        if path:
            return Check("Chromium", "ok", path)
    return Check(
        "Chromium",
        "warning",
        "not found; only the browser tests need it",
        "install your system's package, on Debian `apt install chromium`",
    )
