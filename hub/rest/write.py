"""create, update, patch and delete, plain and conditional.

Rules: https://hl7.org/fhir/R4/http.html#create, #ccreate, #update, #cond-update, #patch, #delete, #3.1.0.7.1
"""

from hub.access import Access
from hub.fhir.bundles import Entry, Patch, etag_version
from hub.problems import Problem
from hub.rest.asked import Answer, Asked, written
from hub.rest.hub import Hub
from hub.transactions import Result, single

PATCH_JSON = "application/json-patch+json"
# they ask the server not to write: leaving them out would write what the client meant to prevent
NOT_DONE = ("if-none-match", "if-modified-since", "if-unmodified-since")


def create(hub: Hub, asked: Asked, access: Access) -> Answer:
    """201, or 200 where If-None-Exist finds the one that is there already."""
    asked.no_parameters()
    condition = asked.headers.get("if-none-exist", "").lstrip("?")
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

    if asked.headers.get("content-type", "").partition(";")[0].strip().lower() == PATCH_JSON:
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
    for name in NOT_DONE:
        if name in asked.headers:
            raise Problem("not-supported", f"{name} is not supported on a write", name)
    (result,) = hub.transactions.commit([entry], access)
    return told(hub, asked, access, entry, result)


def told(hub: Hub, asked: Asked, access: Access, entry: Entry, result: Result) -> Answer:
    """The answer to a write. Who may change but not read sees what they sent, and a patch is less than that."""
    answer = written(asked, hub.base, result.status, result.stored)
    if entry.method == "PATCH" and not access.may("read", entry.type):
        return Answer(answer.status, b"", answer.headers)
    return answer
