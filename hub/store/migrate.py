"""Bring a database to this release's schema with Alembic. Running it again changes nothing.

With PostgreSQL the nodes of the release before go on meanwhile (docs/deployment.md, "Upgrade"): a revision adds
what it needs, and what nobody needs any more goes with a later release. A revision that takes something away,
or narrows it, names in `oldest` the oldest release that can do without; the database remembers the highest of
them, as the comment of its table alembic_version, and hub.store.schema asks for it. What a revision changes is
locked until it ends, and who waits for a lock keeps others waiting behind it: after LOCK_SECONDS it lets them
go by, and tries again.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from hub.problems import Problem
from hub.store.engine import Database
from hub.store.faults import is_locked
from hub.store.schema import OLDEST, VERSION_TABLE

SCRIPTS = Path(__file__).parent / "migrations"
LOCK_SECONDS, PAUSE_SECONDS, TRIES = 3, 2.0, 60

log = logging.getLogger("hub.store")


def config(connection: Connection | None = None) -> Config:
    found = Config()
    found.set_main_option("script_location", str(SCRIPTS))
    found.attributes["connection"] = connection
    return found


def migrate(database: Database, pause: Callable[[float], None] = time.sleep) -> None:
    """Apply what is missing, in one transaction. Raises Problem."""
    for attempt in range(1, TRIES + 1):
        try:
            with database.write() as connection:
                return _apply(connection)
        except Problem as problem:
            if not is_locked(problem.__cause__) or attempt == TRIES:
                raise
            log.warning("What is to be changed is in use; tried again in %d s", PAUSE_SECONDS)
            pause(PAUSE_SECONDS)
    raise AssertionError("unreachable")


def _apply(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        command.upgrade(config(connection), "head")
        return
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(72183001)")  # two nodes may start at once
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    command.upgrade(config(connection), "head")
    connection.exec_driver_sql(f"COMMENT ON TABLE {VERSION_TABLE} IS '{OLDEST}{oldest()}'")


def newest() -> str:
    """The revision this release wants."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def oldest() -> str:
    """The newest revision that the oldest release knows which works over this release's schema."""
    scripts = ScriptDirectory.from_config(config()).walk_revisions()
    return max(str(getattr(script.module, "oldest", "0001")) for script in scripts)
