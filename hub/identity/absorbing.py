"""What a merge makes of the two Patients, and what taking it back makes of them. Pure.

Rules: https://hl7.org/fhir/R4/patient.html#links: who was merged is inactive and says by whom it is replaced;
the one who remains says whom it replaces. The identifiers go to the one who remains: a search by any of them
finds one active Patient. They stay where they are if the former Patient is more sensitive than the other one:
the number of a Part 2 program would tell everybody of it. For the same reason nobody's link names one who is more
sensitive than they are.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hub.members import REPLACED_BY, REPLACES

Resource = dict[str, Any]
Identifiers = list[dict[str, Any]]


def guards_more(other: int, one: int) -> bool:
    """Whether the labels of a Patient (-1: none yet) hide it from some who see the other one."""
    return bool(max(other, 0) & ~max(one, 0))


def linked(patient: Resource, member: str, replaces: Iterable[str], known: Collection[str]) -> Resource:
    """With the links of merges as they must be: `member` is who it is now (itself, if nobody merged it).
    `known` are all ids whose links are the hub's to take away."""
    others = [link for link in patient.get("link", ()) if not _is_of(link, known)]
    mine = [_link(REPLACES, each) for each in sorted(replaces)] if member == patient["id"] else []
    mine = mine if member == patient["id"] else [_link(REPLACED_BY, member)]
    return _with(patient, "link", [*others, *mine])


def _is_of(link: Mapping[str, Any], known: Collection[str]) -> bool:
    kind, other = link.get("type"), str(link.get("other", {}).get("reference", ""))
    return kind in (REPLACES, REPLACED_BY) and other.rpartition("/")[2] in known


def _link(kind: str, other: str) -> dict[str, Any]:
    return {"other": {"reference": f"Patient/{other}"}, "type": kind}


def without_identifiers(patient: Resource, gone: Iterable[Mapping[str, Any]]) -> Resource:
    taken = {_name(each) for each in gone}
    return _with(patient, "identifier", [one for one in identifiers(patient) if _name(one) not in taken])


def with_identifiers(patient: Resource, more: Iterable[dict[str, Any]]) -> Resource:
    return _with(patient, "identifier", [*identifiers(patient), *lacking(patient, more)])


def lacking(patient: Resource, more: Iterable[dict[str, Any]]) -> Identifiers:
    """Those that the Patient has not."""
    there = {_name(one) for one in identifiers(patient)}
    return [one for one in more if _name(one) not in there]


def without(left: Iterable[dict[str, Any]], gone: Iterable[Mapping[str, Any]]) -> Identifiers:
    taken = {_name(each) for each in gone}
    return [one for one in left if _name(one) not in taken]


def both(some: Iterable[dict[str, Any]], others: Iterable[Mapping[str, Any]]) -> Identifiers:
    """Those that are among the others, too."""
    named = {_name(each) for each in others}
    return [one for one in some if _name(one) in named]


def identifiers(patient: Mapping[str, Any]) -> Identifiers:
    return list(patient.get("identifier", ()))


def _name(identifier: Mapping[str, Any]) -> tuple[str, str]:
    return str(identifier.get("system", "")), str(identifier.get("value", ""))


def active(patient: Resource, value: Any) -> Resource:
    """`value` None: the element goes."""
    if value is None:
        return {name: each for name, each in patient.items() if name != "active"}
    return _with(patient, "active", value)


def _with(patient: Resource, name: str, value: Any) -> Resource:
    """In its place, so that a resource that is put back is the same bytes; nothing where the list is empty."""
    if value == []:
        return {each: kept for each, kept in patient.items() if each != name}
    if name in patient:
        return {each: value if each == name else kept for each, kept in patient.items()}
    return {**patient, name: value}
