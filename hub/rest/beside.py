"""A door beside the FHIR API: another format, with the hub's guard, limits, audit and refusals.

Rules: docs/adr/0005 (who asks is settled before a body is read); RFC 9110 section 15; docs/audit.md.
What answers comes from above (hub.rest.doors) and knows nothing of the web.
Refuses: what the guard, the limits and `Beside` itself refuse, as OperationOutcomes like everywhere else; other
methods (405); a body past `most` (413); an answer that cannot be recorded (503).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from hub.audit.recorder import Recording
from hub.rest import incoming, limits, rendering, streamed
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
        try:
            return _response(reply, environ, recording)
        except Exception as error:
            _finish(recording, environ, _status(error))
            raise

    app.add_url_rule(door.path, f"{door.method} {door.path}", view, methods=[door.method])


def _recording(hub: Hub, throttle: Throttle, door: Beside, environ: dict[str, Any]) -> Recording | None:
    if hub.audit is None:
        return None
    return hub.audit.begin(about(door.interaction, {}, environ, request_id(environ), throttle.network(environ)))


def _reply(hub: Hub, throttle: Throttle, door: Beside, environ: dict[str, Any], where: Mapping[str, Any]) -> Reply:
    access, headers = let_in(hub, environ, throttle), WsgiHeaders(environ)
    door.admits(access, headers, **where)
    request.max_content_length = door.most
    if door.in_pieces:
        coming = incoming.pieces(request.stream, headers.get("content-encoding", ""), door.most)
        return door.serve(access, headers, coming, **where)
    body = incoming.whole(request)
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
        return _streamed(reply, reply.stream(recording), headers, environ.get("HTTP_ACCEPT_ENCODING", ""))
    if reply.body:
        headers += [("Content-Type", reply.mime), ("Content-Length", str(len(reply.body)))]
    return FhirResponse(reply.body, reply.status, headers)


def _streamed(reply: Reply, pieces: Iterator[bytes], headers: list[tuple[str, str]], accepted: str) -> Response:
    begun, is_whole = streamed.whole_or_begun(pieces)
    found = iter(begun) if is_whole else streamed.to_the_end(begun, pieces, reply.broken_off)
    if rendering.wants_gzip(accepted):
        headers.append(("Content-Encoding", "gzip"))
        found = rendering.compressed_pieces(found)
    if not is_whole:
        return FhirResponse(found, reply.status, headers)
    body = b"".join(found)
    return FhirResponse(body, reply.status, [*headers, ("Content-Length", str(len(body)))])
