"""A shelter, a plan, houses and the hub between them: clients with a hand-made sight, a clock that tests move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from conformance.validation import structure
from hub import clock, outbox
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry, entries_of
from hub.fhir.systems import CIN_SYSTEM, COMMUNITY_SUPPORT, SDOHCC, TASK_CODE
from hub.referrals.assembly import clockwork, texts
from hub.referrals.configuration import Plan, Rules, Service
from hub.referrals.contacts import Contacts
from hub.referrals.effects import effects
from hub.referrals.rule import Words, rules
from hub.referrals.terms import concept
from hub.referrals.work import ReferralWork
from hub.rights.facts import source_number
from hub.sight import COVERAGE, PANEL, PURPOSES, REFERRAL, Sight
from hub.store import read, tables
from hub.store.engine import Database
from hub.transactions import Result, Transactions, single

BASE = "https://hub.example/fhir"
HUB, PLAN, SHELTER, HOUSE, OTHER_HOUSE = (
    f"Organization/{name}" for name in ("hub", "plan", "shelter", "house", "other-house")
)
EVERYTHING = frozenset(("*", letter) for letter in "cruds")
START = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # a Monday, 9 o'clock in California
SYSTEM = Access.system("a test")
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def caller(organization: str, role: str, kinds: int) -> Access:
    number = source_number(organization)
    sight = Sight(
        holders=(number,), kinds=kinds, own=number, recipients=(number,), purposes=PURPOSES["TREAT"], guarded=0
    )
    return Access(organization, EVERYTHING, role, sight=sight, source=organization)


SHELTER_CLIENT = caller(SHELTER, "ehr", PANEL)
HOUSE_CLIENT = caller(HOUSE, "ilos-provider", REFERRAL)
OTHER_CLIENT = caller(OTHER_HOUSE, "ilos-provider", REFERRAL)
PLAN_CLIENT = caller(PLAN, "plan", COVERAGE)
OUTSIDER = caller("Organization/clinic", "ehr", PANEL)

RULES = Rules(HUB, plans=(Plan(PLAN),))


@dataclass
class World:
    """`at` is now. `rules` are the deployment's."""

    database: Database
    rules: Rules = RULES
    words: Words = field(default_factory=Words)
    at: datetime = START
    contacts: Contacts = field(default_factory=Contacts)

    def now(self) -> datetime:
        return self.at

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)

    @property
    def writes(self) -> Transactions:
        def validate(resource: dict[str, Any], kind: str, conditional: bool, _: str) -> Any:
            return structure.validate(resource, kind, conditional_references=conditional)

        ruled = rules(BASE, self.words, self.rules.zone, self.now)
        return Transactions(self.database, validate, effects, BASE, self.now, rules=ruled)

    @property
    def handlers(self) -> Mapping[str, outbox.Handler]:
        clocks = clockwork(self.rules, BASE)
        said = texts(self.rules)
        work = ReferralWork(self.database, self.writes, self.rules, clocks, said, BASE, self.now, self.contacts)
        return work.handlers()

    def have(self, *resources: dict[str, Any], access: Access = SYSTEM) -> list[Result]:
        entries = [single("PUT", one["resourceType"], id=one["id"], resource=one) for one in resources]
        return self.writes.commit(entries, access, many=True)

    def county(self) -> None:
        """Robin is of the shelter's panel and insured by the plan."""
        self.have(
            *(organization(name) for name in ("hub", "plan", "shelter", "house", "other-house", "clinic")),
            {
                "resourceType": "Patient",
                "id": "robin",
                "identifier": [{"system": CIN_SYSTEM, "value": "91234567A"}],
            },
            panel("shelter"),
            panel("clinic"),
            COVERAGE_OF_ROBIN,
        )

    def read(self, kind: str, identity: str, access: Access = SYSTEM) -> dict[str, Any]:
        with self.database.read() as connection:
            found = read.current(connection, access, kind, identity)
        assert found, f"there is no {kind} {identity}"
        return json.stored(found.body or b"{}")

    def stored(self, kind: str, identity: str) -> Any:
        with self.database.read() as connection:
            return read.current(connection, SYSTEM, kind, identity)

    def all(self, kind: str) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            asked = select(tables.resource.c.body).where(tables.resource.c.type == kind, ~tables.resource.c.deleted)
            return [json.stored(row.body) for row in connection.execute(asked.order_by(tables.resource.c.rid))]

    def refer(self, access: Access = SHELTER_CLIENT, **task: Any) -> str:
        """The shelter asks for a house; the id of its Task."""
        made = self.writes.commit(
            [single("POST", "ServiceRequest", resource=request())] if "focus" not in task else [], access
        )
        focus = {"focus": to("ServiceRequest", made[0].stored.id)} if made and made[0].stored else {}
        done = self.writes.commit([single("POST", "Task", resource=referral(**focus | task))], access)
        assert done[0].stored
        return done[0].stored.id

    def move(self, identity: str, access: Access, **said: Any) -> dict[str, Any]:
        """Write a Task on as this client, with what it says."""
        before = self.read("Task", identity)
        made = {name: value for name, value in {**before, **said}.items() if value is not None}
        self.writes.commit([single("PUT", "Task", id=identity, resource=made)], access)
        return self.read("Task", identity)

    def deliver(self, identity: str, access: Access = HOUSE_CLIENT) -> dict[str, Any]:
        """What was done, and that it is done."""
        done = self.writes.commit([single("POST", "Procedure", resource=procedure())], access)
        assert done[0].stored
        return self.move(identity, access, status="completed", output=[activity(done[0].stored.id)])

    def work(self) -> int:
        """Do all work of referrals that is due now; how many pieces that was."""
        self.later(seconds=1)
        count = 0
        while claimed := self._claimed():
            for one in claimed:
                outcome = self.handlers[one.kind](one)
                self._settle(one, outcome)
                count += 1
        return count

    def _settle(self, one: outbox.Work, outcome: outbox.Outcome) -> None:
        self.database.writing(lambda connection: outbox.settle(connection, one, outcome))

    def _claimed(self) -> Sequence[outbox.Work]:
        at = clock.micros(self.now())
        return self.database.writing(lambda c: outbox.claim(c, list(self.handlers), at, 60, 20))

    def waiting(self) -> list[Any]:
        with self.database.read() as connection:
            rows = connection.execute(select(tables.outbox).where(tables.outbox.c.state == outbox.WAITING))
            return list(rows)

    def children(self, identity: str, code: str = "fulfill") -> list[dict[str, Any]]:
        """The Tasks that are part of this one, the first asked first."""
        found = [
            one
            for one in self.all("Task")
            if to("Task", identity) in one.get("partOf", ()) and code in (c["code"] for c in one["code"]["coding"])
        ]
        return sorted(found, key=lambda one: one["authoredOn"])

    def authorize(self, identity: str, **said: Any) -> None:
        """The plan decides, and its API tells the hub."""
        [approval] = self.children(identity, "approve")
        self.move(approval["id"], replace(SYSTEM, source=PLAN), **{"status": "accepted", **said})
        self.work()


def organization(name: str) -> dict[str, Any]:
    return {"resourceType": "Organization", "id": name, "name": f"Example {name}", "active": True}


def to(kind: str, identity: str) -> dict[str, str]:
    return {"reference": f"{kind}/{identity}"}


def panel(of: str) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "id": f"panel-{of}",
        "type": "person",
        "actual": True,
        "managingEntity": to("Organization", of),
        "member": [{"entity": to("Patient", "robin")}],
    }


COVERAGE_OF_ROBIN = {
    "resourceType": "Coverage",
    "id": "medi-cal",
    "status": "active",
    "beneficiary": to("Patient", "robin"),
    "payor": [{"reference": PLAN}],
}


def request(**parts: Any) -> dict[str, Any]:
    made = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": concept(COMMUNITY_SUPPORT, "housing-deposits"),
        "subject": to("Patient", "robin"),
        "requester": {"reference": SHELTER},
        "performer": [{"reference": HOUSE}],
        **parts,
    }
    return {name: value for name, value in made.items() if value is not None}


def referral(**parts: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": concept(TASK_CODE, "fulfill"),
        "focus": to("ServiceRequest", "asked"),
        "for": to("Patient", "robin"),
        "requester": {"reference": SHELTER},
        "owner": {"reference": HUB},
        **parts,
    }
    return {name: value for name, value in made.items() if value is not None}


def procedure() -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Deposit paid (invented)"},
        "subject": to("Patient", "robin"),
    }


def activity(identity: str) -> dict[str, Any]:
    return {"type": concept(SDOHCC, "resulting-activity"), "valueReference": to("Procedure", identity)}


def presumptive(*providers: str) -> Rules:
    service = Service("housing-deposits", "presumptive", providers)
    plan = Plan(PLAN, services=(service,))
    return replace(RULES, plans=(plan,))


def bundle(*entries: dict[str, Any]) -> list[Entry]:
    return entries_of({"type": "transaction", "entry": list(entries)}, 100)
