"""The next version of each resource that a commit touches: decided here, written by hub.transactions.

Rules: https://hl7.org/fhir/R4/http.html#versioning, #update (ids and meta are the server's), #concurrency
Refuses: a stale If-Match (412), an update whose condition found nothing where another resource has its id (409), a
patch of what is not there (404) or was deleted (410), a patch that changes the type or the id (400). An update that
changes nothing makes no new version. Touches no database.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hub import clock
from hub.fhir import json
from hub.fhir.bundles import Entry, etag
from hub.problems import Problem
from hub.search.query import Query
from hub.sight import UNKNOWN
from hub.store.conditions import Identity
from hub.store.read import Stored
from hub.store.rids import new_rid

Resource = dict[str, Any]


class Of(NamedTuple):
    """Whose a resource is and how sensitive, as its row says it (hub.sight)."""

    patient: int = UNKNOWN
    labels: int = 0
    source: int = 0


MOST_BYTES = 10 << 20  # of a patched resource: many small patches must not make one that no request could bring


@dataclass(frozen=True, slots=True)
class Change:
    """What one entry did: `before` and `now` are resources (None where there was or is none), `who` asked."""

    type: str
    id: str
    version: int
    before: Resource | None
    now: Resource | None
    at: int
    who: str


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one entry: its HTTP status and the version that stands now (None: nothing was there)."""

    status: int
    stored: Stored | None


@dataclass(frozen=True, slots=True)
class Target:
    """An entry whose identity is decided. `found` is set where nothing is to be written; `fresh` says that the id
    was made just now, so that nothing can be there; `query` is the condition that found what is to be changed;
    `creates` says that an update's condition found nothing: a resource of its id is another one."""

    entry: Entry
    identity: Identity | None
    found: Stored | None = None
    fresh: bool = False
    query: Query | None = None
    creates: bool = False


class Work:
    """The rows that one commit writes, decided from the locked current versions. Touches no database."""

    def __init__(self, now: int, held: Mapping[tuple[str, str], Stored], who: str):
        self._now = now
        self.who = who
        self.held = held
        self.created: list[Stored] = []
        self.replaced: list[tuple[Stored, Stored]] = []
        self.changes: dict[int, Change] = {}

    def do(self, target: Target, resource: Resource | None, of: Of | None = None) -> Result:
        """`of` is whose the resource is; a deletion leaves that as it was."""
        if target.found is not None:
            return Result(200, target.found)
        old = self.held.get(target.identity) if target.identity else None
        _check_version(target.entry, old)
        if target.creates and old is not None and not old.deleted:
            where = f"{target.entry.type}.id"
            raise Problem("conflict", "The condition finds nothing, and another resource has this id", where)
        if target.identity is None or (target.entry.method == "DELETE" and (old is None or old.deleted)):
            return Result(204, None)
        before = json.stored(old.body) if old and old.body else None
        if resource is not None and before is not None and _content(before) == _content({**resource, "id": old.id}):  # type: ignore[union-attr]
            return Result(200, old)
        new = self._next(target.identity, old, resource, of)
        status = 204 if resource is None else 201 if before is None else 200
        return Result(status, self._keep(old, before, *new))

    def overtaken(self, targets: Iterable[Target]) -> Iterator[tuple[Target, Result]]:
        """What was only found, and was replaced by another entry since: answered with what stands now."""
        newest = {new.rid: new for _, new in self.replaced}
        for target in targets if newest else ():
            if target.found is not None and (new := newest.get(target.found.rid)) is not None:
                yield target, Result(200, new)

    def _next(
        self, identity: tuple[str, str], old: Stored | None, resource: Resource | None, of: Of | None
    ) -> tuple[Stored, Any]:
        # a clock that jumped back must not make a resource older than it was
        at = max(self._now, old.last_updated + 1) if old else self._now
        version = old.version + 1 if old else 1
        now = resource and _stamped(resource, identity, version, at)
        body = json.write(now) if now else None
        rid = old.rid if old else new_rid(at, self.changes)
        whose = of or (Of(old.patient, old.labels, old.source) if old else Of())
        return Stored(rid, *identity, version, at, now is None, body, *whose), now

    def _keep(self, old: Stored | None, before: Resource | None, new: Stored, now: Resource | None) -> Stored:
        if old is None:
            self.created.append(new)
        else:
            self.replaced.append((old, new))
        self.changes[new.rid] = Change(new.type, new.id, new.version, before, now, new.last_updated, self.who)
        return new


def stamped(row: Stored, at: int) -> Stored:
    """A version that was made a moment ago, with a later time stamp. No client knew the first one to the
    microsecond: it stands in the JSON once."""
    body = row.body and row.body.replace(_last_updated(row.last_updated), _last_updated(at), 1)
    return replace(row, last_updated=at, body=body)


def _last_updated(at: int) -> bytes:
    return f'"lastUpdated":"{clock.instant(at)}"'.encode()


def patched(entry: Entry, old: Stored | None) -> Resource:
    """What a patch makes of the current version; read again, as if it had been sent. Raises Problem."""
    from hub.fhir.patches import without_empties

    _check_version(entry, old)
    if old is None or entry.patch is None:
        raise Problem("not-found", "There is nothing to patch")
    if old.body is None:
        raise Problem("deleted", "The resource was deleted", headers={"ETag": etag(old.version)})
    made = entry.patch(json.stored(old.body))
    if made.get("resourceType") != entry.type:
        raise Problem("invalid", "A patch does not change the type", "resourceType")
    if made.get("id") != old.id:
        raise Problem("invalid", "A patch does not change the id", f"{entry.type}.id")
    body = json.write(without_empties(made))
    if len(body) > MOST_BYTES:
        raise Problem("too-long", f"A patched resource has at most {MOST_BYTES} bytes")
    return json.read(body)


def _check_version(entry: Entry, old: Stored | None) -> None:
    if entry.if_match is not None and (old is None or old.deleted or old.version != entry.if_match):
        raise Problem("precondition", "If-Match names another version than the current one", "If-Match")


def _stamped(resource: Resource, identity: tuple[str, str], version: int, at: int) -> Resource:
    meta = {"versionId": str(version), "lastUpdated": clock.instant(at)}
    meta |= {name: value for name, value in resource.get("meta", {}).items() if name not in meta}
    head = {"resourceType": identity[0], "id": identity[1], "meta": meta}
    return head | {name: value for name, value in resource.items() if name not in head}


def _content(resource: Resource) -> bytes:
    """What a resource says, without what the server says of it."""
    meta = {n: v for n, v in resource.get("meta", {}).items() if n not in ("versionId", "lastUpdated")}
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")}
    return json.canonical([meta, rest])
