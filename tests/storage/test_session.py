"""How connections are set up, and which databases are refused."""

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from engine.domain.errors import DiskFull, InvalidConfig, UnsafeDatabase
from storage.artifacts import parse_artifacts_url
from storage.session import connect, filesystem_of, refuse_network, refuse_when_full

MOUNTS = [("/", "ext4"), ("/home", "nfs4"), ("/home/me/local", "xfs"), ("/data", "cifs")]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/x.db", "ext4"),
        ("/home/me/x.db", "nfs4"),
        ("/home/me/local/x.db", "xfs"),
        ("/homeless/x.db", "ext4"),
        ("/data", "cifs"),
    ],
)
def test_deepest_mount_decides(path: str, kind: str) -> None:
    assert filesystem_of(Path(path), MOUNTS) == kind


def test_later_mount_hides_an_earlier_one() -> None:
    assert filesystem_of(Path("/data/x"), [*MOUNTS, ("/data", "ext4")]) == "ext4"
    assert filesystem_of(Path("/x"), []) is None


def test_sqlite_on_a_network_is_refused() -> None:
    refuse_network(Path("/home/me/local/x.db"), MOUNTS)
    with pytest.raises(UnsafeDatabase) as refusal:
        refuse_network(Path("/home/me/x.db"), MOUNTS)
    assert str(refusal.value) == (
        "Asked for the SQLite database '/home/me/x.db'; found a network file system (nfs4), on "
        "which SQLite can lose writes; allowed is an SQLite file on a disk of this machine, or "
        "PostgreSQL; set EGS_HOME to a local folder, or EGS_DATABASE_URL to a PostgreSQL server."
    )


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:secret@h/db",
        "postgresql://u:secret@host:port/db",
        "postgresql://u:secret@x:secret@host/db",
    ],
)
def test_other_databases_are_refused_without_showing_a_password(address: str) -> None:
    with pytest.raises(InvalidConfig, match="EGS_DATABASE_URL") as refusal:
        connect(address)
    assert "secret" not in str(refusal.value)


def test_unreachable_server_is_one_sentence_without_the_password() -> None:
    from storage.migrations import migrate

    database = connect("postgresql://me:secret@127.0.0.1:9/studio?connect_timeout=2")
    with pytest.raises(UnsafeDatabase, match="can be reached") as refusal:
        migrate(database)
    assert "secret" not in str(refusal.value)
    database.close()


def test_each_engine_has_its_pragmas(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'new folder' / 'x.db'}")
    expected = {"state": 2, "telemetry": 1}
    for name, synchronous in expected.items():
        with getattr(database, name).begin() as connection:
            pragmas = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
            found = [connection.scalar(text(f"PRAGMA {pragma}")) for pragma in pragmas]
            assert found == ["wal", 1, 30_000, synchronous]
    with database.read() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(text("CREATE TABLE x (y INTEGER)"))
    database.close()


def test_writer_holds_the_database_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = connect(f"sqlite:///{path}")
    with database.write():
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    database.close()


def test_full_database_is_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'x.db'}")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE x (y BLOB)"))
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(DiskFull, match="no room left"))
        connection = stack.enter_context(database.record())
        connection.execute(text("PRAGMA max_page_count = 10"))
        connection.execute(text("INSERT INTO x VALUES (zeroblob(1000000))"))
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM x")) == 0
    database.close()


def test_full_disk_is_told_in_the_drivers_own_words_as_well(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'x.db'}")
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(DiskFull, match="no room left"))
        raw = stack.enter_context(closing(sqlite3.connect(tmp_path / "y.db")))
        raw.execute("CREATE TABLE x (y BLOB)")
        raw.execute("PRAGMA max_page_count = 10").close()
        stack.enter_context(refuse_when_full(database.url))
        raw.execute("INSERT INTO x VALUES (zeroblob(1000000))")
    database.close()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UnsafeDatabase, match=r"folder cannot be made \(.+\); .*set EGS_HOME"):
        connect(f"sqlite:///{tmp_path / 'file' / 'home' / 'studio.db'}")


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket/egs/", ("s3", "bucket/egs")),
        ("gs://bucket", ("gs", "bucket")),
        ("az://container/a/b", ("az", "container/a/b")),
        ("file:///srv/egs", ("file", "/srv/egs")),
    ],
)
def test_artifact_urls_are_split(url: str, parts: tuple[str, str]) -> None:
    assert parse_artifacts_url(url) == parts


HOSTILE = ["http://h/x", "simplecache::s3://b/x", "s3://b/x::file://y", "s3:///x", "file://host/x"]
HOSTILE += [
    "file:///",
    "ftp://h/x",
    "s3://key:secret@b/x",
    "s3://b/x?y=z",
    "s3://b/../c",
    "",
    "memory://x",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_other_artifact_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidConfig, match="EGS_ARTIFACTS"):
        parse_artifacts_url(url)
