"""This deployment's search parameters in the database: kept together with the SearchParameter resources they come
from, and looked up by every process.

A process looks at most every EVERY seconds, when it is asked something (`look`): nobody writes or searches with
what is older than that. Whoever needs all processes to know waits for SETTLED (hub.reindex).
Refuses: two active parameters of one code and base (422 `definition-taken`).
Each function but `look` works in its caller's transaction. Times are microseconds since 1970, UTC.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hub.problems import Problem
from hub.search import custom
from hub.search.custom import INDEXING, LIVE, READY, REMOVING, Definition, Known, Snapshot
from hub.search.definitions import TAKEN, definitions, is_active
from hub.search.hashes import key
from hub.store.engine import Database
from hub.store.rids import new_rid
from hub.store.tables import search_parameter as table

TYPE = "SearchParameter"
EVERY = 5.0  # seconds
SECOND = 1_000_000
# EVERY twice (hub.search.custom.renew), and what a transaction may take between computing rows and its end
SETTLED = 20 * SECOND
ADDING, CHECKING, REMOVAL = "adding", "checking", "removing"
Resource = dict[str, Any]


@dataclass(slots=True)
class _Looked:
    """When this process last looked, at which database, and what it saw."""

    url: object = None
    at: float = 0.0
    seen: Any = field(default_factory=list)  # as in the empty snapshot that every process begins with
    renew: bool = False


_looked = _Looked()
_turn = threading.Lock()


def look(database: Database) -> None:
    """Let custom.current() be what the database says, or said less than EVERY seconds ago. Raises Problem."""
    if database.url is _looked.url and time.monotonic() - _looked.at < EVERY:
        return
    with _turn:
        if database.url is not _looked.url or time.monotonic() - _looked.at >= EVERY:
            _look(database)


def look_again() -> None:
    """The next `look` asks the database."""
    _looked.at = float("-inf")


def _look(database: Database) -> None:
    began = time.monotonic()
    seen = database.reading(lambda connection: connection.execute(_SEEN).all())
    if seen != _looked.seen:
        custom.replace(_snapshot(seen))
    elif _looked.renew:  # a thread may have remembered what the former snapshot said
        custom.renew()
    _looked.renew = seen != _looked.seen
    _looked.url, _looked.at, _looked.seen = database.url, began, seen


_NAMES = tuple(Definition.__slots__)
_COLUMNS = (table.c.number, table.c.parameter, table.c.state, *(table.c[name] for name in _NAMES))
_SEEN = select(*_COLUMNS).order_by(table.c.number)


def known(row: Any) -> Known:
    return Known(row.number, Definition(*(getattr(row, name) for name in _NAMES)), row.state)


def _snapshot(rows: Sequence[Any]) -> Snapshot:
    by_base: dict[str, tuple[Known, ...]] = {}
    for row in rows:
        if row.parameter and row.state in LIVE:
            by_base[row.base] = (*by_base.get(row.base, ()), known(row))
    return Snapshot(by_base, any(row.parameter or row.state != READY for row in rows))


def keep(connection: Connection, changes: Iterable[Any]) -> None:
    """Follow SearchParameters that were written: `changes` are hub.versions.Change. Raises Problem."""
    _one_at_a_time(connection)
    wanted = [(change, definitions(change.now) if is_active(change.now) else ()) for change in changes]
    for change, found in wanted:
        _retire(connection, change, found)
    for change, found in wanted:
        _introduce(connection, change, found)
    look_again()


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        word = key("", "search parameters")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1)", (word,))


def _mine(connection: Connection, identity: str) -> list[Known]:
    mine = select(*_COLUMNS).where(table.c.parameter == identity, table.c.state.in_(LIVE))
    return [known(row) for row in connection.execute(mine)]


def _retire(connection: Connection, change: Any, wanted: Sequence[Definition]) -> None:
    gone = [one.number for one in _mine(connection, change.id) if one.definition not in wanted]
    if gone:
        removing = {"state": REMOVING, "phase": REMOVAL, "position": 0, "looked_at": 0, "updated": change.at}
        statement = update(table).where(table.c.number.in_(gone))
        connection.execute(statement.values(removing | {"due": change.at + SETTLED}))


def _introduce(connection: Connection, change: Any, wanted: Sequence[Definition]) -> None:
    there = {one.definition for one in _mine(connection, change.id)}
    for one in wanted:
        if one not in there:
            _must_be_free(connection, one)
            insert_job(connection, change.at, change.id, one)


def _must_be_free(connection: Connection, one: Definition) -> None:
    same = (table.c.base == one.base, table.c.code == one.code, table.c.state.in_(LIVE), table.c.parameter != "")
    if connection.execute(select(table.c.number).where(*same)).first():
        message = f"{one.base} has a search parameter '{one.code}' already, by another SearchParameter"
        raise Problem(TAKEN, message, "SearchParameter.code")


def insert_job(connection: Connection, at: int, parameter: str, one: Definition) -> int:
    """A new row, to be indexed; its number."""
    values = {name: getattr(one, name) for name in _NAMES}
    work = {"state": INDEXING, "phase": ADDING, "position": 0, "looked_at": 0, "due": at + SETTLED}
    number = new_rid(at)
    row = {"number": number, "parameter": parameter, "started": at, "updated": at}
    connection.execute(insert(table).values(values | work | row))
    return number
