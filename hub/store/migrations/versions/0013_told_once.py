"""Who was told of which happening; reviews that two persons decide

Events of before are not known as happenings: a second sender's copy of one that came before the upgrade is told.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notice_event",
        sa.Column("seq", Counter, primary_key=True, autoincrement=True),
        sa.Column("happening", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("moments", sa.Text(), nullable=False),
        sa.Column("facilities", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("begins", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("happening", "source", name="notice_event_sender"),
    )
    op.create_index("notice_event_patient", "notice_event", ["patient", "kind", "seq"])
    op.create_table(
        "notice_told",
        sa.Column("happening", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("subscription", sa.String(length=64), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.add_column(
        "identity_pair", sa.Column("agreed", sa.String(length=160), nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    op.drop_column("identity_pair", "agreed")
    for table in ("notice_told", "notice_event"):
        op.drop_table(table)
