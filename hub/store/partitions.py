"""The big tables in parts by the hash of a key, with PostgreSQL: small indexes, a vacuum each, and a model that can
be spread over several servers (docs/distribution.md).

The key of a table is what all its questions name, so each asks one part only; each unique key holds it.
https://www.postgresql.org/docs/current/ddl-partitioning.html
Refuses: nothing. A table is cut once; one that is cut stays as it is.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

PARTS = 4  # a commit locks all that it writes to, and PostgreSQL has 64 such locks for each connection
KEYS = {
    "index_token": "hash",
    "index_date": "param",
    "index_number": "param",
    "index_string": "param",
    "index_reference": "rid",
    "history": "rid",
}
_INDEXES = (
    "SELECT c.relname, x.indisprimary, pg_get_indexdef(c.oid) FROM pg_index x"
    " JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = '{table}'::regclass ORDER BY c.relname"
)
_KEY = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'p'"
_IS_CUT = "SELECT relkind = 'p' FROM pg_class WHERE oid = '{table}'::regclass"
_OWNER = "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = '{table}'::regclass"
_GRANTS = (
    "SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,"
    " CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
    " FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = '{table}'::regclass AND a.grantee != c.relowner"
)
_HAS_ROWS = "SELECT EXISTS (SELECT 1 FROM {table})"


def is_part(name: str) -> bool:
    """Whether a table of this name is a part of another one."""
    table, _, number = name.rpartition("_part_")
    return table in KEYS and number.isdigit()


def is_cut(connection: Connection, table: str) -> bool:
    return bool(connection.exec_driver_sql(_IS_CUT.format(table=table)).scalar_one())


def cut_empty(connection: Connection) -> None:
    """Cut the tables that hold nothing: it takes a moment. One with rows stays whole (`hub migrate --cut`)."""
    for table in KEYS:
        if not connection.exec_driver_sql(_HAS_ROWS.format(table=table)).scalar_one():
            cut(connection, [table])


def cut(connection: Connection, tables: Iterable[str] = tuple(KEYS), parts: int = PARTS) -> list[str]:
    """Which of them were cut now. Each is written anew, and locked until the transaction ends."""
    whole = [table for table in tables if not is_cut(connection, table)]
    for table in whole:
        _anew(connection, table, parts)
    return whole


def join(connection: Connection, tables: Iterable[str] = tuple(KEYS)) -> None:
    """Make them whole again: what `cut` did is undone."""
    for table in tables:
        if is_cut(connection, table):
            _anew(connection, table, 0)


def _anew(connection: Connection, table: str, parts: int) -> None:
    """The same table under its name, with the same rows, key, indexes, owner and grants, in so many parts."""
    run = connection.exec_driver_sql
    run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    indexes = run(_INDEXES.format(table=table)).all()
    key = run(_KEY.format(table=table)).scalar_one()
    old = f"{table}_before"
    run(f"ALTER TABLE {table} RENAME TO {old}")
    for name, _, _ in indexes:
        run(f"ALTER INDEX {name} RENAME TO {name}_before")
    run(f"CREATE TABLE {table} (LIKE {old} INCLUDING DEFAULTS INCLUDING STORAGE){_by(table) if parts else ''}")
    for part in range(parts):
        values = f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {part})"
        run(f"CREATE TABLE {table}_part_{part} PARTITION OF {table} {values}")
    run(f"INSERT INTO {table} SELECT * FROM {old}")  # noqa: S608 - the names are of KEYS
    for name, is_key, definition in indexes:
        if is_key:
            run(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key}")
        else:  # of a table in parts it says ON ONLY
            run(definition.replace(" ON ONLY ", " ON ", 1))
    _hand_over(connection, old, [table, *(f"{table}_part_{part}" for part in range(parts))])
    run(f"DROP TABLE {old}")


def _hand_over(connection: Connection, old: str, tables: Iterable[str]) -> None:
    """Whoever might use the old table may use the new ones, and their parts, which pg_dump reads by name."""
    run = connection.exec_driver_sql
    owner = run(_OWNER.format(table=old)).scalar_one()
    grants = run(_GRANTS.format(table=old)).all()
    for table in tables:
        run(f"ALTER TABLE {table} OWNER TO {owner}")
        for privilege, grantee, option in grants:
            run(f"GRANT {privilege} ON {table} TO {grantee}{option}")


def _by(table: str) -> str:
    return f" PARTITION BY HASH ({KEYS[table]})"
