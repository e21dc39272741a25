"""The tables of the database, for SQLite and PostgreSQL.

Instants are whole microseconds since 1970 UTC. A snapshot is one row of packed
bytes (:mod:`storage.mapping` says how); ``seq`` counts the snapshots of a run
from 0 without gaps, so that every n-th one is found by primary key.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

EPOCH_ENCODING = 1


def _run_id(*, primary_key: bool = True, nullable: bool = False) -> Column[int]:
    return Column(
        "run_id",
        Integer,
        ForeignKey("run.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=nullable,
    )


run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uid", String(32), nullable=False, unique=True),
    Column("purpose", String(16), nullable=False, server_default="search"),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", String(16)),
    Column("priority", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("parent_id", Integer, ForeignKey("run.id", ondelete="SET NULL")),
    Column("node", Text),
    Column("device", Text),
    Column("handle", Text),
    Column("waiting", Text),
    Column("failure", String(32)),
    Column("error", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("ended_us", BigInteger),
    Column("heartbeat_us", BigInteger),
    Column("progress_us", BigInteger),
    Column("step", BigInteger, nullable=False),
    Column("total_steps", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("score", Double),
    Column("score_name", Text),
    Column("gap", Double),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("notes", Text, nullable=False, server_default=""),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Index(None, "state", "priority", "id"),
    sqlite_autoincrement=True,
)

change = Table(
    "change",
    metadata,
    _run_id(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("settings", Text, nullable=False),
    Column("before", Text),
    Column("step", BigInteger),
    Column("refused", Text),
)

event = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _run_id(primary_key=False),
    Column("attempt", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("before", String(16)),
    Column("after", String(16)),
    Index(None, "run_id", "id"),
)

layout = Table(
    "layout",
    metadata,
    _run_id(),
    Column("cell_kinds", Text, nullable=False),
    Column("edges", Integer, nullable=False),
    Column("operations", Integer, nullable=False),
)

series = Table(
    "series",
    metadata,
    _run_id(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
)

snapshot = Table(
    "snapshot",
    metadata,
    _run_id(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("step", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("enc", Integer, nullable=False),
    Column("temperature", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("probabilities", LargeBinary, nullable=False),
    Column("codes", LargeBinary, nullable=False),
    Column("derived", LargeBinary),
    Column("metrics", LargeBinary, nullable=False),
    Index("ix_snapshot_run_id_step", "run_id", "step", unique=True),
    Index(
        "ix_snapshot_epochs",
        "run_id",
        "step",
        sqlite_where=text(f"enc = {EPOCH_ENCODING}"),
        postgresql_where=text(f"enc = {EPOCH_ENCODING}"),
    ),
    sqlite_with_rowid=False,
)

checkpoint = Table(
    "checkpoint",
    metadata,
    _run_id(),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("score", Double),
)

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _run_id(primary_key=False, nullable=True),
    Column("kind", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("node", Text),
    Column("handle", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("ended_us", BigInteger),
    Column("result", Text),
    Column("error", Text),
    Index("ix_job_run_id_digest", "run_id", "digest", unique=True),
    Index(
        "ix_job_digest",
        "digest",
        unique=True,
        sqlite_where=text("run_id IS NULL"),
        postgresql_where=text("run_id IS NULL"),
    ),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)

node = Table(
    "node",
    metadata,
    Column("name", Text, primary_key=True),
    Column("process", Text, nullable=False),
    Column("heartbeat_us", BigInteger, nullable=False),
    Column("devices", Text, nullable=False),
    Column("versions", Text),
)

gpu_lease = Table(
    "gpu_lease",
    metadata,
    Column("node", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("run_id", Integer, ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Index("ix_gpu_lease_run_id", "run_id", unique=True),
)

catalog = Table(
    "catalog",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
)
