"""Bulk data: jobs, which resources their files name, imported lines"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulk_job",
        sa.Column("id", sa.String(length=64), primary_key=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("barrier", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("ended", sa.BigInteger()),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("fence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("turned", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("polled", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("reason", sa.String(length=256)),
    )
    op.create_index("bulk_job_state", "bulk_job", ["state", "turned"])
    op.create_index("bulk_job_client", "bulk_job", ["client", "state"])
    op.create_index("bulk_job_expires", "bulk_job", ["expires"])
    _files()


def _files() -> None:
    op.create_table(
        "bulk_file",
        sa.Column("job", sa.String(length=64), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "bulk_part",
        sa.Column("job", sa.String(length=64), primary_key=True),
        sa.Column("file", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "bulk_member",
        sa.Column("job", sa.String(length=64), primary_key=True),
        sa.Column("patient", sa.BigInteger(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("bulk_member", "bulk_part", "bulk_file", "bulk_job"):
        op.drop_table(table)
