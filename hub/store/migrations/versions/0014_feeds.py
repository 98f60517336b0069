"""Files of feeds: what their rows said last, and what was refused of them"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "feed_file",
        sa.Column("seq", Counter, primary_key=True, autoincrement=False),
        sa.Column("feed", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger()),
        sa.Column("lease", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
    )
    op.create_index("feed_file_feed", "feed_file", ["feed", "seq"])
    _records()
    op.create_table(
        "feed_reject",
        sa.Column("file", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("part", sa.String(length=128), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=128), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("what", sa.String(length=256), nullable=False),
        sqlite_with_rowid=False,
    )


def _records() -> None:
    op.create_table(
        "feed_record",
        sa.Column("name", sa.LargeBinary(), primary_key=True),
        sa.Column("feed", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("hash", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("file", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=128), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("feed_record_subject", "feed_record", ["feed", "subject"])
    op.create_index("feed_record_kind", "feed_record", ["feed", "kind", "name"])
    changed = sa.text("state = 1")
    op.create_index(
        "feed_record_changed",
        "feed_record",
        ["feed", "stage", "subject"],
        sqlite_where=changed,
        postgresql_where=changed,
    )


def downgrade() -> None:
    for table in ("feed_reject", "feed_record", "feed_file"):
        op.drop_table(table)
