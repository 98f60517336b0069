"""What a care management system sends: a new member, and a new member with care plan, team and referrals.

Invented people; numbers in the place of names.
"""

from typing import Any
from uuid import uuid4

from hub.fhir.systems import (
    ACT_CODE,
    CAREPLAN_CATEGORY,
    CIN_SYSTEM,
    CONDITION_CLINICAL,
    ICD_10_CM,
    LEAD_CARE_MANAGER,
    V2_0203,
)

Resource = dict[str, Any]
ENTRIES = 12
LETTERS = "ACDEFGHMNTUVWXYZ"


def concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def cin(number: int) -> str:
    return f"97{number % 10**6:06d}{LETTERS[number // 10**6 % 16]}"


def patient(number: int) -> Resource:
    return {
        "resourceType": "Patient",
        "identifier": [{"type": concept(V2_0203, "MA"), "system": CIN_SYSTEM, "value": cin(number)}],
        "active": True,
        "name": [{"use": "official", "family": f"Testperson-{number}", "given": ["Quillon"]}],
        "telecom": [{"system": "phone", "value": "+1-555-555-0100", "use": "home"}],
        "gender": "female",
        "birthDate": f"{1940 + number % 70}-0{1 + number % 9}-1{number % 10}",
        "address": [{"line": ["1 Nowhere Street"], "city": "Exampleton", "state": "CA", "postalCode": "00000"}],
    }


def bundle(number: int) -> Resource:
    """A transaction of 12 resources that refer to each other by urn:uuid."""
    names = ("member", "coverage", "team", "plan", "asked-1", "asked-2")
    at = {name: {"reference": f"urn:uuid:{uuid4()}"} for name in names}
    subject = {"subject": at["member"]}
    resources = [
        ("member", patient(number)),
        ("coverage", _coverage(at)),
        ("team", _team(at)),
        ("plan", _plan(at)),
        *(("", {**_condition(code), **subject}) for code in ("F32.9", "E11.9", "I10")),
        *((name, {**_service_request(), **subject}) for name in ("asked-1", "asked-2")),
        *(("", _task(at["member"], at[name])) for name in ("asked-1", "asked-2")),
        ("", {**_encounter(), **subject}),
    ]
    entries = [_entry(at[name]["reference"] if name else f"urn:uuid:{uuid4()}", one) for name, one in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _entry(url: str, resource: Resource) -> Resource:
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def _coverage(at: Resource) -> Resource:
    return {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": at["member"],
        "payor": [{"display": "Example Health Plan"}],
        "period": {"start": "2026-01-01"},
    }


def _team(at: Resource) -> Resource:
    lead = {"role": [concept(*LEAD_CARE_MANAGER)], "member": {"reference": "Practitioner/demo-lead-01"}}
    return {"resourceType": "CareTeam", "status": "active", "subject": at["member"], "participant": [lead]}


def _plan(at: Resource) -> Resource:
    return {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "category": [concept(CAREPLAN_CATEGORY, "assess-plan")],
        "subject": at["member"],
        "careTeam": [at["team"]],
        "activity": [{"reference": at["asked-1"]}, {"reference": at["asked-2"]}],
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Find a home</div>'},
    }


def _condition(code: str) -> Resource:
    return {
        "resourceType": "Condition",
        "clinicalStatus": concept(CONDITION_CLINICAL, "active"),
        "code": concept(ICD_10_CM, code),
    }


def _service_request() -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"text": "Housing navigation"},
        "authoredOn": "2026-10-20",
    }


def _task(member: Resource, focus: Resource) -> Resource:
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "focus": focus,
        "for": member,
        "authoredOn": "2026-10-20T09:00:00-07:00",
    }


def _encounter() -> Resource:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": ACT_CODE, "code": "AMB"},
        "period": {"start": "2026-10-01T10:00:00-07:00", "end": "2026-10-01T10:30:00-07:00"},
    }
