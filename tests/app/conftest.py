"""The command line in this process, on a home of its own."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app import cli
from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio
from tests.ports import reserved_port


class Said(NamedTuple):
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("EGS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EGS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with reserved_port() as port:
        monkeypatch.setenv("EGS_PORT", str(port))
        yield tmp_path / "home"


@pytest.fixture
def studio(home: Path) -> Studio:
    return open_studio(Settings.from_environment())


@pytest.fixture
def egs(home: Path, monkeypatch, capsys) -> Callable[..., Said]:
    """Run the command in this process, exactly as its entry point does."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["egs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run
