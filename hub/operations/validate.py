"""$validate: whether a resource holds the base specification and its profiles, and could be written.

Rules: https://hl7.org/fhir/R4/resource-operation-validate.html
200 whether it is valid or not: the OperationOutcome says so. With `mode` also whether the client may do it.
Refuses (4xx: not validated): a profile that no loaded package has, a call without a resource, an unknown mode,
update and delete without an id.
"""

from collections.abc import Iterator

from hub.fhir import json
from hub.operations.call import Call, Operation, Parameter, Resource
from hub.problems import Issue, Problem, outcome

MODES = ("create", "update", "delete", "profile")
ALL_FINE = Issue("informational", "No issues were found", severity="information")


def validate(call: Call) -> bytes:
    """An OperationOutcome."""
    if call.engines.validation is None:
        raise Problem("not-supported", "This hub does not validate on request")
    mode, profile = call.given.get("mode", ""), call.given.get("profile")
    _check_mode(call, mode, profile)
    _check_access(call)
    held = call.resource() if call.id else None
    found = list(_rights(call, mode))
    if mode != "delete":
        resource = call.given.get("resource", held)
        if resource is None:
            raise Problem("required", "There is no resource to be validated", "resource")
        if profile and not call.engines.validation().knows(profile):
            raise Problem("unresolved", "No loaded package has this profile: nothing was validated", "profile")
        found += _identity(call, mode, resource)
        found += call.engines.validation().validate(resource, profile)
    return json.write(outcome(found or [ALL_FINE]))


def _check_mode(call: Call, mode: str, profile: str | None) -> None:
    if mode and mode not in MODES:
        raise Problem("value", f"mode is one of {', '.join(MODES)}", "mode")
    if mode in ("update", "delete") and not call.id:
        raise Problem("invalid", f"mode {mode} is asked at [type]/[id]/$validate", "mode")
    if mode == "profile" and not profile:
        raise Problem("required", "mode profile needs the parameter 'profile'", "profile")


def _check_access(call: Call) -> None:
    """Who may do nothing with a type, has nothing to validate. A stored resource is read as always."""
    if not any(call.access.may(one, call.type) for one in ("create", "update", "read")):
        call.access.require("create", call.type)


def _rights(call: Call, mode: str) -> Iterator[Issue]:
    if mode in ("create", "update", "delete") and not call.access.may(mode, call.type):
        yield Issue("forbidden", f"The token's scopes do not cover {mode} of {call.type}")


def _identity(call: Call, mode: str, resource: Resource) -> Iterator[Issue]:
    if resource.get("resourceType") != call.type:
        yield Issue("invalid", f"The URL says {call.type}, the resource is another type", "resourceType")
    elif mode == "update" and resource.get("id") != call.id:
        yield Issue("invalid", "The resource's id is missing or not the URL's", f"{call.type}.id")


_PARAMETERS = (Parameter("resource", "Resource"), Parameter("mode", "code"), Parameter("profile", "uri"))
ROWS = (
    Operation(
        "validate",
        "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        ("type", "instance"),
        validate,
        parameters=_PARAMETERS,
        resource="resource",
        get_levels=("instance",),
    ),
)
