"""Every store that has to keep the contracts, each empty for each test."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from engine.domain.ports import ArtifactStore, RunStore
from storage.artifacts import FolderArtifacts, FsspecArtifacts
from storage.memory_store import MemoryStore
from storage.sql_store import SqlStore
from tests.contracts.samples import HeldClock
from tests.waiting import PATIENCE_SECONDS, until


def _postgres_binary(name: str) -> str | None:
    found = shutil.which(name)
    if found:
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else None


def _unprivileged() -> dict[str, object]:
    """How to start the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A connection string, with {name} for the database, of a running server."""
    if "EGS_TEST_POSTGRES_URL" in os.environ:
        base = os.environ["EGS_TEST_POSTGRES_URL"].rpartition("/")[0]
        yield base + "/{name}"
        return
    initdb, postgres = _postgres_binary("initdb"), _postgres_binary("postgres")
    if initdb is None or postgres is None:
        reason = "no PostgreSQL here: install it, or set EGS_TEST_POSTGRES_URL"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="egs-pg-"))
    identity = _unprivileged()
    if identity:
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    options = ["-A", "trust", "-U", "egs", "-N", "-E", "UTF8", "--locale=C"]
    subprocess.run(
        [initdb, "-D", data, *options], check=True, capture_output=True, cwd=folder, **identity
    )
    settings = ["listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=50"]
    flags = [part for setting in settings for part in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [postgres, "-D", data, "-k", folder, *flags],
            stdout=log,
            stderr=log,
            cwd=folder,
            **identity,
        )
    try:
        address = f"postgresql://egs@/{{name}}?host={folder}"
        _wait_for(address.format(name="postgres"), server)
        yield address
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)
        shutil.rmtree(folder)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert server.poll() is None, "the PostgreSQL server ended"
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            return False
        return True

    until(answers, "the PostgreSQL server to answer")


@contextmanager
def _postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    name = f"egs_{uuid4().hex}"
    with psycopg.connect(server.format(name="postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> Iterator[str]:
    """The name of a database with all tables and no rows, to be copied."""
    with _postgres_database(postgres_server) as name:
        SqlStore(postgres_server.format(name=name), HeldClock()).close()
        yield name


@pytest.fixture
def postgres_address(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with _postgres_database(postgres_server) as name:
        yield postgres_server.format(name=name)


@pytest.fixture
def migrated_postgres_address(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with all tables and no rows."""
    with _postgres_database(postgres_server, migrated_template) as name:
        yield postgres_server.format(name=name)


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_address")
    return f"sqlite:///{tmp_path / 'studio.db'}"


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("template") / "studio.db"
    SqlStore(f"sqlite:///{path}", HeldClock()).close()
    return path


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HeldClock) -> Iterator[RunStore]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryStore(clock)
        return
    if request.param == "sqlite":
        copy = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "studio.db")
        url = f"sqlite:///{copy}"
    else:
        url = request.getfixturevalue("migrated_postgres_address")
    opened = SqlStore(url, clock)
    yield opened
    opened.close()


@pytest.fixture(params=["folder", "fsspec"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """An empty artifact store of each kind, in the folder ``artifacts``."""
    root = tmp_path / "artifacts"
    return FolderArtifacts(root) if request.param == "folder" else FsspecArtifacts(f"file://{root}")
