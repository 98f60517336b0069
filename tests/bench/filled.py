"""A database with as many resources as wanted, written by the hub's own store, thousands a statement, as no client
could. They are what the transactions of `tests.bench.transactions` would have left, with all that tells who may
see them: whose each is, its labels, relations and consents, by the hub's own rules (hub.rights).

Among the members are a panel of 300 and one of 20,000 (Groups), members referred to a Community Supports provider
(the owner of their Tasks), and one member in 25 whose referrals are labelled as of substance use, and who consented
to those who ask here.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from hub import clock
from hub.fhir import json
from hub.fhir.references import rewrite
from hub.fhir.systems import ACT_CODE
from hub.rights import facts
from hub.rights.labels import labels_of, with_labels
from hub.rights.part2 import NO_PART2
from hub.search.index import IndexRows, index_rows
from hub.store import write
from hub.store.batch import Batch
from hub.store.engine import Database
from hub.store.read import Stored
from hub.store.rids import new_rid
from tests.bench import transactions
from tests.bench.grounds import Running

MEMBERS_A_STATEMENT = 100
LOADERS = 2
AGE = (transactions.ENTRIES + 1) * 1000  # microseconds between members
SMALL, LARGE = 300, 20_000
LABELLED = 25  # one member in so many
SUBSTANCE_USE = ("SUD", "ETH", "42CFRPart2")
WRITER = "demo-ehr"  # the client whose data it is
COUNTY, SMALL_PANEL, LARGE_PANEL, REFERRED = (
    f"Organization/bench-{name}" for name in ("county", "small", "large", "referred")
)
NAMED = (COUNTY, SMALL_PANEL, LARGE_PANEL, REFERRED)  # in the consents

Resource = dict[str, Any]
Index = dict[int, tuple[IndexRows, IndexRows]]


@dataclass(frozen=True, slots=True)
class People:
    """So many members, counted from 0. A small county has smaller panels."""

    members: int

    @property
    def small(self) -> range:
        """Those of the small panel, who are referred, too; the large panel has them all."""
        return self._spread(min(SMALL, self.members // 4))

    @property
    def large(self) -> list[int]:
        return sorted({*self.small, *self._spread(min(LARGE, self.members // 2))})

    def _spread(self, count: int) -> range:
        step = self.members // count
        return range(0, step * count, step)


def fill(running: Running, members: int) -> People:
    """Load the members and their panels."""
    people, step = People(members), -(-members // LOADERS)
    url, began = running.database.url.render_as_string(False), time.time_ns() // 1000 - members * AGE
    parts = [(url, began, people, n, min(n + step, members)) for n in range(0, members, step)]
    with get_context("spawn").Pool(LOADERS) as pool:
        pool.starmap(_load, parts)
    panels = [_panel(SMALL_PANEL, people.small), _panel(LARGE_PANEL, people.large)]
    batch = batch_of((began - place * 1000, panel) for place, panel in enumerate(panels, 1))
    running.database.writing(lambda connection: write.store(connection, batch))
    with running.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    return people


def _load(url: str, began: int, people: People, first: int, past: int) -> None:
    """Members of one range, with all that belongs to them. A process of its own."""
    database = Database(url)
    referred = frozenset(people.small)
    for start in range(first, past, MEMBERS_A_STATEMENT):
        numbers = range(start, min(start + MEMBERS_A_STATEMENT, past))
        batch = batch_of(_dated(numbers, began, referred))
        database.writing(lambda connection: write.store(connection, batch))  # noqa: B023 - it is called at once
    database.close()


def _dated(numbers: range, began: int, referred: frozenset[int]) -> Iterator[tuple[int, Resource]]:
    for number in numbers:
        for place, resource in enumerate(_resources(number, number in referred)):
            yield began + number * AGE + place * 1000, resource  # no two draw the same row number


def batch_of(dated: Iterable[tuple[int, Resource]]) -> Batch:
    """Resources as their writer would have them stored, each with the moment of its writing."""
    rows: list[Stored] = []
    index: Index = {}
    for at, resource in dated:
        row, indexed = _row(at, resource)
        rows.append(row)
        index[row.rid] = (IndexRows(), indexed)
    return Batch(rows, (), index)


def _row(at: int, resource: Resource) -> tuple[Stored, IndexRows]:
    """What hub.whose would say of the resource, without looking anything up: nothing here inherits."""
    source = facts.source_number(WRITER)
    mask = labels_of(resource, WRITER, NO_PART2)
    whose = facts.facts_of(resource, "")
    resource["meta"] = {**resource.get("meta", {}), "versionId": "1", "lastUpdated": clock.instant(at)}
    content = with_labels(resource, mask)
    indexed = index_rows(content)
    indexed.patients = set(whose.patients)
    indexed.relations = facts.relations(content, "", source, WRITER)
    indexed.consents = facts.consents(content, "")
    kind, body = content["resourceType"], json.write(content)
    return Stored(new_rid(at), kind, content["id"], 1, at, False, body, whose.patient, mask, source), indexed


def _resources(number: int, is_referred: bool) -> Iterator[Resource]:
    """What the transaction of this member leaves, and its consent; ids are counted instead of drawn."""
    entries = transactions.bundle(number)["entry"]
    names = {
        entry["fullUrl"]: f"{entry['resource']['resourceType']}/bench-{number}{f'-{place}' if place else ''}"
        for place, entry in enumerate(entries)
    }
    is_labelled = number % LABELLED == 0
    for entry in entries:
        resource = rewrite(entry["resource"], lambda text: names.get(text, text), names)
        made = {**resource, "id": names[entry["fullUrl"]].partition("/")[2]}
        if is_labelled and made["resourceType"] in ("Task", "ServiceRequest"):
            made["meta"] = {"security": _labels()}
        if is_referred and made["resourceType"] == "Task":
            made["owner"] = {"reference": REFERRED}
        yield made
    if is_labelled:
        yield _consent(number)


def _labels() -> list[Resource]:
    return [{"system": ACT_CODE, "code": code} for code in SUBSTANCE_USE]


def _consent(number: int) -> Resource:
    """A member's own, for named recipients (42 CFR 2.31)."""
    patient = {"reference": f"Patient/bench-{number}"}
    recipient = transactions.concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
    reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
    return {
        "resourceType": "Consent",
        "id": f"bench-{number}-consent",
        "status": "active",
        "scope": transactions.concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [transactions.concept(ACT_CODE, "IDSCL")],
        "patient": patient,
        "dateTime": "2026-01-02",
        "performer": [patient],
        "policyRule": transactions.concept(ACT_CODE, "OPTIN"),
        "provision": {
            "type": "permit",
            "period": {"start": "2026-01-01", "end": "2099-12-31"},
            "actor": [{"role": recipient, "reference": {"reference": name}} for name in NAMED],
            "purpose": [{"system": reason, "code": code} for code in ("TREAT", "HPAYMT", "HOPERAT")],
            "securityLabel": _labels(),
        },
    }


def _panel(manager: str, numbers: Iterable[int]) -> Resource:
    return {
        "resourceType": "Group",
        "id": manager.partition("/")[2],
        "active": True,
        "type": "person",
        "actual": True,
        "managingEntity": {"reference": manager},
        "member": [{"entity": {"reference": f"Patient/bench-{number}"}} for number in numbers],
    }
