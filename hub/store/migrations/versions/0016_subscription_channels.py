"""Events of Subscriptions are kept, each try to send is written down, and who may bind a websocket

Events of before the upgrade are not kept: `$events` begins with the first one after it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "subscription_event",
        sa.Column("subscription", sa.String(length=64), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("subscription_event_at", "subscription_event", ["at"])
    op.create_table(
        "notice_attempt",
        sa.Column("seq", Counter, primary_key=True, autoincrement=True),
        sa.Column("subscription", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("notice_attempt_subscription", "notice_attempt", ["subscription", "seq"])
    op.create_index("notice_attempt_at", "notice_attempt", ["at"])
    op.create_table(
        "socket_token",
        sa.Column("hash", sa.LargeBinary(), primary_key=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    changed = op.create_table(
        "subscription_changed",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(changed, [{"one": 1, "times": 0}])
    for name in ("failures", "reached"):
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("subscription_counter", column)


def downgrade() -> None:
    """What was kept of events and tries is lost."""
    for name in ("reached", "failures"):
        op.drop_column("subscription_counter", name)
    for table in ("subscription_changed", "socket_token", "notice_attempt", "subscription_event"):
        op.drop_table(table)
