"""Whether a database has this release's schema; without Alembic, which a running hub need not carry."""

from pathlib import Path

from sqlalchemy import text

from hub.problems import Problem
from hub.store.engine import Database

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def newest() -> str:
    """The revision this release wants: the files are named `<revision>_<what>.py`, counting up."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def is_current(database: Database) -> bool:
    """False for a database that was never migrated, or by another release."""
    try:
        with database.read() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except Problem:
        return False
    return found == newest()
