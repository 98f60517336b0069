"""Flask at the rim: a request becomes Asked, an Answer becomes a response, any error an OperationOutcome.

Who asks is settled before a body is read (docs/adr/0005): a poisoned body from a stranger is never parsed.
What was asked of the rendering is read first of all, so that a refusal comes in the client's format, too.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from os import urandom
from typing import Any, cast
from urllib.parse import parse_qsl

from flask import Blueprint, Flask, Response, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from hub.access import Access
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.rest import incoming, limits, rendering
from hub.rest.asked import Answer, Asked, problem_answer
from hub.rest.cors import Cors
from hub.rest.faults import as_problem
from hub.rest.hub import Hub
from hub.rest.idempotency import HEADER, Once
from hub.rest.protection import Protection
from hub.rest.recorded import RECORDING, WHO, about, recorded, with_form
from hub.rest.rendering import PLAIN, Style, WsgiHeaders
from hub.rest.routes import ROUTES, Route
from hub.rest.spans import trace
from hub.rest.watched import close_at_the_end, count
from hub.store import merges, parameters

access_log = logging.getLogger("hub.access")
NOBODY = Access("nobody", frozenset())
VARY = "Authorization, Accept, Accept-Encoding"
REQUEST_ID = "hub.request_id"
STYLE = "hub.style"
BODILESS = ("GET", "HEAD", "DELETE")
HTTP_KINDS = {
    400: "invalid",
    404: "unknown-type",
    405: "method",
    413: "too-long",
    414: "too-long",
    415: "media-type",
}
_fine_id = re.compile(r"[A-Za-z0-9._-]{1,128}\Z").match


class FhirResponse(Response):
    """Its headers leave as they are: they are whole URLs and whole numbers already."""

    default_mimetype = None

    def get_wsgi_headers(self, environ: Any) -> Headers:
        return self.headers


def create_app(
    hub: Hub,
    max_body: int,
    blueprints: Iterable[Blueprint] = (),
    origins: tuple[str, ...] = (),
    throttle: limits.Throttle = limits.NO_LIMITS,
) -> Flask:
    """The WSGI application: the FHIR API under /fhir, and what else the front door brings. `origins` are those of
    web pages that may use the API (hub.rest.cors), `throttle` says who asks too much (hub.rest.limits)."""
    app = Flask("hub", static_folder=None)
    app.url_map.merge_slashes = False  # `//` is a wrong address, not one to be redirected
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.config["MAX_FORM_MEMORY_SIZE"] = max_body
    once = Once()
    for route in ROUTES:
        _add(app, hub, route, max_body, once, throttle)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    count(app)
    trace(app)
    close_at_the_end(app)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _our_fault)
    app.after_request(_identified)
    Protection(hub.base, throttle).over(app)
    _allow(app, Cors(origins))
    return app


def _add(app: Flask, hub: Hub, route: Route, max_body: int, once: Once, throttle: limits.Throttle) -> None:
    def view(**parts: Any) -> Response:
        started = time.perf_counter()
        environ = request.environ
        answer = _answer(
            hub,
            route,
            parts,
            environ,
            lambda: _serve(hub, route, parts, environ, max_body, once, throttle),
            throttle.network,
        )
        if access_log.isEnabledFor(logging.INFO):
            _log(route, parts, environ, answer.status, time.perf_counter() - started)
        return _response(answer)

    rule = "/fhir" + (route.path if route.path != "/" else "/")
    name = f"{route.method} {route.path}"
    app.add_url_rule(rule, name, view, methods=[route.method])
    if route.path == "/":
        app.add_url_rule("/fhir", f"{name} bare", view, methods=[route.method])


def _answer(
    hub: Hub,
    route: Route,
    parts: dict[str, Any],
    environ: dict[str, Any],
    serve: Callable[[], Answer],
    network: Callable[[dict[str, Any]], str],
) -> Answer:
    """What is answered; recorded, unless everybody may ask it."""
    if hub.audit is not None and not route.open:
        of = about(route.interaction, parts, environ, request_id(environ), network(environ))
        return recorded(hub.audit, of, environ, serve)
    try:
        return serve()
    except Problem as problem:
        return problem_answer(problem)


def _log(route: Route, parts: dict[str, Any], environ: dict[str, Any], status: int, seconds: float) -> None:
    """A line a request: what was asked and how it went, never a name or an id of what it is about."""
    asked = parts.get("type", "") if parts.get("type") in resource_types() else ""
    words = (environ["REQUEST_METHOD"], route.interaction, asked, status, seconds * 1000, request_id(environ))
    access_log.info("%s %s %s %d %.1f ms %s", *words)


def _serve(
    hub: Hub,
    route: Route,
    parts: dict[str, Any],
    environ: dict[str, Any],
    max_body: int,
    once: Once,
    throttle: limits.Throttle,
) -> Answer:
    raw_query = environ.get("QUERY_STRING", "")
    query = raw_query.encode("latin-1").decode("utf-8", "replace") if raw_query else ""
    style, refused = _style(environ, query)
    access = _let_in(hub, route, environ, throttle)
    if "type" in parts and parts["type"] not in resource_types():
        raise Problem("unknown-type", "There is no such resource type in FHIR R4")
    if refused:
        raise refused
    if style.asked:
        query = rendering.without(query)
    headers = WsgiHeaders(environ)
    body = b"" if environ["REQUEST_METHOD"] in BODILESS else _body(headers, environ, max_body)
    asked = Asked(
        environ["REQUEST_METHOD"],
        parts.get("type", ""),
        parts.get("id", ""),
        parts.get("version"),
        tuple(parse_qsl(query, keep_blank_values=True)) if query else (),
        query,
        headers,
        body,
        environ[STYLE],
        parts.get("member", ""),
        parts.get("operation", ""),
        environ.get(RECORDING),
    )
    if not route.open:
        parameters.look(hub.database)
        merges.look(hub.database)
    if route.interaction.startswith("search"):
        with_form(asked.audit, body)
    serve = route.served(asked)
    if route.reads:
        return hub.database.reading(lambda connection: cast(Answer, serve(hub, connection, asked, access)))
    if HEADER in headers and route.writes(asked):
        return once.serve(serve, hub, asked, access)
    return cast(Answer, serve(hub, asked, access))


def _let_in(hub: Hub, route: Route, environ: dict[str, Any], throttle: limits.Throttle) -> Access:
    if route.open:
        throttle.open(environ)
        return NOBODY
    return let_in(hub, environ, throttle)


def let_in(hub: Hub, environ: dict[str, Any], throttle: limits.Throttle) -> Access:
    """Who asks, and not too often. Raises Problem."""
    try:
        access = environ[WHO] = hub.guard(environ)
    except Problem as problem:
        if problem.kind == "login" and "HTTP_AUTHORIZATION" in environ:
            throttle.failed(environ)
        raise
    throttle.take(access.who, environ)
    return access


def _style(environ: dict[str, Any], query: str) -> tuple[Style, Problem | None]:
    """How the answer is to be written, kept for whoever writes it; and what is wrong with that wish."""
    pairs = parse_qsl(query, keep_blank_values=True) if query and rendering.mentions(query) else ()
    try:
        environ[STYLE] = rendering.style_of(environ.get("HTTP_ACCEPT", ""), pairs)
    except Problem as problem:
        environ[STYLE] = PLAIN
        return PLAIN, problem
    return environ[STYLE], None


def _body(headers: WsgiHeaders, environ: dict[str, Any], max_body: int) -> bytes:
    body = incoming.whole(request)
    if "content-encoding" in headers:
        body = rendering.opened(body, headers["content-encoding"], max_body)
    if rendering.is_form(headers.get("content-type", "")):
        body = _form(body, environ)
    return body


def _form(body: bytes, environ: dict[str, Any]) -> bytes:
    """A form without what it says of the rendering. A token in it is refused (RFC 6750 section 2.2)."""
    text = body.decode("utf-8", "surrogateescape")
    if "access_token" in text and any(name == "access_token" for name, _ in parse_qsl(text)):
        raise Problem("invalid", "A token belongs in the Authorization header, not in the body")
    if not rendering.mentions(text):
        return body
    environ[STYLE] = rendering.merged(environ[STYLE], environ.get("HTTP_ACCEPT", ""), text)
    return rendering.without(text).encode("utf-8", "surrogateescape")


def _response(answer: Answer) -> Response:
    environ = request.environ
    headers = [*answer.headers.items(), ("Vary", VARY)]
    headers += environ.get(limits.HEADERS, ())
    body = answer.body
    if body:
        style: Style = environ.get(STYLE) or _style(environ, environ.get("QUERY_STRING", ""))[0]
        body = style.written(body)
        headers.append(("Content-Type", f"{style.format.mime}; charset=utf-8"))
        if len(body) > rendering.SMALLEST and rendering.wants_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = rendering.compressed(body)
            headers.append(("Content-Encoding", "gzip"))
    if answer.status not in (204, 304):
        headers.append(("Content-Length", str(len(body))))
    return FhirResponse(body, answer.status, headers)


def _http_error(error: HTTPException) -> Response:
    """Flask's own refusals (no route, wrong method, body too large), told the FHIR way."""
    if error.code == 404 and ".." in request.path.split("/"):
        return _response(problem_answer(Problem("value", "A path has no '..'")))
    kind = HTTP_KINDS.get(error.code or 500, "exception")
    headers = {}
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        headers["Allow"] = ", ".join(sorted(allowed))
    return _response(problem_answer(Problem(kind, f"The request was refused: {error.name}", headers=headers)))


def _our_fault(error: Exception) -> Response:
    return _response(problem_answer(as_problem(error)))


def request_id(environ: dict[str, Any]) -> str:
    """The X-Request-Id of this request: the client's, where it can stand in a log, or one made here."""
    found: str | None = environ.get(REQUEST_ID)
    if found is None:
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        found = environ[REQUEST_ID] = sent if _fine_id(sent) else urandom(16).hex()
    return found


def _identified(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id(request.environ)
    return response


def _allow(app: Flask, cors: Cors) -> None:
    """Cross-origin answers, and preflights: they come without a token."""

    def preflight() -> Response | None:
        headers = cors.preflight(request.environ)
        return FhirResponse(b"", 204, headers) if headers and request.path.startswith("/fhir") else None

    def told(response: Response) -> Response:
        if "Access-Control-Allow-Origin" not in response.headers:  # what is for everyone says so itself
            response.headers.extend(cors.headers(request.environ))
        if cors.varies:
            response.headers.add("Vary", "Origin")
        return response

    app.before_request(preflight)
    app.after_request(told)
