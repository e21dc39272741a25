"""What people say about runs: tags, notes, and whether lists leave a run out.

The columns are added and dropped in place, so that the table of runs is never
rebuilt. Going back forgets what people wrote, and nothing else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("tags", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("run", sa.Column("notes", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "run",
        sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    op.drop_column("run", "archived")
    op.drop_column("run", "notes")
    op.drop_column("run", "tags")
