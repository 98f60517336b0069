"""Rows as their sources said them last, and whether what they say is written yet.

A row is known by a hash of feed, kind and key; whether it says something new, by a hash of what it says. What is
said again costs one look, for a thousand rows at a time. When it was said last is kept with it (hub.feeds.moments).
Every function works in the caller's transaction. States: CLEAN is written, CHANGED is to be, WAITING for something
that has a message in the inbox.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.feeds.records import Feed, Kept, Row, Subject
from hub.store import arrays
from hub.store.engine import driver, mark

CLEAN, CHANGED, WAITING = 0, 1, 2
_TYPED = {
    "name": "bytea",
    "feed": "varchar",
    "kind": "varchar",
    "key": "text",
    "subject": "text",
    "stage": "int",
    "hash": "bigint",
    "body": "bytea",
    "file": "bigint",
    "line": "int",
    "part": "varchar",
    "deleted": "bool",
    "state": "int",
    "said": "bigint",
}
_COLUMNS, _TYPES = [*_TYPED], [*_TYPED.values()]
_NEW = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in ("name", "feed", "kind", "key"))
_PUT = f"INSERT INTO feed_record ({', '.join(_COLUMNS)})"
# a reader that slept until its lease was over writes nothing over what was said later
_ON_CONFLICT = f" ON CONFLICT (name) DO UPDATE SET {_NEW} WHERE feed_record.said <= excluded.said"
_write = msgspec.json.Encoder(order="sorted").encode
_read = msgspec.json.decode
_SEPARATOR = b"\x1f"
PAGE = 5000


@dataclass(frozen=True, slots=True)
class Said:
    """A row as it is to be kept. `hash` is of all that matters to what it becomes; not of its place in the file,
    nor of `at`, when it was said."""

    name: bytes
    hash: int
    body: bytes
    row: Row
    at: int = 0


def said(feed: Feed, row: Row, at: int) -> Said:
    body = _write(row.values)
    what = (body, row.subject.encode(), bytes((row.stage, row.deleted)))
    return Said(name_of(feed, row.kind, row.key), _number(_SEPARATOR.join(what)), body, row, at)


def name_of(feed: Feed, kind: str, key: str) -> bytes:
    parts = (feed.name.encode(), kind.encode(), key.encode("utf-8", "surrogatepass"))
    return blake2b(_SEPARATOR.join(parts), digest_size=16).digest()


def _number(what: bytes) -> int:
    return int.from_bytes(blake2b(what, digest_size=8).digest(), "big", signed=True)


@dataclass(frozen=True, slots=True)
class Before:
    """What is kept of a row."""

    hash: int
    subject: str
    at: int


def before(connection: Connection, names: Sequence[bytes]) -> dict[bytes, Before]:
    """Of those of these rows that are kept."""
    if connection.dialect.name == "postgresql":
        asked = "SELECT name, hash, subject, said FROM feed_record WHERE name = ANY (%s::bytea[])"
        return _by_name(driver(connection).execute(asked, (arrays.blobs(names),)).fetchall())
    found: dict[bytes, Before] = {}
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        asked = f"SELECT name, hash, subject, said FROM feed_record WHERE name IN ({', '.join('?' * len(some))})"
        found.update(_by_name(driver(connection).execute(asked, some).fetchall()))
    return found


def _by_name(rows: Iterable[Any]) -> dict[bytes, Before]:
    return {bytes(name): Before(number, subject, at) for name, number, subject, at in rows}


def touch(connection: Connection, feed: Feed, subjects: Iterable[str]) -> None:
    """These subjects lost a row to another one: what is left of them is mapped anew."""
    one = mark(connection)
    statement = f"UPDATE feed_record SET state = {CHANGED} WHERE feed = {one} AND subject = {one}"
    for subject in sorted(subjects):
        driver(connection).execute(statement, (feed.name, subject))


def put(connection: Connection, feed: Feed, rows: Sequence[Said], file: int) -> None:
    """Keep these rows, as CHANGED."""
    _upsert(
        connection,
        [
            (
                *(one.name, feed.name, one.row.kind, one.row.key, one.row.subject, one.row.stage, one.hash),
                *(one.body, file, one.row.line, one.row.part[:128], one.row.deleted, CHANGED, one.at),
            )
            for one in rows
        ],
    )


def _upsert(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        unnested = ", ".join(f"%s::{kind}[]" for kind in _TYPES)
        statement = f"{_PUT} SELECT * FROM unnest({unnested}) AS n{_ON_CONFLICT}"
        driver(connection).execute(statement, arrays.columns(_TYPES, rows))
    else:
        marks = ", ".join("?" * len(_COLUMNS))
        driver(connection).executemany(f"{_PUT} VALUES ({marks}){_ON_CONFLICT}", rows)


def say_again(connection: Connection, said: Sequence[tuple[bytes, int]]) -> None:
    """These rows say what they said, at these moments, which are later."""
    if connection.dialect.name == "postgresql":
        statement = (
            "UPDATE feed_record r SET said = n.said FROM unnest(%s::bytea[], %s::bigint[]) AS n (name, said)"
            " WHERE r.name = n.name AND r.said < n.said"
        )
        driver(connection).execute(statement, arrays.columns(("bytea", "bigint"), said))
    else:
        statement = "UPDATE feed_record SET said = ? WHERE name = ? AND said < ?"
        driver(connection).executemany(statement, [(at, name, at) for name, at in said])


def names_of(connection: Connection, feed: Feed, kind: str, at: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """Name and body of all rows of a kind that were not taken back nor said after this, a page at a time."""
    one, after = mark(connection), b""
    asked = (
        f"SELECT name, body FROM feed_record WHERE feed = {one} AND kind = {one} AND name > {one} AND NOT deleted"
        f" AND said <= {one} ORDER BY name LIMIT {PAGE}"
    )
    while page := driver(connection).execute(asked, (feed.name, kind, after, at)).fetchall():
        yield [(bytes(name), bytes(body)) for name, body in page]
        after = bytes(page[-1][0])


def holds(body: bytes, within: Mapping[str, Any]) -> bool:
    """Whether a row's values have these among them."""
    return not within or has(_read(body), within)


def has(values: Mapping[str, Any], within: Mapping[str, Any]) -> bool:
    return all(values.get(name) == value for name, value in within.items())


def take_back(connection: Connection, names: Sequence[bytes], file: int, at: int) -> int:
    """These rows were in no file that should have named them, as of then; how many of them nobody told of since."""
    if not names:
        return 0
    one = mark(connection)
    mine = f"UPDATE feed_record SET deleted = {one}, state = {CHANGED}, hash = 0, file = {one} WHERE said <= {one}"
    if connection.dialect.name == "postgresql":
        taken = (True, file, at, arrays.blobs(names))
        statement = f"{mine} AND name = ANY (%s::bytea[]) RETURNING 1"
        return len(driver(connection).execute(statement, taken).fetchall())
    rows = [(True, file, at, name) for name in names]
    return int(driver(connection).executemany(f"{mine} AND name = ?", rows).rowcount)


def changed(connection: Connection, feed: Feed, stage: int, after: str, limit: int) -> list[str]:
    """The next subjects with a row that changed, in order."""
    one = mark(connection)
    asked = (
        f"SELECT DISTINCT subject FROM feed_record WHERE feed = {one} AND stage = {one} AND subject > {one}"
        f" AND state = {CHANGED} ORDER BY subject LIMIT {limit}"
    )
    found = driver(connection).execute(asked, (feed.name, stage, after)).fetchall()
    return [subject for (subject,) in found]


def count_changed(connection: Connection, feed: Feed) -> int:
    asked = f"SELECT count(*) FROM feed_record WHERE feed = {mark(connection)} AND state = {CHANGED}"
    row = driver(connection).execute(asked, (feed.name,)).fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Held:
    """A subject with the hashes of its rows, and which of them are not written yet (by their place)."""

    subject: Subject
    versions: Sequence[tuple[bytes, int]]
    news: frozenset[int]


def subjects(connection: Connection, feed: Feed, keys: Sequence[str]) -> list[Held]:
    """All rows of these subjects, in the order of the keys; those that nobody said anything of are left out."""
    found = _rows_of(connection, feed, keys)
    by_subject: dict[str, list[Any]] = {}
    for row in found:
        by_subject.setdefault(row[0], []).append(row)
    return [_held(feed, key, by_subject[key]) for key in keys if key in by_subject]


_ROWS = (
    "SELECT r.subject, r.name, r.hash, r.state, r.kind, r.key, r.body, f.name, r.line, r.part, r.deleted"
    " FROM feed_record r LEFT JOIN feed_file f ON f.seq = r.file WHERE r.feed = {one} AND r.subject {which}"
    " ORDER BY r.subject, r.kind, r.key"
)


def _rows_of(connection: Connection, feed: Feed, keys: Sequence[str]) -> Iterable[Any]:
    one, which, values = _of(connection, feed, keys)
    found: Iterable[Any] = driver(connection).execute(_ROWS.format(one=one, which=which), values).fetchall()
    return found


def _of(connection: Connection, feed: Feed, keys: Sequence[str]) -> tuple[str, str, Sequence[Any]]:
    """A mark, which subjects of the feed are asked for, and the values."""
    if connection.dialect.name == "postgresql":
        return "%s", "= ANY (%s::text[])", [feed.name, arrays.texts(keys)]
    return "?", f"IN ({', '.join('?' * len(keys))})", [feed.name, *keys]


def _held(feed: Feed, key: str, rows: Sequence[Any]) -> Held:
    kept = tuple(
        Kept(kind, name, _read(body), file or "", line, part, bool(deleted))
        for _, _, _, _, kind, name, body, file, line, part, deleted in rows
    )
    versions = tuple((bytes(row[1]), row[2]) for row in rows)
    news = frozenset(place for place, row in enumerate(rows) if row[3] != CLEAN)
    return Held(Subject(feed, key, kept), versions, news)


def are_current(connection: Connection, held: Sequence[Held]) -> bool:
    """Whether these subjects, of one feed, have just the rows that were read, and those say what they said. Nobody
    changes them until the transaction ends."""
    feed, keys = held[0].subject.feed, [one.subject.key for one in held]
    one, which, values = _of(connection, feed, keys)
    asked = f"SELECT name, hash FROM feed_record WHERE feed = {one} AND subject {which}"
    if connection.dialect.name == "postgresql":
        asked += " ORDER BY name FOR UPDATE"
    found = {(bytes(name), number) for name, number in driver(connection).execute(asked, values).fetchall()}
    return found == {version for one in held for version in one.versions}


def written(connection: Connection, held: Sequence[Held]) -> None:
    """What these rows say is in the store now; not of rows that changed meanwhile."""
    _set(connection, held, CLEAN)


def waiting(connection: Connection, held: Sequence[Held]) -> None:
    """A message of the inbox says what for."""
    _set(connection, held, WAITING)


def _set(connection: Connection, held: Sequence[Held], state: int) -> None:
    versions = [version for one in held for version in one.versions]
    if connection.dialect.name == "postgresql":
        statement = (
            f"UPDATE feed_record r SET state = {state} FROM unnest(%s::bytea[], %s::bigint[]) AS n (name, hash)"
            f" WHERE r.name = n.name AND r.hash = n.hash AND r.state <> {state}"
        )
        driver(connection).execute(statement, arrays.columns(("bytea", "bigint"), versions))
    else:
        statement = f"UPDATE feed_record SET state = {state} WHERE name = ? AND hash = ? AND state <> {state}"
        driver(connection).executemany(statement, versions)


def forget(connection: Connection, versions: Sequence[tuple[bytes, int]]) -> None:
    """These rows are as if nobody had said them; not where they say something else meanwhile."""
    one = mark(connection)
    for name, number in versions:
        driver(connection).execute(f"DELETE FROM feed_record WHERE name = {one} AND hash = {one}", (name, number))
