"""Values of header lines that stand in Subscriptions of an earlier release: sealed, and taken out of every version
and of the answers kept under an Idempotency-Key. Work that migration 0010 leaves to the worker, which has the key.

Rules: hub.header_values. The value of the current version is kept, for its owner and its endpoint; those of earlier
versions and of what is deleted go. One transaction: a kill leaves all of it to be done again. Notices are sent with
the value meanwhile and afterwards.
SQLite's file keeps nothing of what was overwritten; of PostgreSQL's see docs/runbook.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import escape

from sqlalchemy import Connection

from hub import clock, header_values, outbox
from hub.fhir import json
from hub.header_values import Kept
from hub.store import header_values as store
from hub.store.engine import Database

KIND = "header-values"
AGAIN_SECONDS = 60
READ = "Somebody reads the former content yet"


@dataclass(frozen=True, slots=True)
class StoredHeaders:
    """The worker's handler."""

    database: Database
    key: bytes
    now: clock.Clock = clock.now

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        count = self.database.writing(self._seal)
        if not self.database.forget_overwritten():
            return outbox.Later(clock.micros(self.now()) + AGAIN_SECONDS * outbox.SECOND, READ)
        return outbox.Done(f"{count} Subscriptions had values" if count else "")

    def _seal(self, connection: Connection) -> int:
        """How many Subscriptions had values."""
        _overwriting(connection, True)
        lines: dict[str, str] = {}
        count = 0
        for stored in store.subscriptions(connection):
            found = _lines([*store.earlier(connection, stored.rid), *([stored.body] if stored.body else [])])
            if not found:
                continue
            count += 1
            lines |= found
            if stored.body is not None:
                self._keep(connection, stored)
            store.rewrite(connection, stored.rid, _rewritten)
        if lines:
            replaced = _in_bytes(lines)
            store.rewrite_answers(connection, lambda body: _without(body, replaced))
        _overwriting(connection, False)
        return count

    def _keep(self, connection: Connection, stored: store.Stored) -> None:
        resource: Any = json.stored(stored.body or b"")
        _, values = header_values.without_values(resource)
        before = header_values.opened(self.key, stored.id, store.find(connection, stored.id))
        fresh = {name: value for name, value in values.items() if value != header_values.SET}
        if not fresh:
            return
        owner = store.owner_of(connection, stored.id)
        kept = Kept(stored.id, owner, resource["channel"].get("endpoint", ""), fresh)
        if before is not None and before.owner == owner and before.endpoint == kept.endpoint:
            kept = replace(kept, values={**before.values, **fresh})
        store.put(connection, stored.id, kept.sealed(self.key, stored.version, clock.micros(self.now())))


def _lines(bodies: Iterable[bytes]) -> dict[str, str]:
    """Every line with a value in these, and what becomes of it."""
    found: dict[str, str] = {}
    for body in bodies:
        resource: Any = json.stored(body)
        lines = resource.get("channel", {}).get("header") or ()
        shown, _ = header_values.parted(lines)
        found |= {line: new for line, new in zip(lines, shown, strict=True) if line != new}
    return found


def _rewritten(body: bytes) -> bytes:
    resource: Any = json.stored(body)
    made, _ = header_values.without_values(resource)
    return json.write(made) if made != resource else body


def _in_bytes(lines: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The lines as answers have them, in JSON and in XML; the longest first, one may begin another."""
    ordered = sorted(lines.items(), key=lambda pair: -len(pair[0]))
    plain = [(json.canonical(old), json.canonical(new)) for old, new in ordered]
    quoted = [(_attribute(old), _attribute(new)) for old, new in ordered]
    return list(dict.fromkeys([*plain, *quoted]))


def _attribute(text: str) -> bytes:
    return b'"' + escape(text, {'"': "&quot;"}).encode() + b'"'


def _without(body: bytes, lines: Iterable[tuple[bytes, bytes]]) -> bytes:
    for old, new in lines:
        body = body.replace(old, new)
    return body


def _overwriting(connection: Connection, wanted: bool) -> None:
    """https://sqlite.org/pragma.html#pragma_secure_delete"""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA secure_delete = {'ON' if wanted else 'OFF'}")
