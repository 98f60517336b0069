"""$import: resources from NDJSON, sent along or fetched from hosts that the deployment lists.

Rules: docs/bulk.md. The body is NDJSON, or Parameters with `inputFormat`, `inputSource` (who sends, kept in
nothing) and for each file an `input` with `url` (and `type`, which is not needed: each line says its own). A job
does the work with what the client may do; its report is an OperationOutcome for each line that was refused.
Refuses: no `Prefer: respond-async` (400), tokens of people (403), formats other than NDJSON, URLs of hosts that
are not listed (422: nothing is asked of them).
"""

from collections.abc import Iterator
from typing import Any

from hub.access import Access
from hub.bulk.desk import Desk
from hub.bulk.fetching import is_listed
from hub.fhir.systems import OWN
from hub.operations.begin import NDJSON, desk_of
from hub.operations.call import Begun, Call, Operation
from hub.problems import Problem

MOST_INPUTS = 1000
KNOWN = ("inputFormat", "inputSource", "input", "storageDetail")


def bulk_import(call: Call) -> Begun:
    """The job's URL."""
    desk = desk_of(call)
    _check_scopes(call.access)
    if call.raw is not None:
        return Begun(desk.imported(call.access, (), call.raw))
    return Begun(desk.imported(call.access, list(_urls(call, desk)), None))


def _check_scopes(access: Access) -> None:
    if not any(letter == "u" for _, letter in access.grants):
        raise Problem("forbidden", "The token's scopes let it update nothing")


def _urls(call: Call, desk: Desk) -> Iterator[str]:
    inputs = [node for node in _nodes(call) if node.get("name") == "input"]
    if not inputs or len(inputs) > MOST_INPUTS:
        raise Problem("required", f"$import takes NDJSON, or 1 to {MOST_INPUTS} 'input' with a 'url'", "input")
    for node in inputs:
        parts = {part.get("name"): part for part in node.get("part", ()) if isinstance(part, dict)}
        url = _text(parts.get("url", {}))
        if not is_listed(url, desk.hosts):
            raise Problem(
                "business-rule", "The URL's host is none of those that imports may fetch from", "input.url"
            )
        yield url


def _nodes(call: Call) -> list[dict[str, Any]]:
    body = call.body or {}
    nodes = body.get("parameter", [])
    if body.get("resourceType") != "Parameters":
        raise Problem("invalid", "$import takes NDJSON, or a Parameters resource", "resourceType")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise Problem("structure", "parameter is a list of objects", "Parameters.parameter")
    for node in nodes:
        if node.get("name") not in KNOWN:
            raise Problem("not-supported", f"$import has no parameter '{str(node.get('name'))[:64]}'")
        if node["name"] == "inputFormat" and _text(node) not in NDJSON:
            raise Problem("not-supported", f"inputFormat is one of {', '.join(NDJSON)}", "inputFormat")
    return nodes


def _text(node: dict[str, Any]) -> str:
    names = ("valueUrl", "valueUri", "valueString", "valueCode")
    return next((str(node[name]) for name in names if isinstance(node.get(name), str)), "")


ROWS = (
    Operation(
        "import",
        f"{OWN}OperationDefinition/import",
        ("system",),
        bulk_import,
        parameters=None,
        get_levels=(),
        begins=True,
        takes=("application/fhir+ndjson", "application/ndjson", "application/x-ndjson"),
    ),
)
