"""Connections: who may write, how durably, and where a database may lie.

SQLite: one engine for state (``synchronous=FULL``: a power cut loses nothing),
one for telemetry (``NORMAL``: it may lose the last moments, never corrupts), and
one that can only read. Writers begin with ``BEGIN IMMEDIATE``, so that they wait
for each other instead of failing in the middle. PostgreSQL: one pool for both.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from engine.domain.errors import DiskFull, InvalidConfig, UnsafeDatabase

BUSY_TIMEOUT_SECONDS = 30
NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "fuse.sshfs", "davfs"}
)

REDACTED = re.compile(r"//.*@", re.DOTALL)
"""What may hold a password in an address that cannot be read."""

_SQLITE_FULL = 13
_POSTGRES_FULL = "53100"


@dataclass(frozen=True)
class Database:
    """The engines of one database.

    Attributes:
        url: Where it is, without a secret when shown.
        state: For what must survive a power cut.
        telemetry: For snapshots and progress.
        reader: For everything that only reads.
    """

    url: URL
    state: Engine
    telemetry: Engine
    reader: Engine

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is one file of this machine."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One durable transaction.

        Raises:
            DiskFull: There was no room; nothing was changed.
        """
        with refuse_when_full(self.url), self.state.begin() as connection:
            yield connection

    @contextmanager
    def record(self) -> Iterator[Connection]:
        """One transaction of telemetry; a power cut may undo the last of them.

        Raises:
            DiskFull: There was no room; nothing was changed.
        """
        with refuse_when_full(self.url), self.telemetry.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment of the database, however many statements read it."""
        with self.reader.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        for engine in (self.state, self.telemetry, self.reader):
            engine.dispose()


def connect(address: str) -> Database:
    """The engines for a database URL; nothing is opened yet.

    Args:
        address: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Raises:
        InvalidConfig: The URL is of another kind.
        UnsafeDatabase: An SQLite file would lie on a network file system, or in
            a folder that cannot be made.
    """
    url = _parse(address)
    if url.get_backend_name() == "sqlite":
        return _connect_sqlite(url)
    return _connect_postgres(url)


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise _unknown_database(REDACTED.sub("//…@", address)) from None
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database not in {None, "", ":memory:"}:
        return url
    if backend in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    raise _unknown_database(url.render_as_string(hide_password=True))


def _unknown_database(address: str) -> InvalidConfig:
    return InvalidConfig(
        asked=f"the database {address!r}",
        found="an address that is neither an SQLite file nor a PostgreSQL server",
        allowed="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
        advice="set EGS_DATABASE_URL to one of these",
    )


def filesystem_of(path: Path, mounts: Sequence[tuple[str, str]]) -> str | None:
    """Kind of file system that holds a path.

    Args:
        path: Resolved path; it need not exist.
        mounts: (mount point, kind of file system) of everything mounted.

    Returns:
        The kind of the deepest mount above the path, or None if none is.
    """
    above = [
        (len(Path(point).parts), index)
        for index, (point, _) in enumerate(mounts)
        if path.is_relative_to(point)
    ]
    return mounts[max(above)[1]][1] if above else None


def refuse_network(path: Path, mounts: Sequence[tuple[str, str]]) -> None:
    """Refuse an SQLite file where locks and shared memory do not work.

    Raises:
        UnsafeDatabase: The path lies on a network file system.
    """
    kind = filesystem_of(path, mounts)
    if kind is None or kind.lower() not in NETWORK_FILESYSTEMS:
        return
    raise UnsafeDatabase(
        asked=f"the SQLite database {str(path)!r}",
        found=f"a network file system ({kind}), on which SQLite can lose writes",
        allowed="an SQLite file on a disk of this machine, or PostgreSQL",
        advice="set EGS_HOME to a local folder, or EGS_DATABASE_URL to a PostgreSQL server",
    )


def _mounts() -> list[tuple[str, str]]:
    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def _connect_sqlite(url: URL) -> Database:
    path = Path(str(url.database)).expanduser().resolve()
    refuse_network(path, _mounts())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnsafeDatabase(
            asked=f"the SQLite database {str(path)!r}",
            found=f"that its folder cannot be made ({error.strerror})",
            allowed="a folder that this account may write",
            advice="set EGS_HOME to one, or EGS_DATABASE_URL to a database",
        ) from None
    url = url.set(database=str(path))
    writer = ("journal_mode=WAL", "foreign_keys=ON")
    return Database(
        url,
        state=sqlite_engine(url, (*writer, "synchronous=FULL"), begin="BEGIN IMMEDIATE"),
        telemetry=sqlite_engine(url, (*writer, "synchronous=NORMAL"), begin="BEGIN IMMEDIATE"),
        reader=sqlite_engine(url, ("query_only=ON",), begin="BEGIN"),
    )


def sqlite_engine(url: URL, pragmas: Sequence[str], *, begin: str) -> Engine:
    """An SQLite engine whose connections have these pragmas and begin like that."""
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _connect_postgres(url: URL) -> Database:
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise InvalidConfig(
            asked=f"the database {url.render_as_string(hide_password=True)!r}",
            found="no PostgreSQL driver in this installation",
            allowed="PostgreSQL with the extra `postgres`, or SQLite",
            advice="run `pip install 'egs-studio[postgres]'`",
        ) from None
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(url, state=engine, telemetry=engine, reader=reader)


@contextmanager
def refuse_when_full(url: URL) -> Iterator[None]:
    """Turn a full disk into its sentence, for SQLAlchemy's errors and the driver's own.

    Raises:
        DiskFull: There was no room.
    """
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        if not _is_full(error.orig if isinstance(error, OperationalError) else error):
            raise
        raise DiskFull(
            asked=f"a write to the database {url.render_as_string(hide_password=True)!r}",
            found="no room left on its disk",
            allowed="a disk with free space",
            advice="free some space, for example by deleting runs, and resume",
        ) from error


def _is_full(error: BaseException | None) -> bool:
    return (
        getattr(error, "sqlite_errorcode", None) == _SQLITE_FULL
        or getattr(error, "sqlstate", None) == _POSTGRES_FULL
    )
