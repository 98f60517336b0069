"""Broken glass: who may see one patient's record for an hour, and why"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "break_glass",
        sa.Column("id", Counter, primary_key=True, autoincrement=True),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("ticket", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.String(length=128), nullable=False),
    )
    op.create_index("break_glass_client", "break_glass", ["client", "until"])


def downgrade() -> None:
    op.drop_table("break_glass")
