"""Jobs about a configuration, before there is a run of it.

SQLite has to rebuild the table of jobs, to which no other table refers; its
counter is put back, so that no number is given twice. Going back forgets the
jobs without a run, and nothing else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WITHOUT_RUN = sa.text("run_id IS NULL")
REBUILT = {"sqlite_autoincrement": True}


def upgrade() -> None:
    _set_nullable(True)
    op.create_index(
        "ix_job_digest",
        "job",
        ["digest"],
        unique=True,
        sqlite_where=WITHOUT_RUN,
        postgresql_where=WITHOUT_RUN,
    )


def downgrade() -> None:
    op.drop_index("ix_job_digest", table_name="job")
    op.execute("DELETE FROM job WHERE run_id IS NULL")
    _set_nullable(False)


def _set_nullable(nullable: bool) -> None:
    last = _counter()
    with op.batch_alter_table("job", table_kwargs=REBUILT) as batch:
        batch.alter_column("run_id", existing_type=sa.Integer(), nullable=nullable)
    if last is not None:
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'job'")
        op.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('job', :last)").bindparams(
                last=last
            )
        )


def _counter() -> int | None:
    """The highest number that a job of an SQLite database ever had; None elsewhere."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return None
    return connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'job'"))
