"""An event of a panel -> a row of the digest file.

Rules: docs/digests.md; labels, consents and the notice of 42 CFR 2.32: fhir_mappings.released_cells. Only what
stands in the resource as its reader may see it, and the member's CIN where the reader sees that.
Refuses: nothing.
"""

from collections.abc import Mapping
from typing import Any

from fhir_mappings.released_cells import COLUMNS as RELEASED
from fhir_mappings.released_cells import released_cells, safe

COLUMNS = (
    "topic", "number", "at", "member", "cin", "resource", "version", "status", "what", "start", "end", "place",
    *RELEASED,
)  # fmt: skip
Resource = Mapping[str, Any]


def event_row(
    topic: str, number: int, at: str, resource: Resource, patient: Resource, cin_system: str, notice: str
) -> dict[str, str]:
    """`topic` is the end of its URL, `at` an instant; `patient` is empty where it may not be seen."""
    period = resource.get("period") or resource.get("executionPeriod") or {}
    meta = resource.get("meta", {})
    found = {
        "topic": topic,
        "number": str(number),
        "at": at,
        "member": f"Patient/{patient['id']}" if patient else "",
        "cin": _identifier(patient, cin_system),
        "resource": f"{resource['resourceType']}/{resource['id']}",
        "version": str(meta.get("versionId", "")),
        "status": str(resource.get("status", "")),
        "what": _what(resource),
        "start": str(period.get("start", "")),
        "end": str(period.get("end", "")),
        "place": _place(resource),
        **released_cells(resource, notice),
    }
    return {name: safe(value) for name, value in found.items()}


def _identifier(patient: Resource, system: str) -> str:
    return next((one.get("value", "") for one in patient.get("identifier", ()) if one.get("system") == system), "")


def _what(resource: Resource) -> str:
    """A visit's class, a title, or the code's words."""
    if resource["resourceType"] == "Encounter":
        return str(resource.get("class", {}).get("code", ""))
    concept: Resource = resource.get("code") or next(iter(_list(resource.get("category"))), {})
    coded = next((one.get("display") or one.get("code") for one in concept.get("coding", ())), "")
    return str(resource.get("title") or concept.get("text") or coded or "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _place(resource: Resource) -> str:
    """Where a visit is, or who is to do a Task."""
    named = resource.get("serviceProvider") or resource.get("owner") or {}
    return str(named.get("display") or named.get("reference") or "")
