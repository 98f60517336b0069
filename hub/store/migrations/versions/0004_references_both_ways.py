"""Addresses of resources, and the references between them

Keys of references are made of addresses from here on, so the search index of what is stored is made again.
Absolute references to the hub's own base are found again once their resource is written again.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH = 1000
resource = sa.table("resource", *(sa.column(name) for name in ("rid", "type", "id", "deleted", "body", "address")))


def upgrade() -> None:
    op.create_table(
        "index_reference",
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("rid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rid", "target"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("resource") as batch_op:
        batch_op.add_column(sa.Column("address", sa.BigInteger(), nullable=True))
    for rows in _batches():
        _fill(rows)
    with op.batch_alter_table("resource") as batch_op:
        batch_op.alter_column("address", existing_type=sa.BigInteger(), nullable=False)
        batch_op.create_index("resource_address", ["address"], unique=False)


def _batches() -> Iterator[list[Any]]:
    """Every resource, in the order of its row number."""
    last = -1
    while rows := _behind(last):
        yield rows
        last = rows[-1].rid


def _behind(rid: int) -> list[Any]:
    found = sa.select(resource).where(resource.c.rid > rid).order_by(resource.c.rid).limit(BATCH)
    return list(op.get_bind().execute(found))


def _fill(rows: list[Any]) -> None:
    from hub.fhir import json
    from hub.search.edges import address, edge
    from hub.search.index import reference_keys
    from hub.search.parameters import parameters_of
    from hub.search.values import references

    bind = op.get_bind()
    numbers = [{"b_rid": row.rid, "b_address": address(row.type, row.id)} for row in rows]
    change = sa.update(resource).where(resource.c.rid == sa.bindparam("b_rid"))
    bind.execute(change.values(address=sa.bindparam("b_address")), numbers)
    keys, edges = set[tuple[int, int]](), set[tuple[int, int]]()
    for row in rows:
        if row.body is None or row.deleted:
            continue
        content = json.stored(bytes(row.body))
        for parameter in parameters_of(row.type).values():
            if parameter.type == "reference":
                for node in parameter.walk(content):
                    for found in references(node):
                        edges.update((target, row.rid) for target in edge(found))
                        keys.update((k, row.rid) for k in reference_keys((parameter.base, parameter.code), found))
    _insert("index_token", ("hash", "rid"), keys)
    _insert("index_reference", ("target", "rid"), edges)


def _insert(table: str, names: tuple[str, str], rows: set[tuple[int, int]]) -> None:
    first, second = names
    statement = sa.text(
        f"INSERT INTO {table} ({first}, {second}) VALUES (:{first}, :{second}) ON CONFLICT DO NOTHING"  # noqa: S608
    )
    if rows:
        op.get_bind().execute(statement, [dict(zip(names, row, strict=True)) for row in sorted(rows)])


def downgrade() -> None:
    with op.batch_alter_table("resource") as batch_op:
        batch_op.drop_index("resource_address")
        batch_op.drop_column("address")
    op.drop_table("index_reference")
