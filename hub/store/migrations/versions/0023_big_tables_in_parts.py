"""The big tables in parts, with PostgreSQL, where they hold nothing yet (hub.store.partitions)"""

from alembic import op

from hub.store import partitions

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        partitions.cut_empty(op.get_bind())


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        partitions.join(op.get_bind())
