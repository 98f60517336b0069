"""Values of a Subscription's header lines apart from it, and what inherits from what

The values that stand in stored Subscriptions are sealed by the worker, which knows the hub's key: its first piece
of work after this. What says whose it is by what it is about is found by the job that 0006 left.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SEALING = sa.text(
    "INSERT INTO outbox (kind, key, payload, state, attempts, due, created)"
    " SELECT 'header-values', 'stored', :payload, 'waiting', 0, :now, :now"
    " WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE kind = 'header-values' AND key = 'stored')"
).bindparams(sa.bindparam("payload", b"{}", sa.LargeBinary()))


def upgrade() -> None:
    op.create_table(
        "subscription_secret",
        sa.Column("subscription", sa.String(length=64), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "index_about",
        sa.Column("target", sa.BigInteger(), primary_key=True),
        sa.Column("rid", sa.BigInteger(), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("index_about_rid", "index_about", ["rid"])
    stored = op.get_bind().execute(sa.text("SELECT 1 FROM resource WHERE type = 'Subscription' LIMIT 1")).first()
    if stored is not None:
        op.get_bind().execute(SEALING, {"now": time.time_ns() // 1000})


def downgrade() -> None:
    """The values are lost: a Subscription with header lines must be written anew."""
    op.execute("DELETE FROM outbox WHERE kind = 'header-values'")
    op.drop_table("index_about")
    op.drop_table("subscription_secret")
