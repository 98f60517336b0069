"""Notifications by arguments, in invented data: the message that a hospital sends to $process-message."""

from typing import Any

from hub.fhir import json
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, SMC

EVENTS = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0003"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
NPI = "http://hl7.org/fhir/sid/us-npi"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
URLS = {name: f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n, name in enumerate(
    ("header", "encounter", "patient", "condition", "practitioner", "organization", "location", "coverage"), 1
)}  # fmt: skip
Resource = dict[str, Any]


def ref(name: str) -> Resource:
    return {"reference": URLS[name]}


def encounter(**more: Any) -> Resource:
    found = {
        "resourceType": "Encounter",
        "identifier": [{"system": SMC.visit_system, "value": "V1000123"}],
        "status": "in-progress",
        "class": {"system": ACT, "code": "IMP"},
        "type": [{"text": "Inpatient stay"}],
        "subject": ref("patient"),
        "participant": [
            {
                "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                                      "code": "ATND"}]}],
                "individual": ref("practitioner"),
            }
        ],
        "period": {"start": "2026-11-22T08:15:00-08:00"},
        "diagnosis": [{"condition": ref("condition")}],
        "location": [{"location": ref("location"), "status": "active"}],
        "serviceProvider": ref("organization"),
    }  # fmt: skip
    return {name: value for name, value in (found | more).items() if value is not None}


def patient(**more: Any) -> Resource:
    return {
        "resourceType": "Patient",
        "identifier": [
            {"system": SMC.mrn_system, "value": "SMC0012345"},
            {"system": CIN_SYSTEM, "value": "91234567A"},
            {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-00-1234"},
        ],
        "name": [{"use": "official", "family": "Testperson-Alder", "given": ["Robin", "Q"]}],
        "gender": "female",
        "birthDate": "1980-02-15",
        "address": [{"use": "home", "line": ["12 Sample St"], "city": "Sacramento", "state": "CA",
                     "postalCode": "95814"}],
        "telecom": [{"system": "phone", "use": "home", "value": "916-555-0101"},
                    {"system": "email", "value": "robin@example.org"}],
        **more,
    }  # fmt: skip


def others() -> dict[str, Resource]:
    return {
        "condition": {
            "resourceType": "Condition",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category",
                                      "code": "encounter-diagnosis"}]}],
            "code": {"coding": [{"system": ICD10, "code": "R07.9"}], "text": "Chest pain"},
            "subject": ref("patient"),
            "encounter": ref("encounter"),
        },
        "practitioner": {
            "resourceType": "Practitioner",
            "identifier": [{"system": NPI, "value": "1234567893"}],
            "name": [{"family": "Testdoctor-Birch", "given": ["Pat"], "prefix": ["Dr."]}],
        },
        "organization": {
            "resourceType": "Organization",
            "identifier": [{"system": NPI, "value": SMC.npi}],
            "active": True,
            "name": SMC.name,
        },
        "location": {"resourceType": "Location", "name": "4W", "managingOrganization": ref("organization")},
        "coverage": {
            "resourceType": "Coverage",
            "status": "active",
            "subscriberId": "91234567A",
            "beneficiary": ref("patient"),
            "relationship": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/subscriber-relationship",
                                         "code": "self"}]},
            "payor": [{"display": "Testplan Medi-Cal"}],
        },
    }  # fmt: skip


def alert(
    code: str = "notification-admit",
    identity: str = "11111111-0000-4000-8000-000000000001",
    *,
    at: str = "2026-11-22T08:15:30-08:00",
    system: str = "",
    header: Resource | None = None,
    visit: Resource | None = None,
    person: Resource | None = None,
    **more: Any,
) -> Resource:
    """`visit` and `person` change the Encounter and the Patient; other names change a resource, or leave it out
    (None)."""
    held = {"encounter": encounter(**(visit or {})), "patient": patient(**(person or {}))}
    for name, one in others().items():
        if (changed := more.get(name, one)) is not None:
            held[name] = one | changed
    first = {
        "resourceType": "MessageHeader",
        "id": identity,
        "eventCoding": {"system": system or (V2 if code.startswith("A") else EVENTS), "code": code},
        "source": {"name": "Sample EHR", "endpoint": "https://smc.example/fhir/$process-message"},
        "responsible": ref("organization"),
        "focus": [ref("encounter")],
        **(header or {}),
    }
    entries = [("header", first), *held.items()]
    return {
        "resourceType": "Bundle",
        "id": f"b-{identity}",
        "type": "message",
        "timestamp": at,
        "entry": [{"fullUrl": URLS[name], "resource": one} for name, one in entries],
    }


def raw(*arguments: Any, **more: Any) -> bytes:
    return json.write(alert(*arguments, **more))
