"""What a provider's return file and outreach tracker owe the plan, beyond what the plan's role reads over the API.

Rules: CalAIM ECM Policy Guide (2021): providers notify the plan to discontinue ECM, with the circumstance; plans
track outreach by method and success. The plan's role reads of an EpisodeOfCare and an Encounter no extensions, and
no Communication at all (docs/access.md): those may hold anything. For a file the hub reads of each no more than
these parts, of resources that say they are the member's ECM or an attempt of outreach. Whose they are, their
labels and consents are asked as for any read of this client: what it may not see is not owed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fhir_mappings.plan.workbook_terms import (
    DISCONTINUATION_EXTENSION,
    ENGAGEMENT_EXTENSION,
    METHOD_EXTENSION,
    OUTREACH,
    PROGRAM,
    REPORTED,
    STAFF_EXTENSION,
    TIME_EXTENSION,
)
from hub.access import Access
from hub.feeds.records import Resource

PLAN = "plan"  # the role
READ = ("EpisodeOfCare", "Encounter")  # what the role reads in part
ALWAYS = ("resourceType", "id", "meta", "identifier", "status")


@dataclass(frozen=True, slots=True)
class Owed:
    """`marked`: the search that finds those of a type; `elements` and extensions that go into a file."""

    marked: tuple[str, str]
    elements: tuple[str, ...]
    extensions: tuple[str, ...]

    def part(self, resource: Resource) -> Resource:
        kept = {name: value for name, value in resource.items() if name in (*ALWAYS, *self.elements)}
        told = [one for one in resource.get("extension", ()) if one.get("url") in self.extensions]
        return {**kept, **({"extension": told} if told else {})}


OWED: Mapping[str, Owed] = {
    "EpisodeOfCare": Owed(
        ("type", f"{PROGRAM}|ecm"),
        ("statusHistory", "type", "patient", "managingOrganization", "period", "careManager"),
        (DISCONTINUATION_EXTENSION, ENGAGEMENT_EXTENSION),
    ),
    "Encounter": Owed(
        ("type", f"{REPORTED}|{OUTREACH[0]}"),
        ("class", "type", "subject", "period", "length", "serviceProvider"),
        (METHOD_EXTENSION, STAFF_EXTENSION),
    ),
    "Communication": Owed(
        ("category", f"{REPORTED}|{OUTREACH[0]}"),
        ("category", "medium", "subject", "sent", "sender"),
        (METHOD_EXTENSION, STAFF_EXTENSION, TIME_EXTENSION),
    ),
}


def owed_to(access: Access) -> Mapping[str, Owed]:
    """By type; to others than a plan nothing, nor of what its token leaves out but its role reads."""
    found = OWED if access.role == PLAN else {}
    return {kind: what for kind, what in found.items() if kind not in READ or access.may("search-type", kind)}


def reading(access: Access, kind: str) -> Access:
    """The same client, reading whole resources of this type: of those `Owed.part` goes into a file."""
    elements = {name: shown for name, shown in access.sight.elements.items() if name != kind}
    grants = access.grants | {(kind, "r"), (kind, "s")}
    return replace(access, grants=grants, sight=replace(access.sight, elements=elements))
