"""The rules between a resource and the resources it contains.

Rules: https://hl7.org/fhir/R4/domainresource.html dom-2 (none inside a contained one), dom-3 (each is
referred to), dom-4 (no version, no lastUpdated), dom-5 (no security label);
https://hl7.org/fhir/R4/references.html ref-1 (what #x refers to is there)
"""

from collections.abc import Iterable, Iterator
from typing import Any

from conformance.validation.findings import where
from conformance.validation.walk import Trail, Walk, steps
from hub.fhir.json import strings
from hub.problems import Issue

Resource = dict[str, Any]


def check(resource: Resource, trail: Trail, walks: Iterable[Walk]) -> Iterator[Issue]:
    """Issues of one resource; `walks` are its own and those of its contained resources."""
    contained: list[Resource] = resource.get("contained", [])
    ids = [inner.get("id") for inner in contained]
    for name, trail_of_name in (local for found in walks for local in found.local):
        if name and name not in ids:
            yield _invariant("ref-1: no contained resource has the id referred to", trail_of_name)
    if not contained:
        return
    used = {text for text in strings(resource) if text[:1] == "#"}
    for place, inner in enumerate(contained):
        at = ((trail, "contained"), place)
        for message in _broken(inner, used, ids[:place]):
            yield _invariant(message, at)


def _broken(inner: Resource, used: set[str], ids_before: list[Any]) -> Iterator[str]:
    meta = inner.get("meta", {})
    if "contained" in inner:
        yield "dom-2: a contained resource may not contain resources"
    if f"#{inner.get('id')}" not in used and "#" not in strings(inner):
        yield "dom-3: nothing refers to the contained resource, and it does not refer to its container"
    if "versionId" in meta or "lastUpdated" in meta:
        yield "dom-4: a contained resource has no versionId and no lastUpdated"
    if "security" in meta:
        yield "dom-5: a contained resource has no security label"
    if "id" in inner and inner["id"] in ids_before:
        yield "Two contained resources have the same id"


def _invariant(message: str, trail: Trail) -> Issue:
    return Issue("invariant", message, where(steps(trail)))
