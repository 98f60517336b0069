"""References of what a commit writes: made literal, and (where that is wanted) found to lead somewhere.

Rules: https://hl7.org/fhir/R4/http.html#trules, https://hl7.org/fhir/R4/bundle.html#references (a relative
reference is read against the base in its entry's fullUrl)
Refuses: urn:uuid and urn:oid references without an entry (400), conditional references that find none or several
(412), a fullUrl that two entries have (400); with `integrity`, local references to what is not there (422), or
may not be seen: both are answered alike.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir.bundles import ID, Entry
from hub.fhir.references import NAMES, comparable, rewrite
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search.match import matches
from hub.search.query import Query
from hub.store import conditions
from hub.store.conditions import Identity
from hub.versions import Target

Resource = dict[str, Any]
Content = tuple[Target, Resource | None]  # what an entry will have written
ADDRESSES = (*NAMES, "http://", "https://")


class Links:
    """The references of one commit."""

    def __init__(self, connection: Connection, access: Access, base: str, contents: Sequence[Content]):
        self._connection = connection
        self._access = access
        self._base = base
        self._contents = contents
        self._addresses = _addresses(contents)
        self._asked: dict[str, str] = {}  # conditional references, and what they find: many name one organization
        self._local: dict[Identity, Entry] = {}  # what is referred to, and by which entry first

    def literal(self, entry: Entry, resource: Resource) -> Resource:
        """A copy of the resource in which references to other entries, and conditional ones, are literal."""
        beside = _base_of(entry.full_url)

        def resolve(reference: str) -> str:
            found = self._resolved(reference, beside)
            if identity := _identity(found, self._base):
                self._local.setdefault(identity, entry)
            return found

        return rewrite(resource, resolve, self._addresses)  # type: ignore[no-any-return]

    def _resolved(self, reference: str, beside: str) -> str:
        name = comparable(reference)
        found = self._addresses.get(name) or (beside and self._addresses.get(beside + reference))
        if found:
            return found
        if name.startswith(NAMES):
            raise Problem("unresolved", "A urn:uuid or urn:oid reference has no entry in this Bundle")
        resource_type, mark, condition = reference.partition("?")
        if not mark or ":" in resource_type or "/" in resource_type:
            return reference
        if (known := self._asked.get(reference)) is None:
            known = self._asked[reference] = self._only(resource_type, condition)
        return known

    def _only(self, resource_type: str, condition: str) -> str:
        self._access.require("search-type", resource_type)
        identity = self._referred(conditions.query_of(resource_type, condition, self._base))
        if identity is None:
            raise Problem("no-match", f"A conditional reference to {resource_type} finds nothing")
        return f"{resource_type}/{identity}"

    def _referred(self, query: Query) -> str | None:
        """What a conditional reference finds once this commit is done: its writes count, its deletions do not."""
        mine = {t.identity: resource for t, resource in self._contents if t.identity and t.found is None}
        written = {
            identity
            for identity, resource in mine.items()
            if identity[0] == query.type
            and resource is not None
            and matches(query.criteria, {**resource, "id": identity[1]}, self._base)
        }
        if query.conditions:  # what looks further is answered by what is stored
            return conditions.only(query, self._stored(query, mine.keys() - written))
        named = [identity[1] for identity in written]
        return conditions.only(query, [*named, *self._stored(query, mine.keys())])

    def _stored(self, query: Query, besides: Collection[Identity]) -> list[str]:
        found = conditions.candidates(self._connection, self._access, query, besides, self._base)
        return [row.id for row in found]

    def missing(self) -> Entry | None:
        """An entry that refers to something local that will not be there, or None."""
        mine = {t.identity: t.found or resource for t, resource in self._contents if t.identity}
        others = [identity for identity in self._local if identity not in mine]
        there = conditions.present(self._connection, self._access, others) if others else set()
        there |= {identity for identity, resource in mine.items() if resource is not None}
        return next((entry for identity, entry in self._local.items() if identity not in there), None)


def _addresses(contents: Sequence[Content]) -> Mapping[str, str]:
    """fullUrl → Type/id, for entries that others may point at."""
    found: dict[str, str] = {}
    for target, _ in contents:
        url = comparable(target.entry.full_url)
        if not target.identity or target.entry.method == "DELETE" or not url.startswith(ADDRESSES):
            continue
        address = "/".join(target.identity)
        if found.setdefault(url, address) != address:
            where = f"Bundle.entry[{target.entry.place}]"
            raise Problem("duplicate", "Two entries have the same fullUrl", where)
    return found


def _base_of(full_url: str) -> str:
    """`https://a.example/fhir/` of `https://a.example/fhir/Patient/1`; empty where the URL is not RESTful."""
    if not full_url.startswith(("http://", "https://")):
        return ""
    base, _, identity = full_url.partition("/_history/")[0].rpartition("/")
    server, slash, resource_type = base.rpartition("/")
    return server + slash if resource_type in resource_types() and ID.match(identity) else ""


def _identity(reference: str, base: str) -> Identity | None:
    """The local resource that a literal reference names, or None."""
    parts = reference.removeprefix(f"{base}/").split("/")
    fine = len(parts) == 2 or (len(parts) == 4 and parts[2] == "_history")
    return (parts[0], parts[1]) if fine and parts[0] in resource_types() else None
