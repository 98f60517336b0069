"""The one writer: entries in, all or nothing, with versions, search index and outbox in one database transaction.

Rules: https://hl7.org/fhir/R4/http.html#transaction (order: DELETE, POST, PUT; conditional interactions;
references between entries), #ops (If-Match, ids), and docs/adr/0004.
Refuses: what the scopes do not cover, what validation refuses, one identity twice, unresolved references,
stale If-Match, conditions that match several resources. Nothing of a refused commit is stored.
An update that changes nothing makes no new version: sending a file again leaves no trace.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.fhir.bundles import ID, Entry
from hub.fhir.references import rewrite
from hub.problems import Issue, Problem
from hub.search.index import IndexRows, index_rows
from hub.search.match import matches
from hub.search.query import Query
from hub.store import conditions, write
from hub.store.engine import Database
from hub.versions import Change as Change
from hub.versions import Result as Result
from hub.versions import Target, Work

Resource = dict[str, Any]
Validate = Callable[[Resource, str, bool], Iterable[Issue]]  # resource, its type, conditional references
Inside = Callable[[Connection], None]
INTERACTION = {"POST": "create", "PUT": "update", "DELETE": "delete"}
ORDER = {"DELETE": 0, "POST": 1, "PUT": 2}
Effects = Callable[[Sequence[Change]], Iterable[Mapping[str, Any]]]


class Transactions:
    """Commits entries. `validate` gives the issues of a resource, `effects` the outbox rows of changes."""

    def __init__(
        self,
        database: Database,
        validate: Validate,
        effects: Effects,
        base: str,
        now: clock.Clock = clock.now,
    ):
        self._database = database
        self._validate = validate
        self._effects = effects
        self._base = base
        self._now = now

    def commit(
        self, entries: Sequence[Entry], access: Access, inside: Inside | None = None, many: bool = False
    ) -> list[Result]:
        """Do all entries or none; results in the entries' order. `inside` runs in the same database
        transaction, last. `many`: errors name the entry of a Bundle. Raises Problem."""
        for entry in entries:
            with _named(entry, many):
                self._check(entry, access, many)
        return self._database.writing(lambda connection: self._apply(connection, entries, access, inside, many))

    def _check(self, entry: Entry, access: Access, many: bool) -> None:
        access.require(INTERACTION[entry.method], entry.type)
        if entry.query or entry.if_none_exist:
            access.require("search-type", entry.type)
        if entry.resource is None:
            return
        _check_identity(entry)
        if issues := list(self._validate(entry.resource, entry.type, many)):
            raise Problem.of(issues)

    def _apply(
        self,
        connection: Connection,
        entries: Sequence[Entry],
        access: Access,
        inside: Inside | None,
        many: bool,
    ) -> list[Result]:
        # all words at once, in one order: two writers never wait for each other in a circle
        write.lock_words(connection, filter(None, (_word(entry) for entry in entries)))
        targets: dict[int, Target] = {}
        for place in sorted(range(len(entries)), key=lambda p: ORDER[entries[p].method]):
            with _named(entries[place], many):
                targets[place] = self._target(connection, entries[place], access, list(targets.values()))
        _refuse_twice(list(targets.values()))
        addresses = _addresses(targets.values())
        held = write.lock(connection, _may_be_there(targets.values()))
        work = Work(clock.micros(self._now()), held, access.who)
        results = {}
        for place, target in targets.items():
            with _named(target.entry, many):
                resource = self._linked(connection, target.entry.resource, addresses, access, targets.values())
                results[place] = work.do(target, resource)
        self._store(connection, work)
        if inside is not None:
            inside(connection)
        return [results[place] for place in range(len(entries))]

    def _target(self, connection: Connection, entry: Entry, access: Access, earlier: Sequence[Target]) -> Target:
        condition = _condition(entry)
        if not condition:
            return Target(entry, (entry.type, entry.id or str(uuid4())), fresh=not entry.id)
        # deletions come first, so a conditional create does not find what this commit deletes
        gone = [t.identity for t in earlier if t.entry.method == "DELETE" and entry.method == "POST"]
        query = self._query(entry.type, condition)
        found = conditions.only(query, conditions.candidates(connection, access, query, gone, self._base))
        if entry.method == "POST":
            identity = (entry.type, found.id if found else str(uuid4()))
            return Target(entry, identity, found, fresh=found is None)
        if entry.method == "DELETE":
            return Target(entry, (entry.type, found.id) if found else None)
        sent = (entry.resource or {}).get("id")
        if found and sent not in (None, found.id):
            raise Problem("invalid", "The resource has another id than the one the condition found", "id")
        identity = (entry.type, found.id if found else sent or str(uuid4()))
        return Target(entry, identity, fresh=found is None and not sent)

    def _query(self, resource_type: str, condition: str) -> Query:
        return conditions.query_of(resource_type, condition, self._base)

    def _referred(
        self, connection: Connection, access: Access, query: Query, targets: Collection[Target]
    ) -> str | None:
        """What a conditional reference finds once this commit is done: its writes count, its deletions do not."""
        mine = {t.identity: t.entry.resource for t in targets if t.identity and t.found is None}
        written = [
            identity[1]
            for identity, resource in mine.items()
            if identity[0] == query.type
            and resource is not None
            and matches(query.criteria, {**resource, "id": identity[1]}, self._base)
        ]
        kept = conditions.candidates(connection, access, query, mine.keys(), self._base)
        return conditions.only(query, [*written, *(row.id for row in kept)])

    def _linked(
        self,
        connection: Connection,
        resource: Resource | None,
        addresses: Mapping[str, str],
        access: Access,
        targets: Collection[Target],
    ) -> Resource | None:
        """The resource with references to other entries, and conditional references, made literal."""

        def resolve(reference: str) -> str:
            if reference in addresses:
                return addresses[reference]
            if reference.startswith("urn:uuid:"):
                raise Problem("unresolved", "A urn:uuid reference has no entry in this Bundle")
            resource_type, mark, condition = reference.partition("?")
            if not mark or ":" in resource_type or "/" in resource_type:
                return reference
            access.require("search-type", resource_type)
            found = self._referred(connection, access, self._query(resource_type, condition), targets)
            if found is None:
                raise Problem("no-match", f"A conditional reference to {resource_type} finds nothing")
            return f"{resource_type}/{found}"

        return None if resource is None else rewrite(resource, resolve, addresses)

    def _store(self, connection: Connection, work: Work) -> None:
        write.create(connection, work.created)
        write.replace(connection, work.replaced)
        write.reindex(
            connection,
            {rid: (self._rows(change.before), self._rows(change.now)) for rid, change in work.changes.items()},
        )
        write.remember(connection, list(self._effects(list(work.changes.values()))))

    def _rows(self, resource: Resource | None) -> IndexRows:
        return index_rows(resource, self._base) if resource is not None else IndexRows()


def _check_identity(entry: Entry) -> None:
    """The body's type and id agree with the URL's (https://hl7.org/fhir/R4/http.html#update)."""
    resource = entry.resource or {}
    if resource.get("resourceType") != entry.type:
        raise Problem("invalid", f"The URL says {entry.type}, the body is another type", "resourceType")
    if entry.method == "PUT" and entry.id and resource.get("id") != entry.id:
        raise Problem("invalid", "The body's id is missing or not the URL's", f"{entry.type}.id")
    if entry.method == "PUT" and not (entry.id or entry.query):
        raise Problem("method", "PUT needs an id or a condition", headers={"Allow": "GET, POST"})
    if entry.id and not ID.match(entry.id):
        raise Problem("value", "An id has 1 to 64 letters, digits, '-' and '.'", f"{entry.type}.id")


def _may_be_there(targets: Iterable[Target]) -> list[tuple[str, str]]:
    """The identities to be locked: not those that were made just now, nor those that are only answered with."""
    return [t.identity for t in targets if t.identity and not t.found and not t.fresh]


def _refuse_twice(targets: Sequence[Target]) -> None:
    """One identity, or one condition that creates, stands in one entry only."""
    seen: dict[Any, str] = {}
    for target in targets:
        if target.identity is None or target.found is not None:
            continue
        for name in filter(None, (target.identity, _word(target.entry))):
            if first := seen.get(name):
                kind = "duplicate" if (first == "DELETE") == (target.entry.method == "DELETE") else "contradiction"
                raise Problem(kind, "Two entries write the same resource", f"Bundle.entry[{target.entry.place}]")
            seen[name] = target.entry.method


def _condition(entry: Entry) -> str:
    return entry.if_none_exist if entry.method == "POST" else entry.query


def _word(entry: Entry) -> str | None:
    condition = _condition(entry)
    return conditions.word(entry.type, condition) if condition else None


def _addresses(targets: Iterable[Target]) -> dict[str, str]:
    """fullUrl → Type/id, for entries that others may point at."""
    schemes = ("urn:uuid:", "urn:oid:", "http://", "https://")
    return {
        t.entry.full_url: "/".join(t.identity)
        for t in targets
        if t.identity and t.entry.full_url.startswith(schemes)
    }


class _named:  # noqa: N801 - reads as a word at its call
    """Problems inside this block say which entry of the Bundle they are about."""

    def __init__(self, entry: Entry, many: bool):
        self._where = f"Bundle.entry[{entry.place}]" if many else ""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if self._where and isinstance(error, Problem):
            raise error.within(self._where) from None


def single(method: str, resource_type: str, **parts: Any) -> Entry:
    """The entry of a plain REST interaction."""
    return replace(Entry(method, resource_type), **parts)
