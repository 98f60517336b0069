"""What supervisors, balancers and Prometheus ask: /livez, /readyz and /metrics, outside of the FHIR API.

Rules: hub.monitoring (health, exposition). Nobody's name and no content is in any of them. The first two are open,
as a balancer has no token; /metrics wants `Authorization: Bearer <HUB_METRICS_TOKEN>` (RFC 6750) and is not there
(404) without that setting.
"""

import hmac
import time
from typing import Any

from flask import Blueprint, Flask, Response, request

from hub import stopping
from hub.fhir import json
from hub.monitoring import counters, exposition, health

STARTED = "hub.started"
NONE = "none"  # the endpoint of what is no address of the hub


def doors(readiness: health.Readiness, metrics: exposition.Exposition, token: str) -> Blueprint:
    """The three, as a blueprint."""
    found = Blueprint("watched", __name__)

    @found.get("/livez")
    def livez() -> Response:
        return _told({"status": health.PASS}, 200)

    @found.get("/readyz")
    def readyz() -> Response:
        seen = readiness.look()
        return _told(seen.body, 200 if seen.is_ready else 503)

    if token:

        @found.get("/metrics")
        def scrape() -> Response:
            if not _is_let_in(token):
                return Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
            return Response(metrics.text(), 200, content_type=exposition.MIME)

    return found


def _told(body: dict[str, Any], status: int) -> Response:
    return Response(json.write(body), status, content_type=health.MIME)


def _is_let_in(token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def count(app: Flask) -> None:
    """Every answer, by the endpoint's rule and its status; the rule, for an address may hold an id."""
    told = counters.requests()

    def begin() -> None:
        request.environ[STARTED] = time.perf_counter()

    def end(response: Response) -> Response:
        seconds = time.perf_counter() - request.environ.get(STARTED, time.perf_counter())
        told.labels(request.endpoint or NONE, response.status_code).observe(seconds)
        return response

    app.before_request(begin)
    app.after_request(end)


def close_at_the_end(app: Flask) -> None:
    """A process that is about to end keeps no connection (RFC 9112 section 9.6): clients come anew, elsewhere."""

    def told(response: Response) -> Response:
        if stopping.has_begun():
            response.headers["Connection"] = "close"
        return response

    app.after_request(told)
