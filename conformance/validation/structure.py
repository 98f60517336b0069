"""Whether a resource is a FHIR R4 resource: elements, types, cardinalities, codes, references, narrative.

Rules: https://hl7.org/fhir/R4/json.html, /datatypes.html, /references.html; the StructureDefinitions of R4 4.0.1
First the JSON Schema of its type (Rust); only what holds it is walked for the rules that a schema cannot say.
Then the invariants of R4 (conformance.validation.invariants).
Refuses by Issues, whose text never holds content. Not here: profiles, terminology beyond required codes.
"""

from typing import Any

from conformance.validation import contained, invariants, schema
from conformance.validation.findings import issue, where
from conformance.validation.walk import Trail, Walk, steps, walk
from hub.problems import KINDS, Issue

Resource = dict[str, Any]

MAX_ISSUES = 20


def validate(
    resource: Resource, expected_type: str | None = None, *, conditional_references: bool = False
) -> list[Issue]:
    """The issues of a resource and of all resources inside it (at most 20); empty when it is sound.

    `expected_type`: the type in the URL. `conditional_references`: true inside a transaction, where
    `Patient?identifier=...` stands for a resource to be found.
    """
    issues = _misnamed(resource, expected_type, ())
    if not issues:
        issues = _resource(resource, ((), resource["resourceType"]), conditional_references)
    return _first(issues) if issues else issues


def validate_bundle_shell(bundle: Resource, *, conditional_references: bool = False) -> list[Issue]:
    """The issues of a Bundle without those of its entries' resources, which the caller validates one by one."""
    issues = _misnamed(bundle, "Bundle", ())
    if not issues:
        issues, _ = _own(bundle, ((), "Bundle"), conditional_references)
    return _first(issues)


def _misnamed(resource: Resource, expected_type: str | None, trail: Trail) -> list[Issue]:
    name = resource.get("resourceType")
    if not isinstance(name, str) or name not in schema.resource_types():
        return [Issue("structure", "resourceType is not an R4 resource type", where(steps(trail)))]
    if expected_type is not None and name != expected_type:
        return [Issue("invalid", f"The resource is a {name}, not a {expected_type}", name)]
    return []


def _own(resource: Resource, trail: Trail, conditional: bool) -> tuple[list[Issue], Walk | None]:
    """The issues of one resource, and the walk if its schema holds; resources inside it not entered."""
    name = resource["resourceType"]
    if not schema.is_valid(name, resource):
        prefix = steps(trail)
        return [issue(error, prefix) for error in schema.errors(name, resource)], None
    found = walk(resource, trail, conditional)
    return found.issues, found


def _resource(resource: Resource, trail: Trail, conditional: bool) -> list[Issue]:
    issues, found = _own(resource, trail, conditional)
    if found is None:
        return issues
    issues += invariants.check(resource, resource, trail, found.extensions)
    if not (found.nested or found.local):
        return issues
    walks = [found]
    for inner, place in found.nested:
        if misnamed := _misnamed(inner, None, place):
            issues += misnamed
        elif "contained" in steps(place)[-2:]:
            inner_issues, inner_walk = _own(inner, place, conditional)
            issues += inner_issues
            issues += invariants.check(inner, resource, place, inner_walk.extensions) if inner_walk else []
            walks += [inner_walk] if inner_walk else []
        else:
            issues += _resource(inner, place, conditional)
    return [*issues, *contained.check(resource, trail, walks)]


def _first(issues: list[Issue]) -> list[Issue]:
    """Without repetitions; what cannot be read (400) before what breaks a rule (422); then by place."""
    return sorted(set(issues), key=_rank)[:MAX_ISSUES]


def _rank(found: Issue) -> tuple[int, str, str, str]:
    return KINDS[found.kind].status, found.where, found.kind, found.message
