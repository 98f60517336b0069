"""A hub with a plan, a provider and two members, whose outbox is worked step by step against the reference plan."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from adapters.plan.api.client import PlanClient
from adapters.plan.api.effects import REFERRAL, STATUS, effects
from adapters.plan.api.handlers import PlanWork
from auth.notices import NoticeRights
from hub import clock, outbox
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.fhir.systems import CIN_SYSTEM
from hub.store import merges, read, tables
from hub.store.engine import Database
from hub.store.read import Stored
from hub.transactions import Transactions
from tests.hub.asking import BASE, validator
from tests.reference_plan.process import ReferencePlan

PLAN = "Organization/plan"
CIN = "91234567A"
CLIENTS = {"plan": "plan", "care": "ehr"}  # of the plan's organization: by role


@dataclass
class World:
    """`told` is what was recorded before it left; `at` the hub's clock."""

    database: Database
    plan: ReferencePlan
    told: list[Stored] = field(default_factory=list)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    sees: str = "plan"
    care_plans: bool = False
    _own: Transactions = field(init=False)
    _client: PlanClient = field(init=False)

    def __post_init__(self) -> None:
        merges.look_again()
        self._own = Transactions(
            self.database, validator, lambda changes: effects(changes, PLAN, self.care_plans), BASE, lambda: self.at
        )
        self.restart()
        self._register()
        self.have(*_people())

    def restart(self) -> None:
        """Another process: no token, no circuit."""
        self._client = PlanClient(self.plan.api(), lambda: self.at, self._sleep, lambda: 0.5)

    def _sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def _register(self) -> None:
        now = clock.micros(self.at)
        with self.database.write() as connection:
            for name, role in CLIENTS.items():
                row = {"id": name, "name": f"Invented {name}", "role": role, "scopes": "system/*.rs"}
                about = {"organization": PLAN, "purposes": "", "active": True, "created": now}
                connection.execute(insert(tables.client).values(row | about))

    @property
    def work(self) -> PlanWork:
        rights = NoticeRights(self.database, b"x" * 32)
        return PlanWork(
            self._client,
            self.database,
            self._own,
            lambda: rights.access_of(self.sees),
            self._tell,
            BASE,
            CIN_SYSTEM,
            timedelta(minutes=15),
            timedelta(days=30),
            lambda: self.at,
            lambda: 0.5,
        )

    def _tell(self, access: Access, rows: Sequence[Stored]) -> None:
        self.told.extend(rows)

    def have(self, *resources: dict[str, Any]) -> None:
        entries = [Entry("PUT", one["resourceType"], id=one["id"], resource=one) for one in resources]
        self._own.commit(entries, Access.system("the world", source="Organization/county"), many=True)

    def resource(self, kind: str, identity: str) -> dict[str, Any]:
        with self.database.read() as connection:
            stored = read.current(connection, Access.system("the world"), kind, identity)
        assert stored
        assert stored.body
        return json.stored(stored.body)

    def turn(self, settles: bool = True) -> list[outbox.Outcome]:
        """What is due now, as the worker does it; without `settles` it dies before it can say so."""
        self.plan.set_clock(self.at.timestamp())
        handlers, now = self.work.handlers(), clock.micros(self.at)
        with self.database.write() as connection:
            claimed = outbox.claim(connection, [REFERRAL, STATUS], now, 60, 10)
        done = [(one, handlers[one.kind](one)) for one in claimed]
        if settles:
            with self.database.write() as connection:
                for one, outcome in done:
                    outbox.settle(connection, one, outcome)
        return [outcome for _, outcome in done]

    def turns(self, most: int = 40) -> list[outbox.Outcome]:
        """Until nothing waits any more, with the clock moved to what is due next."""
        found: list[outbox.Outcome] = []
        for _ in range(most):
            found += self.turn()
            waiting = self._waiting()
            if not waiting:
                return found
            due = min((each for each in waiting if each > clock.micros(self.at)), default=0)
            self.at = max(self.at, datetime.fromtimestamp(due / 1e6, UTC)) + timedelta(milliseconds=1)
        raise AssertionError(f"still waiting: {found[-3:]}")

    def _waiting(self) -> list[int]:
        """When the rows that wait are due."""
        asked = select(tables.outbox.c.due).where(tables.outbox.c.state == outbox.WAITING)
        with self.database.read() as connection:
            return list(connection.execute(asked).scalars())

    def seen_by(self, client: str) -> None:
        self.sees = client


def _people() -> list[dict[str, Any]]:
    """Alder is a member of the plan, Birch is not."""
    cin = {"system": CIN_SYSTEM, "value": CIN}
    return [
        *({"resourceType": "Organization", "id": name, "name": f"Invented {name}"} for name in ("plan", "clinic")),
        *(
            {"resourceType": "Patient", "id": name, "identifier": [cin], "name": [{"family": f"Testperson-{name}"}]}
            for name in ("alder", "birch")
        ),
        {
            "resourceType": "Coverage",
            "id": "alder",
            "status": "active",
            "beneficiary": {"reference": "Patient/alder"},
            "payor": [{"reference": PLAN}],
        },
    ]


def referral(patient: str = "alder", identity: str = "t1", **task: Any) -> list[dict[str, Any]]:
    """A ServiceRequest and the Task that asks the plan."""
    of = {"reference": f"Patient/{patient}"}
    request = {"resourceType": "ServiceRequest", "id": f"r-{identity}", "status": "active", "intent": "order"}
    asking = {"resourceType": "Task", "id": identity, "status": "requested", "intent": "order", "for": of}
    return [
        {**request, "subject": of, "code": {"text": "Invented service"}, "note": [{"text": "canary-note"}]},
        {
            **asking,
            "owner": {"reference": PLAN},
            "requester": {"reference": "Organization/clinic"},
            "focus": {"reference": f"ServiceRequest/r-{identity}"},
            "note": [{"text": "canary-note"}],
            **task,
        },
    ]


def care_plan(patient: str = "alder", **parts: Any) -> dict[str, Any]:
    of = {"reference": f"Patient/{patient}"}
    return {"resourceType": "CarePlan", "id": "c1", "status": "active", "intent": "plan", "subject": of, **parts}
