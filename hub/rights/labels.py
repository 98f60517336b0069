"""How sensitive a resource is: a mask of labels, from what it says and from where it comes.

Rules: docs/labels.md; https://hl7.org/fhir/R4/security-labels.html; DS4P 1.0.0
(http://hl7.org/fhir/uv/security-label-ds4p): labels are assigned when data comes in.
A code alone marks what is sensitive; what makes a Part 2 record is its source. What is nested (contained,
entries of a Bundle, Parameters) counts with what holds it. A resource of a directory type says nothing of a
patient: only labels which it was given count. Labels are never taken away: `with_labels` adds, `raised` joins.
"""

from collections.abc import Iterable
from typing import Any

from hub.rights.directory import DIRECTORY
from hub.rights.label_table import (
    ALL_BITS,
    BITS,
    CONFIDENTIALITY,
    COUNSELLING,
    HIV,
    HMIS,
    LABELS,
    OTHER,
    PART2,
    PSY,
    PSYTHPN,
    RANKS,
    RESTRICTED,
    SDV,
    SEX,
    STD,
    SUD,
    SUD_BITS,
    SYSTEMS,
    closed,
    confidentiality,
    is_confidentiality,
    marked,
)
from hub.rights.part2 import NO_PART2, Part2Sources, without_notice

__all__ = [
    "ALL_BITS", "BITS", "COUNSELLING", "HIV", "HMIS", "LABELS", "NO_PART2", "OTHER", "PART2", "PSY", "PSYTHPN",
    "SDV", "SEX", "STD", "SUD", "SUD_BITS", "Part2Sources", "closed", "coded", "codings_of", "labels_of",
    "mask_of", "raised", "with_labels",
]  # fmt: skip

Resource = dict[str, Any]


def mask_of(codings: Iterable[Any]) -> int:
    """The labels of security labels: of `meta.security`, of a Consent's `securityLabel`. `R` alone is OTHER."""
    return _settled(marked(codings))


def raised(held: int, found: int) -> int:
    """The labels of a resource that has some: nothing goes away."""
    return closed((held | found) & ALL_BITS)


def labels_of(resource: Resource, source: str, part2: Part2Sources) -> int:
    """The labels of a resource that `source` (a reference to an organization, or a client) writes."""
    if resource.get("resourceType") in DIRECTORY:
        return _settled(_given(resource))
    mask = _of(resource, part2)
    if is_program(source, part2):
        mask |= PART2
    return _settled(mask)


def is_program(source: str, part2: Part2Sources) -> bool:
    """Whether whoever writes is a program under 42 CFR Part 2."""
    return bool(part2 and source and part2.named(source))


def coded(resource: Resource) -> int:
    """The labels of what a resource says, whatever its type: of a Medication, itself in the directory, for the
    MedicationRequest that refers to it."""
    return _settled(_of(resource, NO_PART2))


def _settled(mask: int) -> int:
    """`R` for which there is no reason is guarded as if everything could be its reason."""
    return closed(OTHER if mask == RESTRICTED else mask & ALL_BITS)


def _of(resource: Resource, part2: Part2Sources) -> int:
    """The labels of a resource and of what is in it, and perhaps RESTRICTED."""
    mask = _walked(resource, part2)
    if resource.get("resourceType") == "Consent":  # it names what it is about: also what nobody knows
        mask &= ~(OTHER | RESTRICTED)
    mask |= _given(resource)
    return mask | PART2 if part2 and _is_programs(resource, part2) else mask


def _given(resource: Resource) -> int:
    """The security labels of the resource itself; of a DocumentReference and a Composition also those of the
    document which it describes. Here everything counts that no table has."""
    meta = resource.get("meta")
    mask = marked(_list(meta.get("security"))) if isinstance(meta, dict) else 0
    kind = resource.get("resourceType")
    if kind == "DocumentReference":
        for concept in _list(resource.get("securityLabel")):
            mask |= marked(_list(concept.get("coding"))) if isinstance(concept, dict) else 0
    elif kind == "Composition" and "confidentiality" in resource:
        mask |= marked([{"system": CONFIDENTIALITY, "code": resource["confidentiality"]}])
    return mask


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _walked(resource: Resource, part2: Part2Sources) -> int:
    """One walk over all that is inside. A nested resource is looked at by itself: the reason for its `R` is in it.
    This runs at every write: what it asks of each node is as little as can be."""
    mask = 0
    programs = bool(part2)
    systems = SYSTEMS
    stack: list[Any] = list(resource.values())
    while stack:
        node = stack.pop()
        kind = node.__class__
        if kind is dict:
            if "resourceType" in node:
                inner = _of(node, part2)
                mask |= OTHER if inner == RESTRICTED else inner & ALL_BITS
                continue
            system = node.get("system")
            if system.__class__ is str and system in systems:
                mask |= systems[system].mask(node.get("code"), node.get("display"))
            if programs and ("reference" in node or "value" in node) and _names_program(node, part2):
                mask |= PART2
            stack.extend(node.values())
        elif kind is list:
            stack.extend(node)
    return mask


def _names_program(node: Resource, part2: Part2Sources) -> bool:
    reference = node.get("reference")
    if isinstance(reference, str) and part2.named(reference):
        return True
    return bool(part2.identifiers) and f"{node.get('system')}|{node.get('value')}" in part2.identifiers


def _is_programs(resource: Resource, part2: Part2Sources) -> bool:
    """It came by a program's feed, or is the program itself (inside something else)."""
    meta = resource.get("meta")
    source = meta.get("source") if isinstance(meta, dict) else None
    if isinstance(source, str) and part2.named(source):
        return True
    return f"{resource.get('resourceType')}/{resource.get('id')}" in part2.names


def with_labels(resource: Resource, mask: int) -> Resource:
    """The resource with a security label for each of these labels, and one confidentiality: the highest of those it
    has and those that its labels imply. What the hub added when it released a copy is left off again. The same
    object, if there is nothing to do."""
    plain = without_notice(resource)
    mask = closed(mask & ALL_BITS)
    if not mask:
        return plain
    meta = plain.get("meta") or {}
    held = _list(meta.get("security"))
    security = _one_confidentiality(held, confidentiality(mask)) + _codings(mask & ~marked(held))
    return plain if security == held else {**plain, "meta": {**meta, "security": security}}


def codings_of(mask: int) -> list[Resource]:
    """These labels as security labels: one each, behind the confidentiality that they imply."""
    mask = closed(mask & ALL_BITS)
    return [_confidential(confidentiality(mask)), *_codings(mask)] if mask else []


def _codings(mask: int) -> list[Resource]:
    """COUNSELLING is said by two others, OTHER by `V`."""
    said = (label for label in LABELS if label.bit & mask and label.codes and label.bit != OTHER)
    return [{"system": label.system, "code": label.codes[0]} for label in said]


def _confidential(code: str) -> Resource:
    return {"system": CONFIDENTIALITY, "code": code}


def _one_confidentiality(held: list[Any], least: str) -> list[Any]:
    """The labels that are there, in their order, with one confidentiality among them."""
    ranks = {place: RANKS[coding["code"]] for place, coding in enumerate(held) if is_confidentiality(coding)}
    highest = max(ranks, key=lambda place: ranks[place], default=None)
    is_enough = highest is not None and ranks[highest] >= RANKS[least]
    kept = [coding for place, coding in enumerate(held) if place not in ranks or (is_enough and place == highest)]
    return kept if is_enough else [*kept, _confidential(least)]
