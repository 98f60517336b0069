"""Which resource each entry of a commit is about, decided before anything is locked.

Rules: https://hl7.org/fhir/R4/http.html#trules, #ccreate, #cond-update, #3.1.0.7.1 (conditional delete), #patch
Refuses: conditions that find several (412), one identity in two entries (400). Where the condition of an update
finds nothing it creates, under the id that was sent if that is free (409 in hub.versions).
What a condition found is looked at again once it is locked: see `changed_since`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir.bundles import Entry
from hub.problems import Problem
from hub.search.query import Query
from hub.store import conditions, header_values, parameters
from hub.store.conditions import Identity
from hub.store.read import Stored
from hub.versions import Target


def query_of(entry: Entry, base: str) -> Query | None:
    """What an entry's condition asks, if it has one. Raises Problem."""
    condition = _condition(entry)
    return conditions.query_of(entry.type, condition, base) if condition else None


def targets_of(
    connection: Connection,
    entry: Entry,
    query: Query | None,
    access: Access,
    earlier: Sequence[Target],
    base: str,
    deletes: int,
    ahead: conditions.Ahead,
) -> list[Target]:
    """The resource an entry is about; a conditional delete may be about up to `deletes` of them. `query` is that of
    its condition."""
    if query is None:
        return [Target(entry, (entry.type, entry.id or str(uuid4())), fresh=not entry.id)]
    # deletions come first, so a conditional create does not find what this commit deletes
    gone = [t.identity for t in earlier if t.entry.method == "DELETE" and entry.method == "POST"]
    most = deletes if entry.method == "DELETE" else 1
    found = conditions.candidates(connection, access, query, gone, base, most, ahead)
    if entry.method == "DELETE" and len(found) <= deletes:
        return [Target(entry, (entry.type, row.id), query=query) for row in found] or [Target(entry, None)]
    return [_BY_METHOD[entry.method](entry, query, conditions.only(query, found))]


def _created(entry: Entry, _: Query, found: Stored | None) -> Target:
    return Target(entry, (entry.type, found.id if found else str(uuid4())), found, fresh=found is None)


def _updated(entry: Entry, query: Query, found: Stored | None) -> Target:
    sent = (entry.resource or {}).get("id")
    if found is None:
        return Target(entry, (entry.type, sent or str(uuid4())), fresh=not sent, creates=True)
    if sent not in (None, found.id):
        raise Problem("invalid", "The resource has another id than the one the condition found", "id")
    return Target(entry, (entry.type, found.id), query=query)


def _changed(entry: Entry, query: Query, found: Stored | None) -> Target:
    return Target(entry, (entry.type, found.id) if found else None, query=query)


# a conditional delete comes here only where it finds too many, which conditions.only refuses
_BY_METHOD = {"POST": _created, "PUT": _updated, "PATCH": _changed, "DELETE": _changed}


def are_simple(entries: Iterable[Entry]) -> bool:
    """Whether nobody needs to take turns for these, as far as one can see from outside: at most one of them changes
    what may be there, and that is known by its id."""
    if any(entry.type in (parameters.TYPE, header_values.TYPE) for entry in entries):
        return False  # more is written than one statement can
    changes = [entry for entry in entries if entry.method != "POST" or entry.if_none_exist]
    return len(changes) <= 1 and not any(entry.query for entry in changes)


def need_turns(targets: Iterable[Target]) -> bool:
    """Whether a condition found nothing: who creates now must know that nobody else does."""
    return any(_condition(target.entry) and not target.found for target in targets)


def may_be_there(targets: Iterable[Target]) -> list[Identity]:
    """The identities to be locked: not those that were made just now, nor those that are only answered with."""
    return [t.identity for t in targets if t.identity and not t.found and not t.fresh]


def changed_since(targets: Iterable[Target], held: Mapping[Identity, Stored], base: str) -> bool:
    """Whether another writer deleted, or changed out of its condition, what a condition had found."""
    return any(
        target.query is not None
        and target.identity is not None
        and not conditions.answers(target.query, held[target.identity], base)
        for target in targets
    )


def refuse_twice(targets: Iterable[Target]) -> None:
    """One identity, or one condition that creates, stands in one entry only."""
    seen: dict[Any, Entry] = {}
    for target in targets:
        if target.identity is None or target.found is not None:
            continue
        entry = target.entry
        for name in filter(None, (target.identity, word(entry))):
            first = seen.setdefault(name, entry)
            if first is entry:
                continue
            kind = "duplicate" if (first.method == "DELETE") == (entry.method == "DELETE") else "contradiction"
            raise Problem(kind, "Two entries write the same resource", f"Bundle.entry[{entry.place}]")


def _condition(entry: Entry) -> str:
    return entry.if_none_exist if entry.method == "POST" else entry.query


def word(entry: Entry) -> str | None:
    """What writers of one condition take turns by."""
    condition = _condition(entry)
    return conditions.word(entry.type, condition) if condition else None
