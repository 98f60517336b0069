"""An invented member with one resource of each type that US Core profiles, and a neighbour with some of the same.

US Core-shaped: the elements that its searches look at. Nobody here exists.
"""

from typing import Any

Json = dict[str, Any]
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
TERMS = "http://terminology.hl7.org/CodeSystem"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NPI = "http://hl7.org/fhir/sid/us-npi"
OF_THE_GUIDE = "http://hl7.org/fhir/us/core/CodeSystem"


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def made(kind: str, identity: str, **parts: Any) -> Json:
    return {"resourceType": kind, "id": identity, **parts}


def member(of: str) -> list[Json]:
    """All that is known of the Patient with this id; ids are the type in small letters and the patient's id."""
    about = {"reference": f"Patient/{of}"}
    about_patient = {"patient": about}
    when = "2026-03-04T09:30:00-08:00"
    visit = {"reference": f"Encounter/encounter-{of}"}
    survey = concept(f"{TERMS}/observation-category", "survey")
    rows = [
        ("AllergyIntolerance", about_patient | {
            "clinicalStatus": concept(f"{TERMS}/allergyintolerance-clinical", "active"),
            "verificationStatus": concept(f"{TERMS}/allergyintolerance-verification", "confirmed"),
            "code": concept(SNOMED, "716186003")}),
        ("CarePlan", {"subject": about, "status": "active", "intent": "plan", "period": {"start": "2026-03-01"},
            "category": [concept(f"{OF_THE_GUIDE}/careplan-category", "assess-plan")]}),
        ("CareTeam", {"subject": about, "status": "active", "participant": [
            {"role": [concept(SNOMED, "17561000")], "member": {"reference": "PractitionerRole/role"}}]}),
        ("Condition", {"subject": about, "encounter": visit, "onsetDateTime": "2025-12-01",
            "abatementDateTime": "2026-03-10", "recordedDate": "2026-03-04", "code": concept(SNOMED, "59621000"),
            "clinicalStatus": concept(f"{TERMS}/condition-clinical", "resolved"),
            "verificationStatus": concept(f"{TERMS}/condition-ver-status", "confirmed"),
            "category": [concept(f"{TERMS}/condition-category", "problem-list-item")]}),
        ("Coverage", {"beneficiary": about, "status": "active", "relationship": concept("urn:invented", "self"),
            "payor": [{"reference": "Organization/plan"}],
            "identifier": [{"system": "urn:invented", "value": of}]}),
        ("Device", about_patient | {"status": "active", "type": concept(SNOMED, "14106009")}),
        ("DiagnosticReport", {"subject": about, "status": "final", "effectiveDateTime": when, "issued": when,
            "code": concept(LOINC, "24323-8"), "category": [concept(f"{TERMS}/v2-0074", "LAB")]}),
        ("DocumentReference", {"subject": about, "status": "current", "date": when,
            "type": concept(LOINC, "18842-5"),
            "category": [concept(f"{OF_THE_GUIDE}/us-core-documentreference-category", "clinical-note")],
            "content": [{"attachment": {"contentType": "text/plain", "data": "SW52ZW50ZWQ="}}],
            "context": {"period": {"start": "2026-03-04"}}}),
        ("Encounter", {"subject": about, "status": "finished",
            "class": {"system": f"{TERMS}/v3-ActCode", "code": "IMP"}, "type": [concept(SNOMED, "32485007")],
            "identifier": [{"system": "urn:invented", "value": f"visit-{of}"}],
            "period": {"start": when, "end": "2026-03-05T10:00:00-08:00"},
            "location": [{"location": {"reference": "Location/ward"}}]}),
        ("Goal", {"subject": about, "lifecycleStatus": "active", "description": {"text": "Invented"},
            "target": [{"dueDate": "2026-09-01"}]}),
        ("Immunization", about_patient | {"status": "completed", "occurrenceDateTime": "2026-02-01",
            "vaccineCode": concept("http://hl7.org/fhir/sid/cvx", "140")}),
        ("MedicationDispense", {"subject": about, "status": "completed", "whenHandedOver": when,
            "type": concept(f"{TERMS}/v3-ActCode", "FF"), "medicationCodeableConcept": concept(RXNORM, "197361")}),
        ("MedicationRequest", {"subject": about, "status": "active", "intent": "order", "encounter": visit,
            "authoredOn": when, "medicationReference": {"reference": "Medication/tablet"}}),
        ("Observation", {"subject": about, "status": "final", "effectiveDateTime": when,
            "code": concept(LOINC, "88122-7"), "category": [survey],
            "performer": [{"reference": "Practitioner/doctor"}]}),
        ("Procedure", {"subject": about, "status": "completed", "performedDateTime": when,
            "code": concept(SNOMED, "386053000")}),
        ("QuestionnaireResponse", {"subject": about, "status": "completed", "authored": when,
            "questionnaire": "https://invented.invalid/Questionnaire/needs"}),
        ("RelatedPerson", about_patient | {"active": True, "name": [{"family": "Erfunden", "given": ["Bo"]}]}),
        ("ServiceRequest", {"subject": about, "status": "active", "intent": "order", "authoredOn": when,
            "code": concept(SNOMED, "410606002"), "category": [concept(SNOMED, "410606002")]}),
        ("Specimen", {"subject": about, "type": {"text": "Invented"}}),
    ]  # fmt: skip
    return [made(kind, f"{kind.lower()}-{of}", **parts) for kind, parts in rows]


def provenance(targets: list[Json]) -> Json:
    who = {"who": {"reference": "Organization/plan"}}
    pointing = [{"reference": f"{one['resourceType']}/{one['id']}"} for one in targets]
    return made("Provenance", "origin", target=pointing, recorded="2026-03-04T18:00:00Z", agent=[who])


MEMBER = made(
    "Patient",
    "imagina",
    identifier=[{"system": "urn:invented", "value": "IMAGINA-1"}],
    name=[{"family": "Vymyslená", "given": ["Imagina"]}, {"use": "old", "family": "Fantasia"}],
    gender="female",
    birthDate="1957-05-06",
    deceasedDateTime="2026-06-07",
)
NEIGHBOUR = made(
    "Patient",
    "nadie",
    identifier=[{"system": "urn:invented", "value": "NADIE-1"}],
    name=[{"family": "Ninguno", "given": ["Nadie"]}],
    gender="male",
    birthDate="1958-01-01",
)
ADDRESS = [{"line": ["1 Nowhere Way"], "city": "Nirgends", "state": "CA", "postalCode": "00000"}]
NPI_OF_NOBODY = [{"system": NPI, "value": "0000000000"}]
AROUND = (
    made("Organization", "plan", active=True, name="Plan That Is Not", address=ADDRESS),
    made("Location", "ward", status="active", name="Ward That Is Not", address=ADDRESS[0]),
    made(
        "Practitioner",
        "doctor",
        identifier=[{"system": NPI, "value": "0000000000"}],
        name=[{"family": "Inventada"}],
    ),
    made(
        "PractitionerRole",
        "role",
        practitioner={"reference": "Practitioner/doctor"},
        specialty=[concept("http://nucc.org/provider-taxonomy", "207Q00000X")],
        endpoint=[{"reference": "Endpoint/mail"}],
    ),
    made(
        "Endpoint",
        "mail",
        status="active",
        address="https://invented.invalid",
        payloadType=[{"text": "any"}],
        connectionType={"system": f"{TERMS}/endpoint-connection-type", "code": "direct-project"},
    ),
    made("Medication", "tablet", code=concept(RXNORM, "197361")),
)
OF_MEMBER, OF_NEIGHBOUR = member("imagina"), member("nadie")
ALL = (MEMBER, NEIGHBOUR, *AROUND, *OF_MEMBER, *OF_NEIGHBOUR, provenance([MEMBER, *OF_MEMBER]))
