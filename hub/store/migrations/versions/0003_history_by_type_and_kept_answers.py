"""History by type; answers kept under an Idempotency-Key"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency",
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "key"),
    )
    op.create_index("idempotency_created", "idempotency", ["created"])
    op.add_column("history", sa.Column("type", sa.String(length=64), nullable=True))
    op.execute("UPDATE history SET type = (SELECT resource.type FROM resource WHERE resource.rid = history.rid)")
    with op.batch_alter_table("history") as history:
        history.alter_column("type", existing_type=sa.String(length=64), nullable=False)
    op.create_index("history_changed", "history", ["type", "last_updated", "rid"])
