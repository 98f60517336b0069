"""Who agreed that a file takes away more than its feed allows"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed_file", sa.Column("agreed", sa.String(length=64)))


def downgrade() -> None:
    op.drop_column("feed_file", "agreed")
