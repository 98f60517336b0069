"""The resources of one invented patient, one for each combination of relation, labels and consent.

Each builder gives a body whose every text holds a canary. `labelled` bodies get the labels of the combination: by
`meta.security`, or by a code for a substance use disorder where the label set says so.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.matrix.canaries import canary, identity

Resource = dict[str, Any]
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
RECORD_NUMBER = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
SYSTEM = "https://county.invalid/canary"
OPIOIDS = {"coding": [{"system": ICD10, "code": "F11.20"}]}
PLAIN = {"coding": [{"system": ICD10, "code": "E11.9"}]}
HMIS_LABELS = "https://calaim-hub.example/fhir/CodeSystem/security-label"
SECURITY: Mapping[str, tuple[tuple[str, str], ...]] = {
    "part2": ((ACT_CODE, "42CFRPart2"),),
    "psy": ((ACT_CODE, "PSY"),),
    "hiv": ((ACT_CODE, "HIV"),),
    "mixed": ((ACT_CODE, "PSY"), (ACT_CODE, "HIV")),
    "hmis": ((HMIS_LABELS, "HMIS"),),
    "unknown": ((CONFIDENTIALITY, "V"),),
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One patient: its number and its combination."""

    number: int
    relation: str
    labels: str
    consent: str

    def text(self, short: str, element: str) -> str:
        return canary(short, self.number, element)

    def reference(self, short: str) -> Resource:
        return {"reference": f"{TYPES[short]}/{identity(short, self.number)}"}

    @property
    def patient(self) -> Resource:
        return self.reference("pat")

    @property
    def code(self) -> Resource:
        """What a resource is about: a substance use disorder where the labels come from a code."""
        return OPIOIDS if self.labels in ("sud-code", "mixed") else PLAIN

    @property
    def security(self) -> list[Resource]:
        given = SECURITY.get(self.labels, ())
        if self.labels == "unknown" and self.number % 2:
            given = ((ACT_CODE, "ZZUNHEARDOF"),)  # a sensitivity that no table knows
        return [{"system": system, "code": code} for system, code in given]


def div(chart: Chart, short: str) -> Resource:
    text = f'<div xmlns="http://www.w3.org/1999/xhtml">{chart.text(short, "div")}</div>'
    return {"status": "generated", "div": text}


def _coded(chart: Chart, short: str, element: str) -> Resource:
    return {**chart.code, "text": chart.text(short, element)}


def _marked(chart: Chart, short: str) -> Resource:
    return {"text": div(chart, short), "identifier": [{"system": SYSTEM, "value": chart.text(short, "value")}]}


def patient(c: Chart) -> Resource:
    return _marked(c, "pat") | {
        "identifier": [{"type": RECORD_NUMBER, "system": SYSTEM, "value": c.text("pat", "value")}],
        "active": c.relation != "merged",
        "name": [{"family": c.text("pat", "family"), "given": [c.text("pat", "given")]}],
        "telecom": [{"system": "phone", "value": c.text("pat", "phone")}],
        "address": [{"line": [c.text("pat", "line")], "city": "Freezer Demo"}],
        "birthDate": "2012-02-03" if c.consent == "minor" else "1970-02-03",
        "generalPractitioner": [{"display": c.text("pat", "general")}],
    }


def condition(c: Chart) -> Resource:
    return _marked(c, "cond") | {
        "code": _coded(c, "cond", "code"),
        "subject": c.patient,
        "note": [{"text": c.text("cond", "note")}],
    }


def observation(c: Chart, short: str = "obs") -> Resource:
    return _marked(c, short) | {
        "status": "final",
        "code": _coded(c, short, "code"),
        "subject": c.patient,
        "encounter": c.reference("enc"),
        "valueString": c.text(short, "string"),
    }


def own(c: Chart) -> Resource:
    return observation(c, "own")


def encounter(c: Chart) -> Resource:
    return _marked(c, "enc") | {
        "status": "in-progress",
        "class": {"system": ACT_CODE, "code": "IMP"},
        "subject": c.patient,
        "reasonCode": [_coded(c, "enc", "reason")],
        "location": [{"location": {"display": c.text("enc", "location")}}],
        "serviceProvider": {"display": c.text("enc", "facility")},
    }


def care_plan(c: Chart) -> Resource:
    return _marked(c, "cp") | {
        "status": "active",
        "intent": "plan",
        "title": c.text("cp", "title"),
        "description": c.text("cp", "description"),
        "subject": c.patient,
        "activity": [{"detail": {"status": "scheduled", "code": _coded(c, "cp", "code")}}],
    }


def task(c: Chart) -> Resource:
    return _marked(c, "task") | {
        "status": "draft",
        "intent": "order",
        "for": c.patient,
        "description": c.text("task", "description"),
        "reasonCode": _coded(c, "task", "reason"),
        "note": [{"text": c.text("task", "note")}],
    }


def service_request(c: Chart) -> Resource:
    return _marked(c, "sr") | {
        "status": "active",
        "intent": "order",
        "subject": c.patient,
        "code": {"text": c.text("sr", "code")},
        "reasonCode": [_coded(c, "sr", "reason")],
        "note": [{"text": c.text("sr", "note")}],
    }


def document(c: Chart) -> Resource:
    data = base64.b64encode(c.text("doc", "data").encode()).decode()
    return _marked(c, "doc") | {
        "status": "current",
        "subject": c.patient,
        "type": _coded(c, "doc", "type"),
        "description": c.text("doc", "description"),
        "content": [{"attachment": {"contentType": "text/plain", "data": data, "title": c.text("doc", "title")}}],
    }


def medication_request(c: Chart) -> Resource:
    return _marked(c, "med") | {
        "status": "active",
        "intent": "order",
        "subject": c.patient,
        "medicationCodeableConcept": {"text": c.text("med", "code")},
        "reasonCode": [_coded(c, "med", "reason")],
    }


def holder(c: Chart) -> Resource:
    """A List with the sensitive resource inside it: the code is found only there."""
    inside = {"resourceType": "Condition", "id": "c", "subject": c.patient, "code": _coded(c, "lst", "contained")}
    return {
        "status": "current",
        "mode": "working",
        "title": c.text("lst", "title"),
        "subject": c.patient,
        "contained": [inside],
        "entry": [{"item": {"reference": "#c"}}],
    }


def pointer(c: Chart) -> Resource:
    """Not sensitive itself; refers to what is."""
    return {
        "text": div(c, "ptr"),
        "identifier": [{"system": SYSTEM, "value": c.text("ptr", "value")}],
        "status": "draft",
        "intent": "order",
        "for": c.patient,
        "focus": c.reference("cp"),
        "description": c.text("ptr", "description"),
    }


def provenance(c: Chart) -> Resource:
    return {
        "text": div(c, "prv"),
        "target": [c.patient, c.reference("cond")],
        "recorded": "2026-01-02T03:04:05Z",
        "agent": [{"who": {"display": c.text("prv", "agent")}}],
    }


@dataclass(frozen=True, slots=True)
class Kind:
    """`labelled`: it gets the labels of the combination; otherwise it has none."""

    short: str
    type: str
    body: Callable[[Chart], Resource]
    labelled: bool = True


KINDS = (
    Kind("pat", "Patient", patient, labelled=False),
    Kind("enc", "Encounter", encounter),
    Kind("cond", "Condition", condition),
    Kind("obs", "Observation", observation),
    Kind("own", "Observation", own),
    Kind("cp", "CarePlan", care_plan),
    Kind("task", "Task", task),
    Kind("sr", "ServiceRequest", service_request),
    Kind("doc", "DocumentReference", document),
    Kind("med", "MedicationRequest", medication_request),
    Kind("lst", "List", holder),
    Kind("ptr", "Task", pointer, labelled=False),
    Kind("prv", "Provenance", provenance),  # as sensitive as what it is about
)
BY_SHORT: Mapping[str, Kind] = {kind.short: kind for kind in KINDS}
TYPES: Mapping[str, str] = {kind.short: kind.type for kind in KINDS}


def resource(chart: Chart, kind: Kind) -> Resource:
    """The resource as it is written."""
    made = {"resourceType": kind.type, "id": identity(kind.short, chart.number)} | kind.body(chart)
    if kind.labelled and chart.security:
        made["meta"] = {"security": chart.security}
    return made
