"""One member across all sources: source persons, decisions, and what each of them rewrote

What was stored before came with no source person that anybody knows; `hub identity index` makes them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EMPTY = sa.text("''")
CAME_WITH_SOMEBODY = sa.text("person <> 0")


def upgrade() -> None:
    op.add_column("resource", sa.Column("person", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(
        "resource_person",
        "resource",
        ["person"],
        sqlite_where=CAME_WITH_SOMEBODY,
        postgresql_where=CAME_WITH_SOMEBODY,
    )
    _persons()
    _decisions()
    op.create_table(
        "identity_attempt",
        sa.Column("client", sa.String(length=128), primary_key=True),
        sa.Column("minute", sa.BigInteger(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )


def _persons() -> None:
    op.create_table(
        "source_person",
        sa.Column("person", Counter, primary_key=True, autoincrement=True),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("home", sa.String(length=64), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("source", "key", name="source_person_key"),
    )
    op.create_index("source_person_patient", "source_person", ["patient"])
    op.create_table(
        "identity_key",
        sa.Column("hash", sa.BigInteger(), primary_key=True),
        sa.Column("person", sa.BigInteger(), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("identity_key_person", "identity_key", ["person"])
    op.create_table(
        "identity_pair",
        sa.Column("low", sa.BigInteger(), primary_key=True),
        sa.Column("high", sa.BigInteger(), primary_key=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False, server_default=EMPTY),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("identity_pair_high", "identity_pair", ["high"])
    op.create_index("identity_pair_task", "identity_pair", ["task"])


def _decisions() -> None:
    op.create_table(
        "identity_event",
        sa.Column("seq", Counter, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("survivor", sa.String(length=64), nullable=False, server_default=EMPTY),
        sa.Column("absorbed", sa.String(length=64), nullable=False, server_default=EMPTY),
        sa.Column("persons", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("evidence", sa.Text(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("undoes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("undone_by", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_index("identity_event_kind", "identity_event", ["kind", "seq"])
    op.create_index("identity_event_survivor", "identity_event", ["survivor", "seq"])
    op.create_index("identity_event_absorbed", "identity_event", ["absorbed", "seq"])
    op.create_table(
        "identity_rewrite",
        sa.Column("event", sa.BigInteger(), primary_key=True),
        sa.Column("rid", sa.BigInteger(), primary_key=True),
        sa.Column("pointer", sa.Text(), primary_key=True),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("identity_rewrite_rid", "identity_rewrite", ["rid"])
    op.create_table(
        "identity_absorbed",
        sa.Column("address", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("survivor", sa.String(length=64), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
    )
    op.create_index("identity_absorbed_id", "identity_absorbed", ["id"], unique=True)
    op.create_index("identity_absorbed_member", "identity_absorbed", ["member"])


def downgrade() -> None:
    """Merged Patients stay merged: unmerge first, or who was whom is lost."""
    for table in (
        *("identity_attempt", "identity_absorbed", "identity_rewrite", "identity_event"),
        *("identity_pair", "identity_key", "source_person"),
    ):
        op.drop_table(table)
    op.drop_index("resource_person", "resource")
    op.drop_column("resource", "person")
