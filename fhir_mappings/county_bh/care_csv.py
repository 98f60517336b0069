"""CarePlan and CareTeam -> a row of the hub's CSV for counties: what changed in the care of their clients.

Rules: docs/county-bh.md "What goes back"; labels, consents and the notice: fhir_mappings.released_cells.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.released_cells import released_cells, safe
from hub.fhir.systems import CIN_SYSTEM, LEAD_CARE_MANAGER

COLUMNS = (
    "what", "id", "version", "changed", "county_client_number", "cin", "status", "start", "end", "title",
    "lead_care_manager", "participants", "labels", "consents", "notice",
)  # fmt: skip
Resource = Mapping[str, Any]


def care_row(
    resource: Resource, patient: Resource, county: str, notice: str, cin_system: str = CIN_SYSTEM
) -> dict[str, str]:
    """`county` is the system of the county's client numbers, `patient` empty where it may not be seen."""
    meta, period = resource.get("meta", {}), resource.get("period", {})
    found = {
        "what": {"CarePlan": "care-plan", "CareTeam": "care-team"}[resource["resourceType"]],
        "id": resource["id"],
        "version": str(meta.get("versionId", "")),
        "changed": meta.get("lastUpdated", ""),
        "county_client_number": _identifier(patient, county),
        "cin": _identifier(patient, cin_system),
        "status": resource.get("status", ""),
        "start": period.get("start", ""),
        "end": period.get("end", ""),
        "title": resource.get("title") or resource.get("name") or "",
        "lead_care_manager": "; ".join(_names(resource, lead=True)),
        "participants": "; ".join(_names(resource, lead=False)),
        **released_cells(resource, notice),
    }
    return {name: safe(value) for name, value in found.items()}


def _identifier(patient: Resource, system: str) -> str:
    return next((one.get("value", "") for one in patient.get("identifier", ()) if one.get("system") == system), "")


def _names(resource: Resource, lead: bool) -> Iterator[str]:
    for participant in resource.get("participant", ()):
        codes = [(one.get("system"), one.get("code")) for role in participant.get("role", ())
                 for one in role.get("coding", ())]  # fmt: skip
        member = participant.get("member", {})
        name = member.get("display") or member.get("reference", "")
        if name and (LEAD_CARE_MANAGER in codes) == lead:
            yield name
