"""A collector of traces: OTLP over HTTP on a free port of 127.0.0.1, decoded with OpenTelemetry's own messages.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
"""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Seen:
    """A span as it came; ids in hexadecimal, `parent` empty for the first of a trace."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    links: tuple[str, ...]
    role: str
    seconds: float


@dataclass
class Collector:
    url: str
    raw: list[bytes] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def of(self, trace: str) -> list[Seen]:
        return [span for span in self.spans if span.trace == trace]

    def wait_for(self, trace: str, names: set[str], seconds: float = 60) -> list[Seen]:
        """The spans of a trace, when all these names are among them."""
        with self.came:
            is_there = lambda: {_named(span) for span in self.of(trace)} >= names  # noqa: E731
            assert self.came.wait_for(is_there, seconds), sorted(_named(span) for span in self.of(trace))
            return self.of(trace)

    def take(self, body: bytes) -> None:
        told = ExportTraceServiceRequest.FromString(body)
        with self.came:
            self.raw.append(body)
            for of in told.resource_spans:
                role = next(one.value.string_value for one in of.resource.attributes if one.key == "hub.role")
                self.spans += [_seen(span, role) for scope in of.scope_spans for span in scope.spans]
            self.came.notify_all()


def _named(span: Seen) -> str:
    """With the kind of work."""
    kind = span.attributes.get("hub.kind", "") if span.name == "outbox.work" else ""
    return f"{span.name} {kind}".strip()


def _seen(span: Any, role: str) -> Seen:
    values = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    links = tuple(link.trace_id.hex() for link in span.links)
    seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    return Seen(span.name, *ids, values, links, role, seconds)


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
