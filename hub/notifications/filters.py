"""What a Subscription narrows its topic by: search parameters of the resource, and panels.

Rules: backport-filter-criteria `Type?param=value&param=value`
(https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-filter-criteria.html);
several of them all hold, values with commas are alternatives. Membership: Group.member
(https://hl7.org/fhir/R4/group-definitions.html#Group.member).
Refuses: another type than the topic's, parameters that are not in the topic's table (`business-rule`), values
that do not parse (`value`), modifiers.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import Connection

from hub.notifications.rosters import roster
from hub.notifications.topics import MEMBER, PANEL, Topic
from hub.problems import Problem
from hub.search import merged
from hub.search.criterion import Criterion, criterion
from hub.search.edges import address
from hub.search.match import matches
from hub.search.values import references
from hub.store import merges
from hub.store.listed import groups_naming

LONGEST = 4096
MOST = 20
MOST_GROUPS = 1000  # that one person is listed in
GROUP = re.compile(r"^Group/([A-Za-z0-9.\-]{1,64})$")

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """Ids of Groups; the subject is an active member of at least one."""

    groups: frozenset[str]


Condition = Criterion | Panel


def conditions(topic: Topic, text: str, base: str = "") -> list[Condition]:
    """The conditions in one filter-criteria. Raises Problem."""
    resource_type, _, query = text.partition("?")
    if resource_type != topic.type or not query or len(text) > LONGEST:
        raise Problem("business-rule", f"A filter on this topic reads {topic.type}?parameter=value")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST)
    except ValueError:
        raise Problem("value", f"A filter holds at most {MOST} parameters, each as name=value") from None
    return [_condition(topic, name, value, base) for name, value in pairs]


def _condition(topic: Topic, name: str, value: str, base: str) -> Condition:
    if name not in topic.filters:
        known = ", ".join(topic.filters)
        raise Problem("business-rule", f"This topic is filtered by {known} only, without modifiers")
    if name != PANEL:
        return criterion(topic.type, name, value, base)
    groups = [GROUP.match(part) for part in value.split(",")]
    if not all(groups):
        raise Problem("value", "'panel' takes Group/id")
    return Panel(frozenset(found[1] for found in groups if found))


def holds(wanted: Iterable[Condition], resource: Resource, panels: frozenset[str], base: str = "") -> bool:
    """Every condition holds for a resource whose subject is in these panels."""
    criteria = []
    for condition in wanted:
        if isinstance(condition, Panel):
            if not condition.groups & panels:
                return False
        else:
            criteria.append(condition)
    return matches(criteria, dict(resource), base)


def holds_shown(connection: Connection, wanted: Iterable[Condition], shown: dict[str, Any], base: str = "") -> bool:
    """Whether the search parameters hold for the part of a resource that somebody is shown, too: else a notice
    would tell what stands in the other part. Who is a member of a panel was asked before."""
    criteria = [condition for condition in wanted if not isinstance(condition, Panel)]
    return not criteria or matches(criteria, of_member(connection, shown, base), base)


def named(wanted: Iterable[Condition]) -> frozenset[str]:
    """Ids of the Groups that these conditions name."""
    panels = (condition.groups for condition in wanted if isinstance(condition, Panel))
    return frozenset(group for groups in panels for group in groups)


def panels_of(
    connection: Connection, resource: Resource, now: int, base: str, among: Iterable[str]
) -> frozenset[str]:
    """Of these Groups (ids) those that the resource's subject is an active member of at this moment
    (microseconds)."""
    patient, wanted = member(resource, base), frozenset(among)
    listed = groups_naming(connection, patient, MOST_GROUPS) if patient and wanted else ()
    asked = (each for each in listed if each.id in wanted)
    return frozenset(each.id for each in asked if roster(connection, each, base).holds(patient, now))


def member(resource: Resource, base: str = "") -> str:
    """The id of the Patient that it is about; empty where nobody is. Who was merged is the member now."""
    if resource["resourceType"] == "Patient":
        return merged.member_of(resource["id"])
    found = list(references(resource.get(MEMBER[resource["resourceType"]]), base))
    return found[0][1] if found and found[0][0] == "Patient" else ""


def of_member(connection: Connection, resource: dict[str, Any], base: str = "") -> dict[str, Any]:
    """The same, with who its subject is now: an event of somebody who was merged since is the member's. Where
    nobody was ever merged, nothing is asked."""
    patient, place = member(resource, base), MEMBER.get(resource["resourceType"])
    if not patient or place is None or not merged.are_there():
        return resource
    now = merges.members(connection, [address("Patient", patient)]).values()
    return {**resource, place: {"reference": f"Patient/{next(iter(now))}"}} if now else resource
