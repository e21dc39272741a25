"""Opening databases: new, present, older, newer, foreign and broken ones."""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from engine.domain.config import SearchConfig
from engine.domain.errors import NewerDatabase, UnsafeDatabase
from storage import migrations
from storage.session import connect
from storage.sql_store import SqlStore
from storage.tables import metadata


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


LATER = '''
"""Rebuild the table of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("run", recreate="always") as batch:
        batch.add_column(sa.Column("colour", sa.Text()))
    {more}
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A present database with one run in it."""
    path = tmp_path / "studio.db"
    store = SqlStore(f"sqlite:///{path}", FixedClock())
    store.create(SearchConfig(), name="kept")
    store.close()
    return path


def later_scripts(folder: Path, more: str = "") -> Path:
    """The folder of revisions as a later version has it."""
    scripts = folder / "migrations"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "0006_later.py").write_text(LATER.format(more=more))
    return scripts


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_revisions_lead_to_the_tables_that_the_code_describes(path: Path) -> None:
    database = connect(f"sqlite:///{path}")
    with database.state.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_head_is_the_last_revision() -> None:
    assert ScriptDirectory(str(migrations.SCRIPTS)).get_current_head() == migrations.HEAD


def test_downgrade_leaves_no_table(path: Path) -> None:
    database = connect(f"sqlite:///{path}")
    with database.state.begin() as connection:
        migrations.downgrade(connection, migrations.SCRIPTS, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    database.close()


def test_upgrade_keeps_every_row_and_a_copy_of_the_database(path: Path, tmp_path: Path) -> None:
    database = connect(f"sqlite:///{path}")
    migrations.migrate(database, scripts=later_scripts(tmp_path), head="0006")
    database.close()
    assert rows(path, "SELECT name, colour FROM run") == [("kept", None)]
    assert rows(path, "SELECT text FROM event") == [("created",)]
    assert rows(path, "SELECT version_num FROM alembic_version") == [("0006",)]
    copy = path.with_name("studio.db.before-0006-from-0005")
    assert rows(copy, "SELECT version_num FROM alembic_version") == [("0005",)]
    assert rows(copy, "SELECT name FROM run") == [("kept",)]


def test_failed_upgrade_changes_nothing(path: Path, tmp_path: Path) -> None:
    scripts = later_scripts(tmp_path, more='op.execute("INSERT INTO nowhere VALUES (1)")')
    database = connect(f"sqlite:///{path}")
    with pytest.raises(OperationalError, match="nowhere"):
        migrations.migrate(database, scripts=scripts, head="0006")
    database.close()
    store = SqlStore(f"sqlite:///{path}", FixedClock())
    assert [run.name for run in store.runs()] == ["kept"]
    store.close()


def test_upgrade_that_breaks_a_link_is_undone(path: Path, tmp_path: Path) -> None:
    scripts = later_scripts(tmp_path, more='op.execute("DELETE FROM run")')
    database = connect(f"sqlite:///{path}")
    with pytest.raises(UnsafeDatabase, match="without its parent"):
        migrations.migrate(database, scripts=scripts, head="0006")
    database.close()
    assert rows(path, "SELECT name FROM run") == [("kept",)]


def test_database_of_a_later_version_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0099'")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerDatabase) as refusal:
        SqlStore(f"sqlite:///{path}", FixedClock())
    assert str(refusal.value) == (
        f"Asked for the database 'sqlite:///{path}'; found revision '0099', written by a later "
        "version of the studio; allowed is revisions up to '0005'; update with "
        "`pip install --upgrade egs-studio`; the database was left as it is."
    )
    assert path.read_bytes() == before


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (id INTEGER)")
    connection.close()
    with pytest.raises(UnsafeDatabase, match="'bookmarks'"):
        SqlStore(f"sqlite:///{path}", FixedClock())
    assert rows(path, "SELECT name FROM sqlite_master") == [("bookmarks",)]


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, by no means" * 100)
    with pytest.raises(UnsafeDatabase, match="not a database"):
        SqlStore(f"sqlite:///{path}", FixedClock())
