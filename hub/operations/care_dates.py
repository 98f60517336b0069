"""When care happened: the date parameter of each type, for operations that take a range of care dates.

Rules: https://hl7.org/fhir/R4/patient-operation-everything.html (start, end: care dates, not record dates)
Types that are not here tell no event (Patient, Coverage, AllergyIntolerance, Goal, Consent, …): they are in every
range, and so is a resource without a date. A Condition lasts from its onset until it abates.
"""

from collections.abc import Mapping
from typing import Any

from hub.search.parameters import parameters_of
from hub.search.values import FOREVER, dates

# type -> its parameters; the first one that has a value counts
CARE_DATES: Mapping[str, tuple[str, ...]] = {
    "Account": ("period",),
    "AdverseEvent": ("date",),
    "Appointment": ("date",),
    "CarePlan": ("date",),
    "CareTeam": ("date",),
    "ChargeItem": ("occurrence",),
    "Claim": ("created",),
    "ClaimResponse": ("created",),
    "ClinicalImpression": ("date",),
    "Communication": ("sent", "received"),
    "CommunicationRequest": ("occurrence", "authored"),
    "Composition": ("period", "date"),
    "Condition": ("onset-date", "recorded-date"),
    "CoverageEligibilityRequest": ("created",),
    "CoverageEligibilityResponse": ("created",),
    "DetectedIssue": ("identified",),
    "DeviceRequest": ("event-date", "authored-on"),
    "DiagnosticReport": ("date",),
    "DocumentManifest": ("created",),
    "DocumentReference": ("period", "date"),
    "Encounter": ("date",),
    "EpisodeOfCare": ("date",),
    "ExplanationOfBenefit": ("created",),
    "Flag": ("date",),
    "ImagingStudy": ("started",),
    "Immunization": ("date",),
    "ImmunizationEvaluation": ("date",),
    "Invoice": ("date",),
    "List": ("date",),
    "MeasureReport": ("period",),
    "Media": ("created",),
    "MedicationAdministration": ("effective-time",),
    "MedicationDispense": ("whenhandedover", "whenprepared"),
    "MedicationRequest": ("date", "authoredon"),
    "MedicationStatement": ("effective",),
    "NutritionOrder": ("datetime",),
    "Observation": ("date",),
    "Procedure": ("date",),
    "QuestionnaireResponse": ("authored",),
    "RequestGroup": ("authored",),
    "RiskAssessment": ("date",),
    "ServiceRequest": ("occurrence", "authored"),
    "Specimen": ("collected",),
    "SupplyRequest": ("date",),
    "Task": ("period", "authored-on"),
    "VisionPrescription": ("datewritten",),
}
UNTIL = {"Condition": "abatement-date"}

Range = tuple[int, int]


def touches(resource: dict[str, Any], wanted: Range) -> bool:
    """Whether the care that a resource tells of falls into a range of microseconds, at least partly."""
    kind = resource["resourceType"]
    for code in CARE_DATES.get(kind, ()):
        if found := _ranges(resource, code):
            low, high = min(low for low, _ in found), max(high for _, high in found)
            return low < wanted[1] and _end(resource, high) > wanted[0]
    return True


def _ranges(resource: dict[str, Any], code: str) -> list[Range]:
    nodes = parameters_of(resource["resourceType"])[code].walk(resource)
    return [found for node in nodes for found in dates(node)]


def _end(resource: dict[str, Any], high: int) -> int:
    """The end of what lasts longer than it began."""
    until = UNTIL.get(resource["resourceType"])
    if until is None:
        return high
    return max((end for _, end in _ranges(resource, until)), default=FOREVER)
