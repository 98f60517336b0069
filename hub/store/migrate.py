"""Bring a database to this release's schema with Alembic. Running it again changes nothing."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from hub.store.engine import Database

SCRIPTS = Path(__file__).parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    found = Config()
    found.set_main_option("script_location", str(SCRIPTS))
    found.attributes["connection"] = connection
    return found


def migrate(database: Database) -> None:
    """Apply what is missing, in one transaction."""
    with database.write() as connection:
        if not database.is_sqlite:  # two nodes may start at once
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(72183001)")
        command.upgrade(config(connection), "head")


def newest() -> str:
    """The revision this release wants."""
    return str(ScriptDirectory.from_config(config()).get_current_head())
