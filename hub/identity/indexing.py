"""Patients that no feed brought become source persons of their own, so that who comes later is compared with them;
and whoever they might be is asked for.

Rules: docs/identity.md "Source persons". Their source is `patients`, their key the Patient's id; former
Patients and those that a feed brought are left out. A client's Patient is never merged by itself: where it
looks like another member, people are asked. Running it again brings what they say up to date.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from hub import clock, outbox
from hub.fhir import json
from hub.identity import former, persons, resolve
from hub.identity.decide import LINK
from hub.identity.desk import Registry
from hub.identity.guards import REVIEW
from hub.identity.patient import person_of
from hub.identity.persons import PATIENTS
from hub.identity.resolve import CONTRADICTION, Resolution
from hub.identity.strong import Systems
from hub.store.tables import resource
from hub.transactions import Change

COMPARE = "identity-compare"  # the kind of work that looks at a Patient that a client wrote
HUB = "hub"


def effects(changes: Iterable[Change]) -> Iterator[Mapping[str, Any]]:
    """An outbox row for each Patient that somebody else than the hub wrote."""
    for change in changes:
        if change.type == "Patient" and change.who != HUB and change.now is not None:
            yield outbox.row(COMPARE, f"{change.id}/{change.version}", {"patient": change.id}, change.at)


@dataclass(frozen=True, slots=True)
class Comparing:
    """The worker's handler for Patients that clients wrote."""

    registry: Registry

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        now = clock.micros(self.registry.now())
        identity = work.payload["patient"]
        self.registry.database.writing(lambda connection: known(connection, identity, now))
        return outbox.Done()


def index(registry: Registry, batch: int) -> int:
    """How many are known."""
    after = count = 0
    while rows := _next(registry, after, batch):
        now = clock.micros(registry.now())
        ids = [row.id for row in rows]
        count += registry.database.writing(lambda c, ids=ids, now=now: sum(known(c, each, now) for each in ids))  # type: ignore[misc]
        after = rows[-1].rid
    return count


def _next(registry: Registry, after: int, batch: int) -> list[Any]:
    asked = select(resource.c.rid, resource.c.id).where(
        resource.c.type == "Patient", resource.c.rid > after, ~resource.c.deleted
    )
    with registry.database.read() as connection:
        return list(connection.execute(asked.order_by(resource.c.rid).limit(batch)))


def known(connection: Connection, identity: str, now: int) -> bool:
    """Whether it is a member of its own, known from now on."""
    asked = select(resource.c.body).where(
        resource.c.type == "Patient", resource.c.id == identity, resource.c.person == 0, ~resource.c.deleted
    )
    body = connection.execute(asked).scalar()
    if body is None or former.merged_by(connection, identity):
        return False
    patient = json.stored(body)
    said = person_of(patient, PATIENTS, Systems())
    found = resolve.resolve(connection, said, PATIENTS, identity, now)
    if found.outcome in (LINK, REVIEW, CONTRADICTION):
        others = tuple(_others(connection, found, identity))
        outcome = REVIEW if others else resolve.NEW
        found = resolve.replaced(found, outcome, None, others, found.because)
    return resolve.settle(connection, found, identity, _fragment(patient), now)


def _others(connection: Connection, found: Resolution, identity: str) -> list[int]:
    """Source persons of other members that it looks like."""
    told = [one.person for one in persons.several(connection, found.review) if one.patient != identity]
    if told or not found.patient or found.patient == identity:
        return told
    return persons.of_patients(connection, [found.patient])[:1]


def _fragment(patient: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in patient.items() if name not in ("meta", "link", "text")}
