"""Flask at the rim: a request becomes Asked, an Answer becomes a response, any error an OperationOutcome.

Who asks is settled before a body is read (docs/adr/0005): a poisoned body from a stranger is never parsed.
"""

import logging
import time
from collections.abc import Iterable
from typing import Any, cast

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException

from hub.access import Access
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.rest.asked import FHIR_JSON, Answer, Asked, negotiate, problem_answer
from hub.rest.faults import as_problem
from hub.rest.hub import Hub
from hub.rest.routes import ROUTES, Route

access_log = logging.getLogger("hub.access")
NOBODY = Access("nobody", frozenset())
HTTP_KINDS = {
    400: "invalid",
    404: "unknown-type",
    405: "method",
    413: "too-long",
    414: "too-long",
    415: "media-type",
}


def create_app(hub: Hub, max_body: int, blueprints: Iterable[Blueprint] = ()) -> Flask:
    """The WSGI application: the FHIR API under /fhir, and what else the front door brings."""
    app = Flask("hub", static_folder=None)
    app.url_map.merge_slashes = False  # `//` is a wrong address, not one to be redirected
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.config["MAX_FORM_MEMORY_SIZE"] = max_body
    for route in ROUTES:
        _add(app, hub, route)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _our_fault)
    return app


def _add(app: Flask, hub: Hub, route: Route) -> None:
    def view(**parts: Any) -> Response:
        started = time.perf_counter()
        try:
            answer = _serve(hub, route, parts)
        except Problem as problem:
            answer = problem_answer(problem)
        access_log.info(
            "%s %s %s %d %.1f ms",
            request.method,
            route.interaction,
            parts.get("type", "") if parts.get("type") in resource_types() else "",
            answer.status,
            (time.perf_counter() - started) * 1000,
        )
        return _response(answer)

    rule = "/fhir" + (route.path if route.path != "/" else "/")
    name = f"{route.method} {route.path}"
    app.add_url_rule(rule, name, view, methods=[route.method])
    if route.path == "/":
        app.add_url_rule("/fhir", f"{name} bare", view, methods=[route.method])


def _serve(hub: Hub, route: Route, parts: dict[str, Any]) -> Answer:
    access = NOBODY if route.open else hub.guard(request.environ)
    if "type" in parts and parts["type"] not in resource_types():
        raise Problem("unknown-type", "There is no such resource type in FHIR R4")
    asked = Asked(
        request.method,
        parts.get("type", ""),
        parts.get("id", ""),
        parts.get("version"),
        tuple(request.args.items(multi=True)),
        request.query_string.decode("utf-8", "replace"),
        {name.lower(): value for name, value in request.headers.items()},
        b"" if request.method in ("GET", "HEAD", "DELETE") else request.get_data(cache=False),
    )
    negotiate(asked)
    if route.reads:
        with hub.database.read() as connection:
            return cast(Answer, route.serve(hub, connection, asked, access))
    return cast(Answer, route.serve(hub, asked, access))


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, dict(answer.headers))
    if answer.body:
        response.content_type = f"{FHIR_JSON}; charset=utf-8"
    else:
        del response.headers["Content-Type"]
    response.headers["Cache-Control"] = "no-store" if answer.status >= 400 else "private, no-cache"
    response.headers["Vary"] = "Authorization, Accept"
    return response


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
