"""create, update, patch and delete, plain and conditional.

Rules: https://hl7.org/fhir/R4/http.html#create, #ccreate, #update, #cond-update, #patch, #delete, #3.1.0.7.1
Refuses: conditions in headers that the interaction does not look at (LOOKED_AT), and an empty one.
"""

from hub.access import Access
from hub.audit.recorder import riding
from hub.fhir.bundles import Entry, Patch, etag_version, none_exist
from hub.leaving import one
from hub.problems import Problem
from hub.rest.asked import Answer, Asked, written
from hub.rest.formats import media_type
from hub.rest.hub import Hub
from hub.transactions import INTERACTION, Result, single

PATCH_JSON = "application/json-patch+json"
BODILESS = ("minimal", "OperationOutcome")  # an unknown preference is none (RFC 7240): the resource is answered
# headers that ask the server not to write, and the one that each interaction looks at: leaving out another one
# would write what the client meant to prevent
CONDITIONS = ("if-match", "if-none-exist", "if-none-match", "if-modified-since", "if-unmodified-since")
LOOKED_AT = {
    "create": "if-none-exist",
    "update": "if-match",
    "patch": "if-match",
    "delete": "if-match",
    "operation": "if-match",  # of those that change what is stored
    "transaction": "",  # its entries have their own
}


def create(hub: Hub, asked: Asked, access: Access) -> Answer:
    """201, or 200 where If-None-Exist finds the one that is there already."""
    asked.no_parameters()
    condition = none_exist(asked.headers.get("if-none-exist"))
    entry = single("POST", asked.type, resource=asked.resource(), if_none_exist=condition)
    return _done(hub, asked, access, entry)


def update(hub: Hub, asked: Asked, access: Access) -> Answer:
    """200, or 201 where the id was free; 412 where If-Match is stale."""
    asked.check_id()
    asked.no_parameters()
    expected = etag_version(asked.headers.get("if-match"))
    entry = single("PUT", asked.type, id=asked.id, resource=asked.resource(), if_match=expected)
    return _done(hub, asked, access, entry)


def conditional_update(hub: Hub, asked: Asked, access: Access) -> Answer:
    """Update the one that the search finds, create where it finds none, 412 where it finds several."""
    if not asked.query:
        raise Problem("method", "PUT on a type needs a condition", headers={"Allow": "GET, POST"})
    expected = etag_version(asked.headers.get("if-match"))
    entry = single("PUT", asked.type, query=asked.query, resource=asked.resource(), if_match=expected)
    return _done(hub, asked, access, entry)


def patch(hub: Hub, asked: Asked, access: Access) -> Answer:
    """200; 404 where there is nothing to patch, 412 where If-Match is stale."""
    asked.check_id()
    asked.no_parameters()
    expected = etag_version(asked.headers.get("if-match"))
    return _done(
        hub, asked, access, single("PATCH", asked.type, id=asked.id, patch=_patch(asked), if_match=expected)
    )


def conditional_patch(hub: Hub, asked: Asked, access: Access) -> Answer:
    """Patch the one that the search finds; 404 where it finds none, 412 where it finds several."""
    if not asked.query:
        raise Problem("method", "PATCH on a type needs a condition", headers={"Allow": "GET, POST"})
    expected = etag_version(asked.headers.get("if-match"))
    entry = single("PATCH", asked.type, query=asked.query, patch=_patch(asked), if_match=expected)
    return _done(hub, asked, access, entry)


def _patch(asked: Asked) -> Patch:
    """JSON Patch by its media type, otherwise FHIRPath Patch."""
    from hub.fhir import patches

    if media_type(asked.headers.get("content-type", "")) == PATCH_JSON:
        return patches.of_json(asked.body)
    sent = asked.resource()
    if sent.get("resourceType") != "Parameters":
        raise Problem("invalid", f"A patch is {PATCH_JSON}, or a Parameters resource", "resourceType")
    return patches.of_resource(sent)


def delete(hub: Hub, asked: Asked, access: Access) -> Answer:
    """204, also where there was nothing."""
    asked.check_id()
    asked.no_parameters()
    expected = etag_version(asked.headers.get("if-match"))
    return _done(hub, asked, access, single("DELETE", asked.type, id=asked.id, if_match=expected))


def conditional_delete(hub: Hub, asked: Asked, access: Access) -> Answer:
    """Delete the one that the search finds, or all it finds where HUB_CONDITIONAL_DELETE says so; else 412."""
    if not asked.query:
        raise Problem("method", "DELETE on a type needs a condition", headers={"Allow": "GET, POST"})
    expected = etag_version(asked.headers.get("if-match"))
    return _done(hub, asked, access, single("DELETE", asked.type, query=asked.query, if_match=expected))


def _done(hub: Hub, asked: Asked, access: Access, entry: Entry) -> Answer:
    check_conditions(asked, INTERACTION[entry.method])
    (result,) = hub.transactions.commit([entry], access, audit=riding(asked.audit, [entry], access))
    if asked.audit:
        asked.audit.committed()
    return told(hub, asked, access, result)


def told(hub: Hub, asked: Asked, access: Access, result: Result) -> Answer:
    """The answer to a write, with the resource as the client may see it."""
    stored = result.stored
    if stored is not None and not access.sight.everything and asked.prefer("return") not in BODILESS:
        with hub.database.read() as connection:
            stored = one(connection, access, stored, hub.base)
        if stored is None:  # written, and closed to its writer by now
            return Answer(result.status)
    return written(asked, hub.base, result.status, stored)


def check_conditions(asked: Asked, interaction: str) -> None:
    """Raises Problem where a condition was sent that the interaction does not look at."""
    for name in CONDITIONS:
        if name != LOOKED_AT[interaction] and name in asked.headers:
            raise Problem("not-supported", f"{name} is not supported on {interaction}", name)
