"""The inbox in operation: order of a member's messages, a fence for leases, what a parked message waits for

What was stored before has no member: no order is known of it. The index of subjects holds only rows that have one,
so that storing a message writes no more indexes than before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

RECEIVED = sa.text("state = 'received'")
HAS_SUBJECT = sa.text("subject IS NOT NULL")
AWAITS = sa.text("awaits_kind IS NOT NULL")


def upgrade() -> None:
    op.add_column("inbox", sa.Column("member", sa.BigInteger()))
    op.add_column("inbox", sa.Column("fence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("inbox", sa.Column("awaits_kind", sa.String(length=32)))
    op.add_column("inbox", sa.Column("awaits_key", sa.String(length=128)))
    _partial("inbox_line", ["member", "seq"], RECEIVED)
    _partial("inbox_awaits", ["awaits_kind", "awaits_key", "seq"], AWAITS)
    op.drop_index("inbox_subject", "inbox")
    _partial("inbox_subject", ["subject", "seq"], HAS_SUBJECT)


def _partial(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "inbox", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Messages that went on by themselves wait for `hub inbox replay` again."""
    for name in ("inbox_subject", "inbox_awaits", "inbox_line"):
        op.drop_index(name, "inbox")
    op.create_index("inbox_subject", "inbox", ["subject", "seq"])
    for column in ("awaits_key", "awaits_kind", "fence", "member"):
        op.drop_column("inbox", column)
