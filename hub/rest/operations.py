"""Operations over HTTP: `/$op`, `/[type]/$op`, `/[type]/[id]/$op` and those of one version, by GET and POST.

Rules: https://hl7.org/fhir/R4/operations.html#executing; hub.operations.table says which there are.
Refuses: unknown operations (404), operations of another type or level (400), methods that an operation does not
take (405 with Allow). What lenient handling leaves out is named in a Warning header (RFC 7234 section 5.5), and in
the Bundle where the answer is one.
"""

from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir.bundles import etag_version
from hub.operations.arguments import arguments
from hub.operations.call import Accepted, Begun, Call, Operation, Resource
from hub.operations.table import OPERATIONS, find
from hub.problems import Problem
from hub.rest.asked import Answer, Asked
from hub.rest.formats import media_type
from hub.rest.hub import Hub
from hub.rest.write import check_conditions

LEVELS = {
    "system": "/$<operation>",
    "type": "/<type>/$<operation>",
    "instance": "/<type>/<id>/$<operation>",
    "version": "/<type>/<id>/_history/<int:version>/$<operation>",
}
METHODS = ("POST", "PUT", "PATCH", "DELETE")


def operate(hub: Hub, asked: Asked, access: Access) -> Answer:
    """The operation's answer, or a refusal."""
    with hub.database.read() as connection:
        return operation(hub, connection, asked, access)


def operation(hub: Hub, connection: Connection, asked: Asked, access: Access, in_bundle: bool = False) -> Answer:
    """The same on a connection at hand."""
    level = _level(asked)
    row = find(asked.operation, level, asked.type)
    _check_method(row, level, asked)
    if row.begins and in_bundle:
        raise Problem("not-supported", f"${row.name} is no entry of a Bundle")
    raw = asked.body if media_type(asked.headers.get("content-type", "")) in row.takes else None
    body = asked.resource() if asked.method == "POST" and asked.body and raw is None else None
    given, ignored = _given(row, asked, body)
    call = Call(
        connection,
        hub.transactions,
        access,
        hub.base,
        hub.secret,
        hub.limits,
        hub.cursor_seconds,
        hub.now,
        hub.engines,
        row.name,
        level,
        asked.type,
        asked.id,
        asked.version,
        given,
        ignored,
        asked.pairs,
        body,
        etag_version(asked.headers.get("if-match")) if row.affects else None,
        asked.style.asked,
        audit=asked.audit,
        lenient=_is_lenient(row, asked),
        respond_async=asked.prefers("respond-async"),
        raw=raw,
    )
    served = row.serve(call)
    if isinstance(served, Begun):
        return Answer(202, b"", {"Content-Location": served.location, **_warnings(ignored)}, call.released)
    if isinstance(served, Accepted):
        return Answer(202, b"", _warnings(ignored), call.released)
    return Answer(row.status, served, _warnings(ignored), call.released)


def affects(asked: Asked) -> bool:
    """Whether the operation changes what is stored."""
    return any(row.affects for row in OPERATIONS if row.name == asked.operation)


def _level(asked: Asked) -> str:
    if asked.version is not None:
        return "version"
    return "instance" if asked.id else "type" if asked.type else "system"


def _check_method(row: Operation, level: str, asked: Asked) -> None:
    methods = row.methods(level)
    if asked.method not in methods:
        raise Problem("method", f"${row.name} takes {', '.join(methods)}", headers={"Allow": ", ".join(methods)})
    if row.affects:
        check_conditions(asked, "operation")


def _given(row: Operation, asked: Asked, body: Resource | None) -> tuple[dict[str, Any], list[str]]:
    """The parameters by name, unless the operation's engine reads them."""
    if row.parameters is None:
        return {}, []
    return arguments(row, asked.pairs, body, _is_lenient(row, asked))


def _is_lenient(row: Operation, asked: Asked) -> bool:
    return not row.affects and asked.prefer("handling") == "lenient"


def _warnings(ignored: list[str]) -> dict[str, str]:
    """Names come from the client: only what is a plain word goes into a header."""
    if not ignored:
        return {}
    named = ", ".join(name for name in ignored if name.isascii() and name.replace("-", "").isidentifier())
    return {"Warning": f'199 - "Parameters were left out: {named}"'}
