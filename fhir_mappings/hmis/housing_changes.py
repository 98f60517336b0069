"""Observations and EpisodesOfCare of HMIS -> what changed in members' housing since a day, for the plan's files.

Rules: docs/hmis.md "Housing changes"; HUD's ranges of codes (100-199 homeless, 200-299 institution, 300-399
temporary, 400-499 permanent), 302 is transitional housing. A change is a living situation of another status
than the one before it, and an enrolment that began or ended. What HMIS does not know is no change.
Left out, whatever the caller gives: members without a release, resources with any label beside that of HMIS
(domestic violence, HIV, substance use: never on a file by default), what was entered in error.
Pure: the day, the members and whose information is released are arguments. Refuses nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.labels import HMIS
from fhir_mappings.hmis.living_situation import SITUATIONS
from hub.feeds.records import Resource
from hub.fhir.systems import CONFIDENTIALITY

SITUATION, ENROLLED, EXITED = "situation", "enrolled", "exited"
HOMELESS, TRANSITIONAL, INSTITUTION, TEMPORARY, HOUSED = (
    "homeless", "transitional", "institution", "temporary", "housed",
)  # fmt: skip
_RANGES: Final = {"1": HOMELESS, "2": INSTITUTION, "3": TEMPORARY, "4": HOUSED}
_PLACES: Final = {code_lists.system(one.codes): place for place, one in enumerate(SITUATIONS)}
_PROJECT_TYPES = code_lists.system("2.02.6")


@dataclass(frozen=True, slots=True)
class Change:
    """`member` is what the plan calls the member. `status` and `before` are of living situations only, `code` and
    `words` HUD's; for an enrolment they are the project's type."""

    member: str
    event: str
    day: str
    status: str
    before: str
    code: str
    words: str


def changes(
    resources: Iterable[Resource], since: date, members: Mapping[str, str], released: Collection[str]
) -> list[Change]:
    """What changed on that day or later. `members`: the plan's number by reference (`Patient/1`); `released`: the
    references of those whose release is valid now."""
    found: dict[str, list[Resource]] = {}
    for resource in resources:
        patient = _patient(resource)
        if patient in members and patient in released and _may_leave(resource):
            found.setdefault(patient, []).append(resource)
    told = (change for patient, some in found.items() for change in _of_member(members[patient], some))
    return sorted((one for one in told if one.day >= since.isoformat()), key=_order)


def status_of(code: str) -> str:
    """Empty for what is no place: unknown, other, deceased."""
    if code == "302":
        return TRANSITIONAL
    return _RANGES.get(code[0], "") if len(code) == 3 else ""


def _order(one: Change) -> tuple[str, ...]:
    return one.member, one.day, one.event, one.code


def _patient(resource: Resource) -> str:
    named = resource.get("subject") or resource.get("patient") or {}
    return str(named.get("reference", ""))


def _may_leave(resource: Resource) -> bool:
    labels = resource.get("meta", {}).get("security", ())
    others = [one for one in labels if one.get("system") != CONFIDENTIALITY and one.get("code") != HMIS["code"]]
    return not others and resource.get("status") != "entered-in-error"


def _of_member(member: str, resources: list[Resource]) -> Iterator[Change]:
    stays = sorted(place for one in resources if one["resourceType"] == "Observation" for place in _lived(one))
    before = ("", 0, "", "", "")
    for last, now in pairwise([before, *stays]):
        day, _, status, code, words = now
        if status != last[2]:
            yield Change(member, SITUATION, day, status, last[2], code, words)
    for one in resources:
        if one["resourceType"] == "EpisodeOfCare":
            yield from _enrolled(member, one)


def _lived(observation: Resource) -> Iterator[tuple[str, int, str, str, str]]:
    """(day, order in it, status, code, words)."""
    for coding in observation.get("valueCodeableConcept", {}).get("coding", ()):
        place, status = _PLACES.get(coding.get("system", "")), status_of(coding.get("code", ""))
        if place is not None and status:
            yield observation["effectiveDateTime"][:10], place, status, coding["code"], coding["display"]


def _enrolled(member: str, episode: Resource) -> Iterator[Change]:
    codings = (coding for kind in episode.get("type", ()) for coding in kind.get("coding", ()))
    kind: Mapping[str, Any] = next((one for one in codings if one.get("system") == _PROJECT_TYPES), {})
    told = (kind.get("code", ""), kind.get("display", ""))
    yield Change(member, ENROLLED, episode["period"]["start"][:10], "", "", *told)
    if episode["status"] == "finished":
        yield Change(member, EXITED, episode["period"]["end"][:10], "", "", *told)
