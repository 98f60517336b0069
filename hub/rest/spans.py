"""A span for each request, as part of the trace that the client names.

Rules: https://www.w3.org/TR/trace-context/#traceparent-header and
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span. The route is the endpoint's rule, for
an address may hold an id. What balancers and Prometheus ask is no span.
"""

from flask import Flask, Response, request

from hub import tracing
from hub.tracing import Span

SPAN, BEFORE = "hub.span", "hub.span.before"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER, NONE, WATCHED = "_OTHER", "none", "watched."


def trace(app: Flask) -> None:
    """Nothing is added where traces are off."""
    if not tracing.is_on():
        return

    def begin() -> None:
        endpoint = request.endpoint or NONE
        if endpoint.startswith(WATCHED):
            return
        parent = tracing.taken(request.headers.get(tracing.HEADER, ""))
        method = request.method if request.method in METHODS else OTHER
        span = tracing.begun("http.request", parent, method=method, route=endpoint)
        request.environ[SPAN] = span
        request.environ[BEFORE] = tracing.enter(span.traceparent)

    def answered(response: Response) -> Response:
        span: Span | None = request.environ.get(SPAN)
        if span is not None:
            span.tell(status=response.status_code)
        return response

    def end(_error: BaseException | None) -> None:
        span: Span | None = request.environ.pop(SPAN, None)
        if span is not None:
            tracing.enter(request.environ[BEFORE])
            tracing.ended(span)

    app.before_request(begin)
    app.after_request(answered)
    app.teardown_request(end)
