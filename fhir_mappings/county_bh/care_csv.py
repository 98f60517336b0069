"""CarePlan and CareTeam -> a row of the hub's CSV for counties: what changed in the care of their clients.

Rules: docs/county-bh.md "What goes back"; 42 CFR 2.32(a)(1): the notice travels with each row that is released
under Part 2 (the resource carries the label then, hub.release). A cell that a spreadsheet would take for a
formula begins with an apostrophe.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hub.fhir.systems import CIN_SYSTEM, LEAD_CARE_MANAGER

COLUMNS = (
    "what", "id", "version", "changed", "county_client_number", "cin", "status", "start", "end", "title",
    "lead_care_manager", "participants", "labels", "consents", "notice",
)  # fmt: skip
RELATED = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-sec-label-related-artifact"
NO_REDISCLOSURE = "NORDSCLCD"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
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
        "labels": " ".join(one.get("code", "") for one in meta.get("security", ())),
        "consents": " ".join(_consents(resource)),
        "notice": notice if is_under_part2(resource) else "",
    }
    return {name: _safe(value) for name, value in found.items()}


def is_under_part2(resource: Resource) -> bool:
    """Whether it was released with the obligation not to redisclose."""
    return any(one.get("code") == NO_REDISCLOSURE for one in resource.get("meta", {}).get("security", ()))


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


def _consents(resource: Resource) -> Iterator[str]:
    for label in resource.get("meta", {}).get("security", ()):
        for extension in label.get("extension", ()):
            if extension.get("url") == RELATED:
                yield extension.get("valueRelatedArtifact", {}).get("url", "")


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
