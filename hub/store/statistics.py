"""What PostgreSQL believes of the tables that a load fills, told anew while they grow.

A statement is planned once a connection (hub.store.connecting). What is planned while a table is empty walks over
all of it, and does so still when there are a hundred thousand rows, until the server's own look, once a minute.
https://www.postgresql.org/docs/current/sql-analyze.html: who counts a table anew has all plans of it made again.
SQLite plans by its indexes alone.
Refuses: nothing.
"""

from collections.abc import Iterable

from hub.store.engine import Database
from hub.store.partitions import KEYS

GROWN = (
    *("resource", "index_token", "index_date", "index_string", "index_number", "index_reference", "index_patient"),
    *("index_about", "index_relation", "source_person", "identity_key", "feed_record", "outbox", "history"),
)


def count_anew(database: Database) -> None:
    """Takes some hundred milliseconds, whatever the size: a sample is read. A table that the hub's account does not
    own is left out, with a warning in PostgreSQL's log."""
    _analyze(database, GROWN)


def count_what_is_in_parts(database: Database) -> None:
    """PostgreSQL counts the parts by itself, and never what they are parts of.
    https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-STATISTICS"""
    _analyze(database, KEYS)


def _analyze(database: Database, tables: Iterable[str]) -> None:
    if database.is_sqlite:
        return
    with database.write() as connection:
        connection.exec_driver_sql(f"ANALYZE {', '.join(tables)}")
