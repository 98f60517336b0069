"""What is stored of one member, asked for by what it says. Pure.

A date-time counts as the day that it says: files of the plan hold days of California, and who wrote the resource
wrote its own day.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.feeds.records import Resource
from hub.fhir.systems import CIN_SYSTEM, LEAD_CARE_MANAGER


@dataclass(frozen=True, slots=True)
class Report:
    """For whom, by whom and about which days. `provider` and `plan` are Organizations; the systems are URIs of
    identifiers. `produced` is the day on which the file is made."""

    provider: Resource
    plan: Resource
    start: str
    end: str
    produced: str
    cin_system: str = CIN_SYSTEM
    mrn_system: str = ""
    authorization_system: str = ""

    @property
    def reference(self) -> str:
        return f"Organization/{self.provider.get('id', '')}"

    def covers(self, day: str) -> bool:
        return self.start <= day <= self.end


@dataclass(frozen=True, slots=True)
class Chart:
    """`others`: Practitioners and PractitionerRoles by `Type/id`."""

    patient: Resource
    resources: Sequence[Resource]
    others: Mapping[str, Resource] = field(default_factory=dict)

    def of(self, kind: str) -> Iterator[Resource]:
        """In order of what was written last."""
        found = [one for one in self.resources if one["resourceType"] == kind and not _is_void(one)]
        return iter(sorted(found, key=lambda one: one.get("meta", {}).get("lastUpdated", "")))

    def with_code(self, kind: str, element: str, system: str, code: str = "") -> Iterator[Resource]:
        return (one for one in self.of(kind) if code_of(one.get(element), system, code))


def _is_void(resource: Resource) -> bool:
    return resource.get("status") == "entered-in-error"


def code_of(concepts: Any, system: str, code: str = "") -> str:
    """The code of this system in a concept, or in a list of them; with `code` that one only."""
    for concept in concepts if isinstance(concepts, list) else (concepts,):
        for coding in (concept or {}).get("coding", ()):
            if coding.get("system") == system and (not code or coding.get("code") == code):
                return str(coding.get("code", ""))
    return ""


def number(resource: Resource, system: str) -> str:
    """Its identifier of this system."""
    found = (
        one.get("value", "") for one in resource.get("identifier", ()) if system and one.get("system") == system
    )
    return next(found, "")


def extension(resource: Resource, url: str) -> Any:
    """The value of an extension, or None."""
    for one in resource.get("extension", ()):
        if one.get("url") == url:
            return next((value for name, value in one.items() if name.startswith("value")), None)
    return None


def day(moment: Any) -> str:
    return str(moment or "")[:10]


def when(resource: Resource) -> str:
    """The last day of an Encounter, Procedure, Observation or Communication."""
    for name in ("period", "performedPeriod", "effectivePeriod"):
        span = resource.get(name) or {}
        if span:
            return day(span.get("end") or span.get("start"))
    names = ("performedDateTime", "effectiveDateTime", "sent")
    return next((day(resource[name]) for name in names if resource.get(name)), "")


def latest(days: Iterator[str]) -> str:
    return max((one for one in days if len(one) == 10), default="")


def points_at(reference: Any, target: str) -> bool:
    return bool(target) and isinstance(reference, dict) and str(reference.get("reference", "")).endswith(target)


def lead_of(chart: Chart) -> tuple[Resource, str]:
    """The lead care manager's entry in the newest active CareTeam, with the name it shows; empty where none is."""
    for team in reversed([one for one in chart.of("CareTeam") if one.get("status") == "active"]):
        for participant in team.get("participant", ()):
            if code_of(participant.get("role"), *LEAD_CARE_MANAGER) and "end" not in participant.get("period", {}):
                who = participant.get("member", {})
                return chart.others.get(str(who.get("reference", "")), {}), str(who.get("display", ""))
    return {}, ""


def telecom(resource: Resource, system: str) -> str:
    found = (one.get("value", "") for one in resource.get("telecom", ()) if one.get("system") == system)
    return next(found, "")


def named(resource: Resource) -> str:
    """A person's or an organization's name as one text."""
    name = resource.get("name", "")
    if isinstance(name, str):
        return name
    first: Resource = next(iter(name), {})
    return str(first.get("text") or " ".join([*first.get("given", ()), first.get("family", "")]).strip())
