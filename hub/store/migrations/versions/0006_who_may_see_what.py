"""Whose each resource is, how sensitive it is, and who may see it

What was stored before is seen by nobody until it was indexed anew: a job for that is left to the worker.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ALL_TYPES_ANEW = sa.text(
    "INSERT INTO search_parameter (number, parameter, url, base, code, type, expression, targets, state, phase,"
    " position, looked_at, due, started, updated)"
    " SELECT :now, '', 'all', '', '', '', '', '', 'indexing', 'adding', 0, 0, :now, :now, :now"
)


def upgrade() -> None:
    for name, default in (("patient", "2"), ("labels", "-1"), ("source", "0")):
        op.add_column("resource", sa.Column(name, sa.BigInteger(), nullable=False, server_default=default))
    op.create_index("resource_patient", "resource", ["patient", "type", "rid"])
    op.create_table(
        "index_patient",
        sa.Column("rid", sa.BigInteger(), primary_key=True),
        sa.Column("patient", sa.BigInteger(), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("index_patient_patient", "index_patient", ["patient", "rid"])
    op.create_table(
        "index_relation",
        *(
            sa.Column(name, sa.BigInteger(), primary_key=True)
            for name in ("patient", "holder", "kind", "low", "high", "rid")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("index_relation_holder", "index_relation", ["holder", "patient"])
    op.create_index("index_relation_rid", "index_relation", ["rid"])
    op.create_table(
        "index_consent",
        sa.Column("patient", sa.BigInteger(), primary_key=True),
        sa.Column("recipient", sa.BigInteger(), primary_key=True),
        sa.Column("rid", sa.BigInteger(), primary_key=True),
        sa.Column("place", sa.Integer(), primary_key=True),
        sa.Column("permit", sa.Boolean(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("labels", "purposes", "low", "high", "signed")
        ),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("proxy", sa.BigInteger(), nullable=False),
        sa.Column("medi_cal", sa.Boolean(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("index_consent_rid", "index_consent", ["rid"])
    stored = op.get_bind().execute(sa.text("SELECT 1 FROM resource LIMIT 1")).first()
    if stored is not None:
        # one that has ended, or is on its way, knew nothing of this
        op.execute("DELETE FROM search_parameter WHERE parameter = ''")
        op.get_bind().execute(ALL_TYPES_ANEW, {"now": time.time_ns() // 1000})


def downgrade() -> None:
    for table in ("index_consent", "index_relation", "index_patient"):
        op.drop_table(table)
    op.drop_index("resource_patient", "resource")
    for name in ("source", "labels", "patient"):
        op.drop_column("resource", name)
