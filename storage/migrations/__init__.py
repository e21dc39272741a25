"""Bringing a database to the present revision when it is opened.

SQLite: foreign keys are off while tables are rebuilt (else rebuilding a parent
deletes its children), then checked; a database that holds something is copied
beside itself first. PostgreSQL: an advisory lock lets one process migrate. All
revisions happen in one transaction, or none does.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from engine.domain.errors import NewerDatabase, UnsafeDatabase
from storage.session import Database, refuse_when_full, sqlite_engine
from storage.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent
HEAD = "0005"
"""The revision that :mod:`storage.tables` describes."""

_LOCK = 0x65_67_73


def migrate(database: Database, *, scripts: Path = SCRIPTS, head: str = HEAD) -> None:
    """Create or upgrade the tables; nothing happens if they are up to date.

    Args:
        database: The database to open.
        scripts: Folder of the revisions.
        head: The revision to reach.

    Raises:
        NewerDatabase: The database has a revision that this version does not know.
        UnsafeDatabase: It cannot be opened, or holds something else.
        DiskFull: There is no room for the copy or the upgrade; the database is
            as it was.
    """
    present = _present_revision(database)
    if present == head:
        return
    _refuse_unknown(database, present, scripts, head)
    with refuse_when_full(database.url):
        if database.is_sqlite:
            _migrate_sqlite(database, present, scripts, head)
        else:
            _migrate_postgres(database, scripts, head)


def revision_of(connection: Connection) -> str | None:
    """The revision of the tables, or None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def upgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Run the revisions up to one, within the connection's transaction."""
    # Alembic takes 0.1 s to import, and most starts find nothing to do.
    from alembic import command

    command.upgrade(_configuration(connection, scripts), revision)


def downgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Undo the revisions after one, within the connection's transaction."""
    from alembic import command

    command.downgrade(_configuration(connection, scripts), revision)


def _configuration(connection: Connection, scripts: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _known_revisions(scripts: Path) -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(scripts)).walk_revisions()}


def _present_revision(database: Database) -> str | None:
    try:
        with database.read() as connection:
            present = revision_of(connection)
            names = set(inspect(connection).get_table_names())
    except DatabaseError as error:
        raise _cannot_open(database, str(error.orig)) from error
    foreign = names if database.is_sqlite else names & set(metadata.tables)
    if present is None and foreign:
        raise _cannot_open(database, f"tables of another program, such as {min(foreign)!r}")
    return present


def _cannot_open(database: Database, found: str) -> UnsafeDatabase:
    return UnsafeDatabase(
        asked=f"the database {database.url.render_as_string(hide_password=True)!r}",
        found=found,
        allowed="an empty database, or one that the studio made",
        advice="check EGS_DATABASE_URL and EGS_HOME, and that the database can be reached",
    )


def _refuse_unknown(database: Database, present: str | None, scripts: Path, head: str) -> None:
    if present is None or present in _known_revisions(scripts):
        return
    raise NewerDatabase(
        asked=f"the database {database.url.render_as_string(hide_password=True)!r}",
        found=f"revision {present!r}, written by a later version of the studio",
        allowed=f"revisions up to {head!r}",
        advice="update with `pip install --upgrade egs-studio`; the database was left as it is",
    )


def _migrate_postgres(database: Database, scripts: Path, head: str) -> None:
    with database.state.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        upgrade(connection, scripts, head)


def _migrate_sqlite(database: Database, present: str | None, scripts: Path, head: str) -> None:
    if present is not None:
        _copy_beside(database, present, head)
    pragmas = ("journal_mode=WAL", "foreign_keys=OFF", "synchronous=FULL")
    engine = sqlite_engine(database.url, pragmas, begin="BEGIN IMMEDIATE")
    try:
        with engine.begin() as connection:
            upgrade(connection, scripts, head)
            broken = connection.execute(text("PRAGMA foreign_key_check")).first()
            if broken is not None:
                raise _cannot_open(database, f"a row of {broken[0]!r} without its parent")
    finally:
        engine.dispose()


def _copy_beside(database: Database, present: str, head: str) -> None:
    """Keep the database as it was before the upgrade, once for each revision."""
    path = Path(str(database.url.database))
    copy = path.with_name(f"{path.name}.before-{head}-from-{present}")
    if copy.exists():
        return
    part = path.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    try:
        with database.state.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("VACUUM INTO ?", (str(part),)).close()
        part.replace(copy)
    finally:
        part.unlink(missing_ok=True)
