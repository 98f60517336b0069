"""When a row was said, what a feed named as a whole, what comes once in it

Rows of before were said before all others, so that the next file of their feed counts, whatever its moment is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, column in (("feed_file", "arrived"), ("feed_file", "said"), ("feed_record", "said")):
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE feed_file SET arrived = coalesce((SELECT received FROM inbox WHERE inbox.seq = feed_file.seq), 0)"
    )
    op.create_index("feed_file_digest", "feed_file", ["digest"])
    reading = sa.text("state = 'reading'")
    op.create_index("feed_file_reading", "feed_file", ["feed"], sqlite_where=reading, postgresql_where=reading)
    op.create_table(
        "feed_whole",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("kind", sa.String(length=64), primary_key=True),
        sa.Column("within", sa.Text(), primary_key=True),
        sa.Column("said", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feed_once",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("key", sa.String(length=128), primary_key=True),
        sa.Column("file", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("feed_once", "feed_whole"):
        op.drop_table(table)
    for index in ("feed_file_reading", "feed_file_digest"):
        op.drop_index(index, "feed_file")
    for table, column in (("feed_record", "said"), ("feed_file", "said"), ("feed_file", "arrived")):
        op.drop_column(table, column)
