"""Patient/[id]/$disclosures: to whom a member's data was disclosed in the last three years, the newest first.

Rules: 42 CFR 2.24 and 2.25 (an accounting covers three years), IHE BALP PrivacyDisclosure.Source For the member
itself (its app), and for auditors. Each entry is an AuditEvent: when, what, to whom, for which purpose, and by
which Consents. What the member itself looked at, and what somebody brought, is no disclosure to others.
Refuses: everybody else (403), also where there is no such patient.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from hub import clock
from hub.audit import find
from hub.fhir import json
from hub.fhir.bundles import ID
from hub.fhir.systems import OWN
from hub.operations.call import Call, Operation, Parameter
from hub.problems import Problem
from hub.search.edges import address
from hub.search.values import date_range

ACCOUNTED = timedelta(days=3 * 366) // clock.MICROSECOND
MOST = 1000
DEFINITION = f"{OWN}OperationDefinition/Patient-disclosures"


def disclosures(call: Call) -> bytes:
    """A Bundle of type collection."""
    if not ID.match(call.id):
        raise Problem("value", "An id has 1 to 64 letters, digits, '-' and '.'", "id")
    patient = address("Patient", call.id)
    _must_be_entitled(call, patient)
    listed = list(islice(find.disclosures(call.connection, call.base, patient, _times(call)), MOST + 1))
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "timestamp": _now(call)}
    if len(listed) > MOST:
        raise Problem("too-costly", f"There are more than {MOST} disclosures: ask with start and end", "start")
    if listed:
        bundle["entry"] = list(_entries(call.base, listed))
    return json.write(bundle)


def _must_be_entitled(call: Call, patient: int) -> None:
    sight = call.access.sight
    is_member = sight.self_only and sight.patient == patient and call.access.may("read", "Patient")
    if not (is_member or call.access.may("search-type", "AuditEvent")):
        call.access.require("search-type", "AuditEvent")


def _times(call: Call) -> tuple[int, int]:
    """From `start` to `end`, and never before what an accounting covers."""
    now = clock.micros(call.now())
    start = date_range(call.given["start"]) if "start" in call.given else None
    end = date_range(call.given["end"]) if "end" in call.given else None
    return max(now - ACCOUNTED, start[0] if start else 0), end[1] if end else now + 1


def _now(call: Call) -> str:
    return clock.instant(clock.micros(call.now()))


def _entries(base: str, events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for event in events:
        yield {"fullUrl": f"{base}/AuditEvent/{event['id']}", "resource": event}


ROWS = (
    Operation(
        "disclosures",
        DEFINITION,
        ("instance",),
        disclosures,
        types=("Patient",),
        parameters=(Parameter("start", "time"), Parameter("end", "time")),
    ),
)
