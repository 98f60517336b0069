"""$expand, $validate-code, $lookup, $subsumes and $translate: the rows; an engine from above answers.

Rules: https://hl7.org/fhir/R4/valueset-operation-expand.html, valueset-operation-validate-code.html,
codesystem-operation-lookup.html, codesystem-operation-validate-code.html, codesystem-operation-subsumes.html,
conceptmap-operation-translate.html
They look at no patient's data. Who may read the type may ask; the engine also uses the other code systems, value
sets and maps that the hub knows, whichever type they have.
"""

from collections.abc import Callable

from hub.access import Access
from hub.fhir import json
from hub.operations.call import Call, Operation, Resource
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database

DEFINITION = "http://hl7.org/fhir/OperationDefinition/"
MOST = 20  # stored resources of one URL that are looked at

# type -> its operations, and the parameter that a bare resource in a body is
SERVED = {
    "ValueSet": (("expand", "validate-code"), "valueSet"),
    "CodeSystem": (("lookup", "validate-code", "subsumes"), "codeSystem"),
    "ConceptMap": (("translate",), "conceptMap"),
}


def ask(call: Call) -> bytes:
    """What the engine says; of a stored resource where the call is about one."""
    if call.engines.terminology is None:
        raise Problem("not-supported", "This hub answers no questions of terminology")
    call.access.require("read", call.type)
    instance = call.resource() if call.id else None
    return json.write(call.engines.terminology(call.operation, call.type, call.pairs, _body(call), instance))


def _body(call: Call) -> Resource | None:
    """A Parameters resource, also where the body is the resource itself."""
    body = call.body
    if body is None or body.get("resourceType") == "Parameters":
        return body
    if body.get("resourceType") != call.type:
        raise Problem("invalid", f"The body is a Parameters resource or a {call.type}", "resourceType")
    return {"resourceType": "Parameters", "parameter": [{"name": SERVED[call.type][1], "resource": body}]}


def by_url(database: Database, base: str) -> Callable[[str, str], Resource | None]:
    """How the engine finds what clients stored: the latest of a kind with that URL, which is not retired."""
    access = Access.system("terminology")

    def find(kind: str, url: str) -> Resource | None:
        query = parse(kind, [("url", url.replace("\\", "\\\\").replace(",", "\\,"))], Limits(base=base))
        with database.read() as connection:
            rows = read.page(connection, access, query, [], MOST)
        found = [json.stored(row.body) for row in rows if row.body]
        usable = [one for one in found if one.get("url") == url and one.get("status") != "retired"]
        return usable[-1] if usable else None

    return find


ROWS = tuple(
    Operation(name, f"{DEFINITION}{kind}-{name}", ("type", "instance"), ask, (kind,), None)
    for kind, (names, _) in SERVED.items()
    for name in names
)
