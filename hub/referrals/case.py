"""All that a referral consists of, as it stands now: its Task, the request, what the hub made of them.

Read by the hub itself, whoever may see it; what is made of it carries all the labels of what it is made from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, select

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import ASSESSMENT, COMMUNITY_SUPPORT, PROGRAM, REPORTED
from hub.referrals.terms import (
    APPROVE,
    FULFILL,
    NOTICE,
    OVER,
    Resource,
    codes,
    is_clock,
    is_referral,
    local,
    own_id,
    target,
)
from hub.rights.labels import raised
from hub.search import merged
from hub.search.query import Limits, parse
from hub.sight import NAMED
from hub.store import read
from hub.store.read import Stored
from hub.store.tables import index_relation

PAGE = 100  # of a search that is read to its end
MOST_DELIVERIES = 100  # providers that one referral is looked at for
WHY = "referrals"
ECM = "ecm"
Version = tuple[datetime, Resource]  # when it was written, what it said


@dataclass(frozen=True, slots=True)
class Known:
    """A stored resource."""

    resource: Resource
    version: int
    labels: int
    last_updated: int

    @property
    def id(self) -> str:
        return str(self.resource["id"])

    @property
    def status(self) -> str:
        return str(self.resource.get("status"))


@dataclass(frozen=True, slots=True)
class Case:
    """`task` is the referral; `request` what it asks for; `approval` what the plan is asked; `deliveries` the
    providers that were asked, in order; `fillers` their requests, by id; `plans` the payors of the member's active
    coverages; `named` the addresses of those whom the request names, but for whoever named itself; `clocks` the
    Tasks of its clocks; `notices` its Communications."""

    task: Known
    request: Known | None
    approval: Known | None = None
    deliveries: tuple[Known, ...] = ()
    fillers: dict[str, Known] = field(default_factory=dict)
    plans: tuple[str, ...] = ()
    named: frozenset[int] = frozenset()
    clocks: tuple[Known, ...] = ()
    notices: tuple[Known, ...] = ()

    def labels_of(self, resource: Resource) -> int:
        """What must guard a resource that is made from this: what the plan is asked tells nothing of providers."""
        sources = [self.task, *([self.request] if self.request else [])]
        if not is_referral(resource, APPROVE):
            sources += [*self.deliveries, *self.fillers.values(), *([self.approval] if self.approval else [])]
        mask = 0
        for one in sources:
            mask = raised(mask, one.labels)
        return mask

    @property
    def told(self) -> frozenset[str]:
        return frozenset(one.id for one in self.notices)

    @property
    def is_over(self) -> bool:
        return self.task.status in OVER

    @property
    def delivery(self) -> Known | None:
        """The provider that was asked last."""
        return self.deliveries[-1] if self.deliveries else None

    @property
    def priority(self) -> str:
        """The Task's, else its request's."""
        said = (self.task, self.request)
        return next((str(one.resource["priority"]) for one in said if one and one.resource.get("priority")), "")

    @property
    def service(self) -> str:
        """The Community Support or program that is asked for; empty where no code says it."""
        code = self.request.resource.get("code") if self.request else None
        found = [*codes(code, COMMUNITY_SUPPORT), *codes(code, PROGRAM)]
        return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class Past:
    """`versions` by Task, oldest first; `told` when each kind of notice was sent; `assessed` the days, or moments,
    on which the member was assessed."""

    versions: Mapping[str, Sequence[Version]]
    told: Mapping[str, Sequence[datetime]]
    assessed: Sequence[str] = ()

    def first(self, task: Known | None, *statuses: str) -> list[datetime]:
        """When a Task first got one of these statuses."""
        versions = self.versions.get(task.id, ()) if task else ()
        return [at for at, said in versions if said.get("status") in statuses][:1]


def access() -> Access:
    return Access.system(WHY)


def case_of(connection: Connection, identity: str, base: str) -> Case | None:
    """None where there is no such referral (any more), or nobody said yet how sensitive it is."""
    task = known(connection, "Task", identity)
    if task is None or not is_referral(task.resource, FULFILL):
        return None
    request, named = _asked_for(connection, task, base)
    deliveries = tuple(_deliveries(connection, identity))
    fillers = [known(connection, "ServiceRequest", _focus(one, base)) for one in deliveries]
    return Case(
        task,
        request,
        _part(connection, APPROVE, identity, "approval"),
        deliveries,
        {one.id: one for one in fillers if one},
        _plans(connection, task.resource, base),
        named,
        tuple(one for one in found(connection, "Task", ("focus", f"Task/{identity}")) if is_clock(one.resource)),
        tuple(found(connection, "Communication", ("part-of", f"Task/{identity}"))),
    )


def _asked_for(connection: Connection, task: Known, base: str) -> tuple[Known | None, frozenset[int]]:
    """The request, and who is named in it by somebody else: the store keeps who that is (hub.whose), whoever wrote
    the request last. Nobody gets a relation from the hub that it would not get by its own writing."""
    focus = local(task.resource.get("focus"), base, "ServiceRequest")
    stored = read.current(connection, access(), *focus.split("/")) if focus else None
    request = _known(stored) if stored else None
    if stored is None or request is None or not _is_of_one_member(task.resource, request.resource, base):
        return None, frozenset()
    x = index_relation.c
    asked = select(x.holder).where(x.rid == stored.rid, x.kind == NAMED)
    return request, frozenset(connection.execute(asked).scalars())


def past_of(connection: Connection, case: Case, base: str) -> Past:
    """What happened to it."""
    parts = [case.task, *case.deliveries, *([case.approval] if case.approval else [])]
    told: dict[str, list[datetime]] = {}
    for one in case.notices:
        if one.status == "completed" and (sent := one.resource.get("sent")):
            for code in codes(one.resource.get("topic"), NOTICE):
                told.setdefault(code, []).append(datetime.fromisoformat(sent))
    return Past({one.id: _versions(connection, one.id) for one in parts}, told, _assessed(connection, case, base))


def people_of(connection: Connection, case: Case, base: str) -> tuple[Resource, dict[str, Resource]]:
    """The member, and by reference the organizations and persons that were asked."""
    patient = local(case.task.resource.get("for"), base, "Patient").partition("/")[2]
    member = known(connection, "Patient", patient)
    named: dict[str, Resource] = {}
    for one in case.deliveries:
        owner = local(one.resource.get("owner"), base, "Organization", "PractitionerRole", "Practitioner")
        if owner and (who := known(connection, *owner.split("/"))):
            named[owner] = who.resource
    return member.resource if member else {}, named


def _versions(connection: Connection, identity: str) -> list[Version]:
    rows = read.versions(connection, access(), "Task", identity)
    return [(clock.moment(row.last_updated), json.stored(row.body)) for row in reversed(rows) if row.body]


def _assessed(connection: Connection, case: Case, base: str) -> list[str]:
    patient = local(case.task.resource.get("for"), base, "Patient")
    if case.service != ECM or not patient:
        return []
    done = found(connection, "Procedure", ("subject", patient), ("code", f"{REPORTED}|{ASSESSMENT}"))
    return [said for one in done if one.status == "completed" and (said := performed(one.resource))]


def performed(procedure: Resource) -> str:
    """When, as it says it: of a period its end."""
    period = procedure.get("performedPeriod", {})
    return str(procedure.get("performedDateTime") or period.get("end") or "")


def known(connection: Connection, kind: str, identity: str) -> Known | None:
    stored = read.current(connection, access(), kind, identity) if identity else None
    return _known(stored) if stored else None


def found(connection: Connection, kind: str, *pairs: tuple[str, str], most: int | None = None) -> list[Known]:
    """What a search finds: all of it, or the first so many."""
    return list(islice(_found(connection, kind, pairs), most))


def _found(connection: Connection, kind: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Known]:
    query = parse(kind, list(pairs), Limits())
    after: Sequence[int] = ()
    while rows := read.page(connection, access(), query, after, PAGE):
        yield from (one for row in rows if (one := _known(row)))
        after = read.position(rows[-1])


def _known(row: Stored) -> Known | None:
    if row.body is None or row.labels < 0:
        return None
    return Known(json.stored(row.body), row.version, row.labels, row.last_updated)


def _is_of_one_member(task: Resource, request: Resource, base: str) -> bool:
    """A Task may point anywhere: whoever wrote it need not see what stands there."""
    said = (local(one, base, "Patient").partition("/")[2] for one in (task.get("for"), request.get("subject")))
    whose = [one and merged.member_of(one) for one in said]
    return bool(whose[0]) and whose[0] == whose[1]


def _part(connection: Connection, code: str, *name: str) -> Known | None:
    """What the hub itself made of a referral: its id says so. Anybody may write a Task that is `partOf` one."""
    one = known(connection, "Task", own_id(*name))
    return one if one and is_referral(one.resource, code) else None


def _deliveries(connection: Connection, identity: str) -> Iterator[Known]:
    """In the order in which they were asked, whatever they say of that."""
    for number in range(1, MOST_DELIVERIES + 1):
        one = _part(connection, FULFILL, identity, "delivery", str(number))
        if one is None:
            return
        yield one


def _focus(task: Known, base: str) -> str:
    return local(task.resource.get("focus"), base, "ServiceRequest").partition("/")[2]


def _plans(connection: Connection, task: Resource, base: str) -> tuple[str, ...]:
    patient = local(task.get("for"), base, "Patient")
    if not patient:
        return ()
    coverages = found(connection, "Coverage", ("beneficiary", patient), ("status", "active"))
    payors: Sequence[str] = [target(one) for each in coverages for one in each.resource.get("payor", ())]
    return tuple(dict.fromkeys(one.removeprefix(f"{base}/") for one in payors if one))
