"""Whether this release can work over a database's schema; without Alembic, which a running hub need not carry.

It wants its own, or with PostgreSQL that of a later release which keeps all that this one needs
(hub.store.migrate): while nodes are replaced one by one, those of the release before go on. A SQLite database
has one node.
"""

from pathlib import Path

from sqlalchemy import text

from hub.problems import Problem
from hub.store.engine import Database

VERSIONS = Path(__file__).parent / "migrations" / "versions"
VERSION_TABLE = "alembic_version"
OLDEST = "oldest release: "
FOUND = f"SELECT version_num, NULL FROM {VERSION_TABLE}"  # noqa: S608
FOUND_AND_OLDEST = f"SELECT version_num, obj_description('{VERSION_TABLE}'::regclass) FROM {VERSION_TABLE}"  # noqa: S608
CURRENT, LATER, OTHER = "current", "later", "other"


def newest() -> str:
    """The revision this release wants: the files are named `<revision>_<what>.py`, counting up."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def state(database: Database) -> str:
    """CURRENT; LATER, which keeps what this release needs; OTHER, which this release cannot work over. A database
    that cannot be asked, or was never migrated, is OTHER."""
    try:
        with database.read() as connection:
            row = connection.execute(text(FOUND if database.is_sqlite else FOUND_AND_OLDEST)).first()
    except Problem:
        return OTHER
    return OTHER if row is None else _judged(newest(), str(row[0]), str(row[1] or ""))


def _judged(own: str, found: str, comment: str) -> str:
    if found == own:
        return CURRENT
    is_kept = comment.startswith(OLDEST) and comment.removeprefix(OLDEST) <= own
    return LATER if found > own and is_kept else OTHER


def is_usable(database: Database) -> bool:
    return state(database) != OTHER
