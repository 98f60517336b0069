"""A door beside the FHIR API: another format, with the hub's guard, limits, audit and refusals.

Rules: docs/adr/0005 (who asks is settled before a body is read); RFC 9110 section 15; docs/audit.md.
What answers comes from above (hub.rest.doors) and knows nothing of the web.
Refuses: what the guard, the limits and `Beside` itself refuse, as OperationOutcomes like everywhere else; other
methods (405); a body past `most` (413); an answer that cannot be recorded (503).
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from hub.audit.recorder import Recording
from hub.rest import limits, rendering
from hub.rest.app import VARY, FhirResponse, let_in, request_id
from hub.rest.doors import Beside, Reply
from hub.rest.faults import as_problem
from hub.rest.hub import Hub
from hub.rest.limits import Throttle
from hub.rest.recorded import WHO, about
from hub.rest.rendering import WsgiHeaders


def add(app: Flask, hub: Hub, throttle: Throttle, door: Beside) -> None:
    """Open the door."""

    def view(**where: Any) -> Response:
        environ = request.environ
        recording = _recording(hub, throttle, door, environ)
        try:
            reply = _reply(hub, throttle, door, environ, where)
        except Exception as error:
            _finish(recording, environ, _status(error))
            raise
        _finish(recording, environ, reply.recorded or reply.status)
        return _response(reply, environ, recording)

    app.add_url_rule(door.path, f"{door.method} {door.path}", view, methods=[door.method])


def _recording(hub: Hub, throttle: Throttle, door: Beside, environ: dict[str, Any]) -> Recording | None:
    if hub.audit is None:
        return None
    return hub.audit.begin(about(door.interaction, {}, environ, request_id(environ), throttle.network(environ)))


def _reply(hub: Hub, throttle: Throttle, door: Beside, environ: dict[str, Any], where: Mapping[str, Any]) -> Reply:
    access, headers = let_in(hub, environ, throttle), WsgiHeaders(environ)
    door.admits(access, headers, **where)
    request.max_content_length = door.most
    body = request.get_data(cache=False)
    if "content-encoding" in headers:
        body = rendering.opened(body, headers["content-encoding"], door.most)
    return door.serve(access, headers, body, **where)


def _finish(recording: Recording | None, environ: Mapping[str, Any], status: int) -> None:
    """Raises Problem(`busy`) where it cannot be recorded."""
    if recording is not None:
        recording.access = environ.get(WHO)
        recording.finish(status)


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.code or 500
    return as_problem(error).status


def _response(reply: Reply, environ: Mapping[str, Any], recording: Recording | None) -> Response:
    headers = [*environ.get(limits.HEADERS, ()), *reply.headers]
    if reply.stream is not None:
        headers += [("Content-Type", reply.mime), ("Vary", VARY)]
        pieces = reply.stream(recording)
        if rendering.wants_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            headers.append(("Content-Encoding", "gzip"))
            pieces = rendering.compressed_pieces(pieces)
        return FhirResponse(pieces, reply.status, headers)
    if reply.body:
        headers += [("Content-Type", reply.mime), ("Content-Length", str(len(reply.body)))]
    return FhirResponse(reply.body, reply.status, headers)
