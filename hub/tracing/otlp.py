"""Spans leave by OTLP over HTTP (protobuf), where the settings name a collector: the optional extra `tracing`.

Rules: https://opentelemetry.io/docs/specs/otlp/#otlphttp and the standard variables
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/): OTEL_EXPORTER_OTLP_*,
OTEL_BSP_*, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED. Spans go in batches
from a thread of their own: nobody waits for the collector, and what it does not take is dropped. The end of a
process waits FAREWELL seconds for its last ones.
Refuses to start (CannotStart): a collector is named, and the extra is not installed.
"""

import atexit
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from hub import tracing
from hub.problems import CannotStart
from hub.tracing import Sink, Span

NAMES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE = "calaim-fhir-hub"
FAREWELL = 2.0
KINDS: Mapping[str, str] = {
    "http.request": "SERVER",
    "inbox.arrival": "SERVER",
    "inbox.process": "CONSUMER",
    "outbox.work": "CONSUMER",
    "webhook.post": "CLIENT",
}
MISSING = "{} is set, but what sends traces is not installed: pip install 'calaim-fhir-hub[tracing]'."


def is_wanted(environment: Mapping[str, str]) -> bool:
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return not off and any(environment.get(name) for name in NAMES)


def begin(environment: Mapping[str, str], role: str, version: str, key: bytes) -> None:
    """From now on this process sends its spans, if the environment wants that. `role` says which process it is.
    Raises CannotStart."""
    if is_wanted(environment):
        tracing.use(_sink(environment, role, version, key))


def _sink(environment: Mapping[str, str], role: str, version: str, key: bytes) -> Sink:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import IdGenerator
        from opentelemetry.sdk.trace.sampling import Decision
    except ImportError:
        named = next(name for name in NAMES if environment.get(name))
        raise CannotStart(MISSING.format(named)) from None

    class Ids(IdGenerator):
        """Gives a span the ids that it has already."""

        def generate_trace_id(self) -> int:
            return _ids.get()[0]

        def generate_span_id(self) -> int:
            return _ids.get()[1]

    own = {"service.name": environment.get("OTEL_SERVICE_NAME") or SERVICE, "service.version": version}
    provider = TracerProvider(
        resource=Resource.create({**own, "hub.role": role}), id_generator=Ids(), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    atexit.register(farewell, provider.shutdown)
    tracer = provider.get_tracer("hub", version)

    def wants(trace: str) -> bool:
        decided = provider.sampler.should_sample(None, int(trace, 16), "")
        return bool(decided.decision is Decision.RECORD_AND_SAMPLE)

    return Sink(lambda span: _send(tracer, span), wants, key[:64])


def farewell(shutdown: Callable[[], object], seconds: float = FAREWELL) -> None:
    """At the end of a process: the library's own farewell waits half a minute for a collector that is not there."""
    last = threading.Thread(target=shutdown, name="last-spans", daemon=True)
    last.start()
    last.join(seconds)


_ids: ContextVar[tuple[int, int]] = ContextVar("hub.tracing.otlp")


def _send(tracer: Any, span: Span) -> None:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode

    token = _ids.set((int(span.trace, 16), int(span.id, 16)))
    try:
        made = tracer.start_span(
            span.name,
            context=_below(span) if span.parent else Context(),
            kind=SpanKind[KINDS.get(span.name, "INTERNAL")],
            attributes=span.attributes,
            links=[Link(_context(span.link[3:35], span.link[36:52]))] if span.link else (),
            start_time=span.began,
        )
    finally:
        _ids.reset(token)
    if tracing.ATTRIBUTES["error"] in span.attributes:
        made.set_status(Status(StatusCode.ERROR))
    made.end(span.ended)


def _below(span: Span) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(_context(span.trace, span.parent)), Context())


def _context(trace: str, span: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
