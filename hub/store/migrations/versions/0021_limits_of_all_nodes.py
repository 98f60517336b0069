"""What clients took of their limits, of all nodes together: lost with a crash of the database, and not missed"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    unlogged = ["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else []
    op.create_table(
        "limit_taken",
        sa.Column("book", sa.String(length=16), primary_key=True),
        sa.Column("mark", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        prefixes=unlogged,
    )


def downgrade() -> None:
    op.drop_table("limit_taken")
