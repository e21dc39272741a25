"""What this machine uses now: devices, disk and the ends of log files."""

import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pynvml

from app.settings import Settings

TAIL_BYTES = 64 * 1024
TAIL_LINES = 200


@dataclass(frozen=True)
class Use:
    """How busy a device is.

    Attributes:
        load: Share of its time that it works, 0 to 1.
        memory_bytes: Memory in use by all programs.
    """

    load: float
    memory_bytes: int


def name() -> str:
    """What engines on this machine call it."""
    return platform.node() or "this-machine"


def use_by_device() -> dict[str, Use]:
    """The devices of this machine by their id, as engines name them."""
    return {"cpu": _cpu(), **dict(_gpus())}


def _cpu() -> Use:
    return Use(psutil.cpu_percent(interval=None) / 100, psutil.virtual_memory().used)


def _gpus() -> Iterator[tuple[str, Use]]:
    with _driver() as works:
        for index in range(pynvml.nvmlDeviceGetCount() if works else 0):
            try:
                found = _gpu(index)
            except pynvml.NVMLError:
                continue  # such as the load of a GPU that is shared out in parts
            yield found


def _gpu(index: int) -> tuple[str, Use]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    load = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
    return str(pynvml.nvmlDeviceGetUUID(handle)), Use(load, memory)


@contextmanager
def _driver() -> Iterator[bool]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield False
        return
    try:
        yield True
    finally:
        pynvml.nvmlShutdown()


@dataclass(frozen=True)
class Disk:
    """Room on the disk of a home.

    Attributes:
        database: Bytes of the SQLite file with its journal; None for another database.
        artifacts: Bytes of checkpoints and files where they lie in a folder; None elsewhere.
        free: Bytes that are left.
    """

    database: int | None
    artifacts: int | None
    free: int


def disk_of(settings: Settings) -> Disk:
    """What a home takes on its disk, and what is left there."""
    folder = next(p for p in (settings.home, *settings.home.parents) if p.exists())
    database = None
    if settings.database_url.startswith("sqlite:///"):
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        files = [path, path.with_name(path.name + "-wal")]
        database = sum(file.stat().st_size for file in files if file.exists())
    artifacts = Path(settings.artifacts_url)
    taken = _size(artifacts) if artifacts.is_dir() else None
    return Disk(database, taken, shutil.disk_usage(folder).free)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; what goes away meanwhile does not count."""
    total = 0
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.stat(os.path.join(place, file)).st_size
            except FileNotFoundError:
                continue
    return total


def log_files(settings: Settings) -> Mapping[str, Path]:
    """Log files by their names, the engine's first, then those of the latest processes."""
    folder = settings.home / "logs"
    if not folder.is_dir():
        return {}
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    engine = [path for path in files if path.stem == "engine"]
    return {path.name: path for path in (*engine, *(p for p in files if p not in engine))}


def tail(path: Path) -> Sequence[str]:
    """The last lines of a log file, whatever its size."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-TAIL_LINES:]
