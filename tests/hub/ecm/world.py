"""Two providers of ECM, their clients, the hub itself and a clock that tests move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance.validation import structure
from hub import clock, outbox
from hub.access import Access
from hub.ecm.assembly import effects
from hub.ecm.attempt_rule import AttemptRule
from hub.ecm.rule import EnrolmentRule
from hub.ecm.terms import (
    DISCONTINUATION,
    DISCONTINUATION_EXTENSION,
    LEVEL_EXTENSION,
    METHOD,
    METHOD_EXTENSION,
    OUTREACH,
)
from hub.ecm.work import EnrolmentWork
from hub.fhir import json
from hub.fhir.systems import ACT_CODE, ASSESSMENT, PROGRAM, REFERRAL_CLOCK, REPORTED
from hub.referrals.assembly import clockwork
from hub.referrals.configuration import Rules
from hub.rights.facts import source_number
from hub.search.query import Limits, parse
from hub.sight import EPISODE, PANEL, PURPOSES, Sight
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Transactions, single

BASE = "https://hub.example/fhir"
START = datetime(2026, 7, 6, 17, 0, tzinfo=UTC)  # a Monday, 10 o'clock in California
SYSTEM = Access.system("a test")
EVERYTHING = frozenset(("*", letter) for letter in "cruds")
KNOWN = frozenset(("goals-met", "lower-level", "in-person", "telephonic", "electronic", "clinical"))
Resource = dict[str, Any]


def caller(organization: str) -> Access:
    number = source_number(organization)
    sight = Sight(
        holders=(number,),
        kinds=PANEL | EPISODE,
        own=number,
        recipients=(number,),
        purposes=PURPOSES["TREAT"],
        guarded=0,
    )
    return Access(organization, EVERYTHING, "ecm-provider", sight=sight, source=organization)


ECM, OTHER = caller("Organization/ecm"), caller("Organization/other")


@dataclass
class World:
    database: Database
    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)

    @property
    def writes(self) -> Transactions:
        def validate(resource: Resource, kind: str, conditional: bool, _: str) -> Any:
            return structure.validate(resource, kind, conditional_references=conditional)

        said = (BASE, lambda system, code: code in KNOWN, Rules().zone, self.now)
        attempts = AttemptRule(*said)
        rules = {"EpisodeOfCare": EnrolmentRule(*said), "Encounter": attempts, "Communication": attempts}
        return Transactions(self.database, validate, effects, BASE, self.now, rules=rules)

    @property
    def handlers(self) -> Mapping[str, outbox.Handler]:
        return EnrolmentWork(self.database, self.writes, clockwork(Rules(), BASE), BASE, self.now).handlers()

    def county(self) -> None:
        """Robin and Kim are of both providers' panels."""
        panels = [
            {
                "resourceType": "Group",
                "id": f"panel-{of}",
                "type": "person",
                "actual": True,
                "managingEntity": to("Organization", of),
                "member": [{"entity": to("Patient", who)} for who in ("robin", "kim")],
            }
            for of in ("ecm", "other")
        ]
        people = [{"resourceType": "Patient", "id": who} for who in ("robin", "kim")]
        houses = [{"resourceType": "Organization", "id": of, "name": f"Example {of}"} for of in ("ecm", "other")]
        self.put(SYSTEM, *houses, *people, *panels)

    def put(self, access: Access, *resources: Resource) -> None:
        entries = [single("PUT", one["resourceType"], id=one["id"], resource=one) for one in resources]
        self.writes.commit(entries, access, many=len(entries) > 1)

    def post(self, access: Access, resource: Resource) -> str:
        (made,) = self.writes.commit([single("POST", resource["resourceType"], resource=resource)], access)
        assert made.stored
        return made.stored.id

    def read(self, kind: str, identity: str) -> Resource:
        with self.database.read() as connection:
            found = read.current(connection, SYSTEM, kind, identity)
        assert found, f"there is no {kind} {identity}"
        return json.stored(found.body or b"{}")

    def move(self, identity: str, access: Access = ECM, **said: Any) -> Resource:
        """Write an enrolment on as this client, with what it says (None: without that)."""
        before = self.read("EpisodeOfCare", identity)
        self.put(access, {name: value for name, value in {**before, **said}.items() if value is not None})
        return self.read("EpisodeOfCare", identity)

    def work(self) -> None:
        """Do all work of enrolments that is due now."""
        self.later(seconds=1)
        while claimed := self._claimed():
            for one in claimed:
                outcome = self.handlers[one.kind](one)
                self._settle(one, outcome)

    def _settle(self, one: outbox.Work, outcome: outbox.Outcome) -> None:
        self.database.writing(lambda connection: outbox.settle(connection, one, outcome))

    def _claimed(self) -> Sequence[outbox.Work]:
        at = clock.micros(self.now())
        return self.database.writing(lambda c: outbox.claim(c, list(self.handlers), at, 60, 20))

    def clocks(self) -> list[Resource]:
        with self.database.read() as connection:
            query = parse("Task", [("code", f"{REFERRAL_CLOCK}|")], Limits())
            found = [json.stored(row.body or b"{}") for row in read.page(connection, SYSTEM, query, (), 50)]
        return sorted(found, key=lambda one: one["authoredOn"])


def to(kind: str, identity: str) -> dict[str, str]:
    return {"reference": f"{kind}/{identity}"}


LEAD = {"careManager": to("Practitioner", "lead")}


def enrolment(status: str = "planned", **parts: Any) -> Resource:
    return {
        "resourceType": "EpisodeOfCare",
        "status": status,
        "type": [{"coding": [{"system": PROGRAM, "code": "ecm"}]}],
        "patient": to("Patient", "robin"),
        "managingOrganization": to("Organization", "ecm"),
        **parts,
    }


def because(code: str, level: str = "") -> dict[str, Any]:
    concept = {"coding": [{"system": DISCONTINUATION, "code": code}]}
    said = [{"url": DISCONTINUATION_EXTENSION, "valueCodeableConcept": concept}]
    said += [{"url": LEVEL_EXTENSION, "valueCodeableConcept": {"text": level}}] if level else []
    return {"extension": said}


def method(code: str) -> dict[str, Any]:
    return {"extension": [{"url": METHOD_EXTENSION, "valueCoding": {"system": METHOD, "code": code}}]}


def message(day: str = "2026-07-06", **parts: Any) -> Resource:
    """An attempt that met nobody."""
    made: Resource = {
        "resourceType": "Communication",
        "status": "not-done",
        "category": [{"coding": [{"system": REPORTED, "code": OUTREACH[0]}]}],
        "subject": to("Patient", "robin"),
        "sent": day,
        "sender": to("Organization", "ecm"),
        **method("telephonic"),
        **parts,
    }
    return {name: value for name, value in made.items() if value != []}


def visit(day: str = "2026-07-06", **parts: Any) -> Resource:
    """An attempt that met the member."""
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": ACT_CODE, "code": "AMB"},
        "type": [{"coding": [{"system": REPORTED, "code": OUTREACH[0]}]}],
        "subject": to("Patient", "robin"),
        "period": {"start": day, "end": day},
        "serviceProvider": to("Organization", "ecm"),
        **parts,
    }


def assessment(day: str, **parts: Any) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"coding": [{"system": REPORTED, "code": ASSESSMENT}]},
        "performedDateTime": day,
        "subject": to("Patient", "robin"),
        **parts,
    }


def care_plan(day: str, **parts: Any) -> Resource:
    detail = {
        "code": {"coding": [{"system": REPORTED, "code": ASSESSMENT}]},
        "status": "scheduled",
        "scheduledPeriod": {"end": day},
    }
    return {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": to("Patient", "robin"),
        "activity": [{"detail": detail}],
        **parts,
    }
