"""Which labels of a note are told with it. A resource that says whose it is by what it is about (a Provenance) is
guarded by the labels of its targets as by its own (hub.inheriting). Told are its own, and of the inherited ones
those of targets that the caller sees: from `meta.security` nobody learns what is sensitive about something out of
sight, nor that it is there.

Rules: docs/labels.md (What decides); 42 CFR 2.12(a)(1): a record falls under Part 2 by what it tells of the
patient, so a copy that tells of no substance use carries no notice.
Its own labels stand in its stored body; inherited ones never do, nor are they searched by.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, null, select

from hub.access import Access
from hub.fhir import json
from hub.rights.facts import ABOUT
from hub.rights.labels import coded, raised, with_labels
from hub.rights.part2 import without_notice
from hub.store.history import last_bodies
from hub.store.keyed import COLUMNS
from hub.store.read import Stored, stored
from hub.store.sight import named, seen
from hub.store.tables import index_about, resource

CHUNK = 500  # numbers in one statement
ROUNDS = 16  # notes on notes, as in hub.inheriting
Resource = dict[str, Any]
Edges = Mapping[int, Collection[int]]


def told(connection: Connection, access: Access, rows: Iterable[Stored]) -> dict[int, int]:
    """By row number the labels that are told of those rows that tell less than they have."""
    notes = {} if access.sight.everything else {row.rid: row for row in rows if may_inherit(row)}
    own = own_labels(connection, notes.values())
    inheriting = [rid for rid, labels in own.items() if labels != notes[rid].labels]
    if not inheriting:
        return {}
    labels, targets = _around(connection, access, own, inheriting)
    found = _joined(labels, targets, inheriting)
    return {rid: found[rid] & notes[rid].labels for rid in inheriting}


def own_of(connection: Connection, row: Stored) -> int:
    """The labels that stand in the resource: its own."""
    return own_labels(connection, [row])[row.rid] if may_inherit(row) else row.labels


def given(connection: Connection, access: Access, old: Stored, content: Resource) -> Resource:
    """What a client sends to replace the old one: who sends back the labels that it was shown, inherited ones among
    them, has not given them itself."""
    if old.body is None or not may_inherit(old):
        return content
    before = json.stored(old.body)
    labels = told(connection, access, [old]).get(old.rid, old.labels)
    shown = _security(with_labels(before, labels))
    if not shown or _security(without_notice(content)) != shown:
        return content
    mine = _security(before)
    meta = {name: value for name, value in without_notice(content)["meta"].items() if name != "security"}
    return {**content, "meta": meta | ({"security": mine} if mine else {})}


def _security(content: Resource) -> Any:
    return content.get("meta", {}).get("security")


def own_labels(connection: Connection, rows: Iterable[Stored]) -> dict[int, int]:
    """By row number the labels that notes (`may_inherit`) have of themselves. Labels only rise, so the last content
    has them all."""
    notes = {row.rid: row for row in rows}
    bodies = {rid: row.body for rid, row in notes.items() if row.body is not None and not row.is_earlier}
    bodies |= _bodies(connection, notes.keys() - bodies.keys())
    found = {rid: coded(json.stored(bodies[rid])) if rid in bodies else 0 for rid in notes}
    less = [rid for rid, labels in found.items() if labels != notes[rid].labels]
    inheriting = {rid for rid, _ in _about(connection, less)}
    # what is about nothing inherits nothing: its labels are its own, also those that no code of it tells
    return {rid: labels if rid in inheriting else notes[rid].labels for rid, labels in found.items()}


def may_inherit(row: Stored) -> bool:
    return row.labels > 0 and row.type in ABOUT


def _around(
    connection: Connection, access: Access, own: Mapping[int, int], rids: Collection[int]
) -> tuple[dict[int, int], Edges]:
    """By row number the labels of these notes and of what they are about, as far as the caller sees it; and which
    of those each note is about."""
    labels = dict(own)
    targets: dict[int, set[int]] = {}
    fresh = set(rids)
    for _ in range(ROUNDS):
        about = _about(connection, fresh)
        there = _seen(connection, access, {target for _, target in about})
        targets |= {rid: set() for rid in fresh}
        for rid, target in about:
            if target in there:
                targets[rid].add(there[target].rid)
        new = [row for row in there.values() if row.rid not in labels]
        notes = [row for row in new if may_inherit(row)]
        labels |= {row.rid: max(row.labels, 0) for row in new} | own_labels(connection, notes)
        fresh = {note.rid for note in notes}
        if not fresh:
            break
    return labels, targets


def _joined(labels: dict[int, int], targets: Edges, rids: Iterable[int]) -> dict[int, int]:
    """With the labels of all that each is about, through notes on notes and in circles. Pure."""
    found = {}
    for rid in rids:
        reached, waiting = {rid}, [rid]
        while waiting:
            more = set(targets.get(waiting.pop(), ())) - reached
            reached |= more
            waiting += more
        mask = 0
        for each in reached:
            mask = raised(mask, labels[each])
        found[rid] = mask
    return found


def _seen(connection: Connection, access: Access, addresses: Collection[int]) -> dict[int, Stored]:
    """By address those of them that the caller sees, of types that it reads."""
    found: dict[int, Stored] = {}
    for some in _chunks(addresses):
        asked = _ROWS.where(resource.c.address.in_(some), seen(resource, access.sight))
        rows = connection.execute(asked, named(access.sight))
        found |= {row.address: stored(row[1:]) for row in rows if _reads(access, row.type)}
    return found


def _reads(access: Access, kind: str) -> bool:
    return access.may("read", kind) or access.may("search-type", kind)


def _about(connection: Connection, rids: Iterable[int]) -> list[tuple[int, int]]:
    """(row, address of what it is about)"""
    found: list[tuple[int, int]] = []
    for some in _chunks(rids):
        rows = connection.execute(_TARGETS.where(index_about.c.rid.in_(some)))
        found += [(row.rid, row.target) for row in rows]
    return found


def _bodies(connection: Connection, rids: Collection[int]) -> dict[int, bytes]:
    """The last contents, also of what was deleted."""
    found: dict[int, bytes] = {}
    for some in _chunks(rids):
        rows = {row.rid: row.body for row in connection.execute(_BODIES.where(resource.c.rid.in_(some)))}
        found |= {rid: body for rid, body in rows.items() if body is not None}
        found |= last_bodies(connection, [rid for rid, body in rows.items() if body is None])
    return found


def _chunks(numbers: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(numbers)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


# as hub.store.read.Stored, but for the content: it may be large
_ROWS = select(resource.c.address, *(null() if column is resource.c.body else column for column in COLUMNS))
_BODIES = select(resource.c.rid, resource.c.body)
_TARGETS = select(index_about.c.rid, index_about.c.target)
