"""A migrated database has the schema of hub.store.tables, and migrating again changes nothing."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Inspector, inspect

from hub.store import (  # noqa: F401 - they join the metadata
    tables_audit,
    tables_auth,
    tables_feeds,
    tables_glass,
    tables_identity,
    tables_limits,
    tables_notices,
    tables_subscriptions,
)
from hub.store.engine import Database
from hub.store.migrate import migrate, newest
from hub.store.partitions import is_part
from hub.store.schema import VERSION_TABLE
from hub.store.tables import metadata


def test_a_migrated_database_is_what_the_tables_say(database: Database) -> None:
    with database.write() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "target_metadata": metadata,
                "include_name": lambda name, kind, _: kind != "table" or not is_part(name),
            },
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == newest()


def test_constraints_that_alembic_does_not_compare_are_there_too(database: Database) -> None:
    with database.read() as connection:
        found = inspect(connection)
        for table in metadata.tables.values():
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
            indexes = {index["name"] for index in found.get_indexes(table.name)}
            assert {str(index.name) for index in table.indexes} <= indexes


def _indexes(found: Inspector, table: str) -> list[object]:
    return sorted((i["name"], str(i["column_names"]), i["unique"]) for i in found.get_indexes(table))


def test_migrating_again_changes_nothing(database: Database) -> None:
    def schema() -> list[tuple[str, ...]]:
        with database.read() as connection:
            found = inspect(connection)
            names = sorted(found.get_table_names())
            return [(t, str(found.get_columns(t)), _indexes(found, t)) for t in names]

    before = schema()
    migrate(database)
    assert schema() == before
    assert {name for name, *_ in before if not is_part(name)} == {*metadata.tables, VERSION_TABLE}
