"""What a page tells of a referral, in words: who is it for, what is asked, by whom, where does it stand. Pure.

Rules: hub.leaving has taken away what the reader may not see: what is not there is left out, nothing is guessed.
42 CFR 2.32(a)(1): what leaves under Part 2 has the notice with it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hub.referrals.terms import Node, Resource, reason
from hub.rights.part2 import NO_REDISCLOSURE, NOTICE

LONGEST = 2000  # characters of a value


class Fact(NamedTuple):
    label: str
    text: str


def facts(resources: Mapping[str, Resource]) -> Iterator[Fact]:
    """`resources` by reference, the Task first."""
    for label, text in _facts(list(resources.values())):
        if text:
            yield Fact(label, text[:LONGEST])


def _facts(resources: list[Resource]) -> Iterator[tuple[str, str]]:
    task = resources[0]
    request: Node = _of(resources, "ServiceRequest")
    member: Node = _of(resources, "Patient")
    asks: Node = next(
        (one for one in resources[1:] if one["resourceType"] not in ("ServiceRequest", "Patient")), {}
    )
    yield "What is asked", _concept(request.get("code"))
    yield "Priority", str(task.get("priority") or request.get("priority", ""))
    yield "Asked by", _name(asks) or str(task.get("requester", {}).get("display", ""))
    yield "Asked on", str(task.get("authoredOn", ""))[:10]
    yield "Who it is for", _name(member)
    yield "Born", str(member.get("birthDate", ""))
    yield (
        "Telephone and mail",
        ", ".join(str(one["value"]) for one in member.get("telecom", ()) if one.get("value")),
    )
    yield "Address", "; ".join(filter(None, map(_address, member.get("address", ()))))
    yield "Language", ", ".join(_concept(one.get("language")) for one in member.get("communication", ()))
    yield "Reason that was given", reason(task)
    yield "Last change", str(task.get("lastModified", ""))[:10]
    yield "Notice", NOTICE if any(map(is_under_part2, resources)) else ""


def is_under_part2(resource: Resource) -> bool:
    """Whether it left with the obligation not to redisclose (hub.release)."""
    security = resource.get("meta", {}).get("security", ())
    return any(one.get("code") == NO_REDISCLOSURE for one in security)


def _of(resources: list[Resource], kind: str) -> Node:
    return next((one for one in resources[1:] if one["resourceType"] == kind), {})


def _concept(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    codings = concept.get("coding", ())
    shown = next((one["display"] for one in codings if one.get("display")), "")
    return str(concept.get("text") or shown or next((one["code"] for one in codings if one.get("code")), ""))


def _name(resource: Node) -> str:
    """Of an organization, or of a person: the official name, else the first."""
    names = resource.get("name", "")
    if isinstance(names, str):
        return names
    name = next((one for one in names if one.get("use") == "official"), names[0] if names else {})
    return str(name.get("text") or " ".join((*name.get("given", ()), name.get("family", ""))).strip())


def _address(address: Node) -> str:
    city = " ".join(str(address[name]) for name in ("city", "state", "postalCode") if address.get(name))
    return str(address.get("text") or ", ".join(filter(None, (*address.get("line", ()), city))))
