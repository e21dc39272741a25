"""Settings from the environment, and what they open."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from app.wiring import SystemClock, open_artifacts, open_store
from engine.domain.errors import InvalidConfig


def test_without_variables_everything_lies_below_the_home_of_the_user() -> None:
    settings = Settings.from_environment({})
    home = Path("~/.egs-studio").expanduser()
    assert settings == Settings(home, f"sqlite:///{home}/studio.db", f"{home}/artifacts")
    assert (settings.host, settings.port) == ("127.0.0.1", 8501)


def test_every_variable_is_read(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {
            "EGS_HOME": str(tmp_path),
            "EGS_DATABASE_URL": "postgresql://db/egs",
            "EGS_ARTIFACTS": "s3://bucket/egs",
            "EGS_CPU_PLACES": "3",
            "EGS_GPU_PLACES": "2",
            "EGS_DATA_ROOTS": os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b")]),
            "EGS_HOST": "0.0.0.0",
            "EGS_PORT": "9000",
        }
    )
    roots = (tmp_path / "a", tmp_path / "b")
    assert settings == Settings(
        tmp_path, "postgresql://db/egs", "s3://bucket/egs", 3, 2, roots, "0.0.0.0", 9000
    )


@pytest.mark.parametrize("value", ["0", "65536", "-1", "8501.0", "eight", "٣"])
def test_wrong_number_is_one_sentence(value: str) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        Settings.from_environment({"EGS_PORT": value})
    assert str(refusal.value) == (
        f"Asked for EGS_PORT={value!r}; found not such a number; allowed is a whole number from "
        "1 to 65535; correct or unset the variable EGS_PORT."
    )


@pytest.mark.parametrize(("value", "allowed"), [("", False), ("0", False), ("1", True)])
def test_remote_addresses_are_allowed_by_1_only(value: str, allowed: bool) -> None:
    assert Settings.from_environment({"EGS_ALLOW_REMOTE": value}).allow_remote is allowed
    with pytest.raises(InvalidConfig, match="EGS_ALLOW_REMOTE='no'"):
        Settings.from_environment({"EGS_ALLOW_REMOTE": "no"})


def test_settings_open_a_store_and_artifacts(tmp_path: Path) -> None:
    settings = Settings.from_environment({"EGS_HOME": str(tmp_path / "new home")})
    assert open_store(settings).runs() == []
    artifacts = open_artifacts(settings)
    with artifacts.write("x") as file:
        file.write(b"x")
    assert (tmp_path / "new home" / "artifacts" / "x").read_bytes() == b"x"
    url = Settings(tmp_path, "", f"file://{tmp_path}/new%20home/artifacts".replace("%20", " "))
    assert open_artifacts(url).keys("") == ["x"]


def test_clock_tells_utc() -> None:
    offset = SystemClock().now().utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0


def test_opening_a_store_loads_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys; from app.settings import Settings; from app.wiring import *\n"
        "settings = Settings.from_environment(); open_store(settings); open_artifacts(settings)\n"
        "print('torch' in sys.modules, 'alembic' in sys.modules)"
    )
    environment = {**os.environ, "EGS_HOME": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert outputs == ["False True\n", "False False\n"]
