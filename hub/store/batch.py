"""What one commit writes, and its rows as statements: a single one for PostgreSQL, one a table for SQLite.

A part is what happens to one table. `PARTS` says each part's columns and what is done with its rows, which
PostgreSQL gets as arrays (hub.store.arrays) and SQLite one by one.
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hub.search.index import IndexRows
from hub.store import arrays
from hub.store.clocks import MICROS
from hub.store.read import Stored

Rows = Sequence[tuple[Any, ...]]


@dataclass(slots=True)
class Batch:
    """All that one commit writes. `replaced` holds (old, new); `index` the rows before and now by rid. With `merge`
    index rows may be there already: only where the resources are locked, so that nobody takes them away then.
    `facts` are (rid, patient, labels) of resources that stay as they are otherwise; `audit` the records of what was
    asked for (hub.audit.recorder). `persons` are the source persons that what is created came with, by type and
    id."""

    created: Sequence[Stored] = ()
    replaced: Sequence[tuple[Stored, Stored]] = ()
    index: Mapping[int, tuple[IndexRows, IndexRows]] = field(default_factory=dict)
    outbox: Sequence[Mapping[str, Any]] = ()
    merge: bool = False
    facts: Sequence[tuple[int, int, int]] = ()
    audit: Sequence[tuple[int, bytes]] = ()
    persons: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def stamp(self) -> int | None:
        """The oldest of its versions' times, if it writes any."""
        return min((row.last_updated for row in (*self.created, *(new for _, new in self.replaced))), default=None)


@dataclass(frozen=True, slots=True)
class Part:
    """`postgresql` are the members of a WITH clause, where `{rows}` is the unnested arrays; `sqlite` statements
    take a row each. Where every row must find the one it replaces, `found` names the member that counts them."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    postgresql: tuple[tuple[str, str], ...]
    sqlite: tuple[str, ...]
    found: str = ""


def _insertion(table: str, columns: str, types: str, ending: str = "") -> Part:
    names = tuple(columns.split())
    listed, marks = ", ".join(names), ", ".join("?" * len(names))
    return Part(
        names,
        tuple(types.split()),
        ((f"{table}_fresh", f"INSERT INTO {table} ({listed}) SELECT * FROM {{rows}} AS n{ending}"),),
        (f"INSERT INTO {table} ({listed}) VALUES ({marks}){ending}",),
    )


def _deletion(table: str, columns: str, types: str) -> Part:
    names = tuple(columns.split())
    same = " AND ".join(f"{table}.{name} = n.{name}" for name in names)
    return Part(
        names,
        tuple(types.split()),
        ((f"{table}_gone", f"DELETE FROM {table} USING {{rows}} AS n ({', '.join(names)}) WHERE {same}"),),
        (f"DELETE FROM {table} WHERE {' AND '.join(f'{name} = ?' for name in names)}",),
    )


# labels only rise, also where they rose since the row was read (hub.inheriting); -1: it had none yet
_ROSE = "CASE WHEN {0} < 0 THEN {1} ELSE {0} | {1} END"
_REPLACED = Part(
    ("rid", "was", "version", "last_updated", "deleted", "body", "patient", "source", "labels"),
    ("bigint", "int", "int", "bigint", "bool", "bytea", "bigint", "bigint", "bigint"),
    (
        (
            "next",
            "SELECT * FROM {rows} AS n (rid, was, version, last_updated, deleted, body, patient, source, labels)",
        ),
        (
            "earlier",
            "INSERT INTO history (rid, type, version, last_updated, deleted, body)"
            " SELECT r.rid, r.type, r.version, r.last_updated, r.deleted, r.body FROM resource r JOIN next n"
            " ON r.rid = n.rid AND r.version = n.was",
        ),
        (
            "replaced",
            "UPDATE resource SET version = n.version, last_updated = n.last_updated, deleted = n.deleted,"
            " body = n.body, patient = n.patient, source = n.source,"
            f" labels = {_ROSE.format('resource.labels', 'n.labels')}"
            " FROM next n WHERE resource.rid = n.rid AND resource.version = n.was RETURNING 1",
        ),
    ),
    (
        "INSERT INTO history (rid, type, version, last_updated, deleted, body)"
        " SELECT rid, type, version, last_updated, deleted, body FROM resource WHERE rid = :rid AND version = :was",
        "UPDATE resource SET version = :version, last_updated = :last_updated, deleted = :deleted, body = :body,"
        f" patient = :patient, source = :source, labels = {_ROSE.format('labels', ':labels')}"
        " WHERE rid = :rid AND version = :was",
    ),
    "replaced",
)

# of what stays as it is otherwise (hub.reindex, hub.inheriting)
_FACTS = Part(
    ("rid", "patient", "labels"),
    ("bigint", "bigint", "bigint"),
    (
        (
            "facts",
            "UPDATE resource SET patient = n.patient, labels = n.labels FROM {rows} AS n (rid, patient, labels)"
            " WHERE resource.rid = n.rid",
        ),
    ),
    ("UPDATE resource SET patient = :patient, labels = :labels WHERE rid = :rid",),
)

_TOKEN = ("index_token", "hash rid", "bigint bigint")
_DATE = ("index_date", "param low high rid", "bigint bigint bigint bigint")
_STRING = ("index_string", "param value rid", "bigint text bigint")
_NUMBER = ("index_number", "param low high rid", "bigint float8 float8 bigint")
_REFERENCE = ("index_reference", "target rid", "bigint bigint")
_PATIENT = ("index_patient", "patient rid", "bigint bigint")
_ABOUT = ("index_about", "target rid", "bigint bigint")
_RELATION = ("index_relation", "patient holder kind low high rid", "bigint bigint bigint bigint bigint bigint")
_CONSENT = (
    "index_consent",
    "patient recipient place permit labels purposes low high signed depth proxy medi_cal rid",
    "bigint bigint int bool bigint bigint bigint bigint bigint int bigint bool bigint",
)
_PLACE = ("patient", "recipient", "place", "rid")  # of a Consent's row: what stands there may change
_SAID = tuple(name for name in _CONSENT[1].split() if name not in _PLACE)
_CHANGED = Part(
    tuple(_CONSENT[1].split()),
    tuple(_CONSENT[2].split()),
    (
        (
            "index_consent_changed",
            f"UPDATE index_consent SET {', '.join(f'{name} = n.{name}' for name in _SAID)}"
            f" FROM {{rows}} AS n ({', '.join(_CONSENT[1].split())})"
            f" WHERE {' AND '.join(f'index_consent.{name} = n.{name}' for name in _PLACE)}",
        ),
    ),
    (
        f"UPDATE index_consent SET {', '.join(f'{name} = :{name}' for name in _SAID)}"
        f" WHERE {' AND '.join(f'{name} = :{name}' for name in _PLACE)}",
    ),
)
INDEXES = (_TOKEN, _DATE, _STRING, _NUMBER, _REFERENCE, _PATIENT, _ABOUT, _RELATION, _CONSENT)
PARTS: dict[str, Part] = {
    "created": _insertion(
        "resource",
        "rid type id version last_updated deleted body address patient labels source person",
        "bigint varchar varchar int bigint bool bytea bigint bigint bigint bigint bigint",
    ),
    "replaced": _REPLACED,
    "facts": _FACTS,
    **{f"{index[0]} gone": _deletion(*index) for index in INDEXES},
    **{f"{index[0]} fresh": _insertion(*index) for index in INDEXES},
    **{f"{index[0]} merged": _insertion(*index, " ON CONFLICT DO NOTHING") for index in INDEXES},
    "index_consent changed": _CHANGED,
    "outbox": _insertion(
        "outbox",
        "kind key line payload state due created",
        "varchar varchar varchar bytea varchar bigint bigint",
        " ON CONFLICT DO NOTHING",
    ),
    "audit": _insertion("audit_pending", "id record", "bigint bytea"),
}


# Who asks what was written until a moment (hub.store.settled) knows of all that had a number then. What is stamped
# before it has one must have it soon after, by the database's clock; the number comes first here.
AGE = 800_000  # microseconds
_FRESH = (
    f"1 / (CASE WHEN pg_current_xact_id() IS NULL THEN 0 WHEN abs({MICROS} - %s::bigint) < {AGE} THEN 1 ELSE 0 END)"
)


@cache
def _statement(names: tuple[str, ...], stamped: bool) -> str:
    members = [
        f"{name} AS ({sql.format(rows=_unnested(PARTS[part]))})"
        for part in names
        for name, sql in PARTS[part].postgresql
    ]
    counted = [PARTS[part].found for part in names if PARTS[part].found]
    # a division by zero undoes the whole statement (SQLSTATE 22012): some row is not what it was when it was read
    checks = [f"1 / (CASE WHEN (SELECT count(*) FROM {name}) = %s THEN 1 ELSE 0 END)" for name in counted]
    checks += [_FRESH] * stamped
    return f"WITH {', '.join(members)} SELECT {', '.join(checks) or '1'}"


def _unnested(part: Part) -> str:
    return f"unnest({', '.join(f'%s::{of}[]' for of in part.types)})"


def postgresql(parts: Mapping[str, Rows], stamp: int | None = None) -> tuple[str, list[Any]]:
    """The one statement that writes these parts, and its parameters. With a `stamp` it writes nothing where that is
    AGE or more from the database's clock."""
    values: list[Any] = []
    for name, rows in parts.items():
        values += arrays.columns(PARTS[name].types, rows)
    values += [len(rows) for name, rows in parts.items() if PARTS[name].found]
    values += [] if stamp is None else [stamp]
    return _statement(tuple(parts), stamp is not None), values
