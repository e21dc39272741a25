"""Devices, disk and logs of this machine."""

from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from app import machine
from app.machine import TAIL_LINES, Use, disk_of, log_files, tail, use_by_device
from app.settings import Settings
from app.wiring import open_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"EGS_HOME": str(tmp_path / "home")})


def test_the_cpu_is_in_use():
    use = use_by_device()["cpu"]
    assert 0 <= use.load <= 1
    assert 0 < use.memory_bytes <= psutil.virtual_memory().total


def test_a_gpu_that_does_not_tell_its_load_leaves_the_others(monkeypatch):
    """Drivers refuse it for GPUs that are shared out in parts; there is none here."""

    def found(index: int):
        if index == 0:
            raise machine.pynvml.NVMLError(machine.pynvml.NVML_ERROR_NOT_SUPPORTED)
        return "GPU-b", Use(0.5, 2**30)

    @contextmanager
    def works():
        yield True

    monkeypatch.setattr(machine, "_driver", works)
    monkeypatch.setattr(machine, "_gpu", found)
    monkeypatch.setattr(machine.pynvml, "nvmlDeviceGetCount", lambda: 2)
    assert set(use_by_device()) == {"cpu", "GPU-b"}


def test_disk_counts_the_database_and_every_file(settings: Settings):
    before = disk_of(settings)
    assert (before.database, before.artifacts) == (0, None)
    assert before.free > 0
    open_store(settings)
    folder = Path(settings.artifacts_url) / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "one.pt").write_bytes(b"x" * 1000)
    (folder.parent / "two.json").write_bytes(b"y" * 24)
    after = disk_of(settings)
    assert after.artifacts == 1024
    assert after.database is not None
    assert after.database >= (settings.home / "studio.db").stat().st_size


def test_another_database_takes_no_room_here(tmp_path: Path):
    settings = Settings.from_environment(
        {"EGS_HOME": str(tmp_path), "EGS_DATABASE_URL": "postgresql://host/name"}
    )
    assert disk_of(settings).database is None


def test_logs_begin_with_the_engine_and_end_where_the_file_ends(settings: Settings):
    assert log_files(settings) == {}
    folder = settings.home / "logs"
    folder.mkdir(parents=True)
    (folder / "engine.log").write_text("one\n")
    (folder / "run-1-attempt-1.log").write_bytes(b"\xff\n" + b"line\n" * 100_000 + b"last\n")
    files = log_files(settings)
    assert list(files) == ["engine.log", "run-1-attempt-1.log"]
    lines = tail(files["run-1-attempt-1.log"])
    assert (len(lines), lines[-1]) == (TAIL_LINES, "last")
    assert tail(folder / "gone.log") == []
