"""Traces: what is made of what, what a span may say, and that nothing is there while they are off."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hub import outbox, traced, tracing
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.inbox.messages import Arrival, Message
from hub.notifications.webhooks import _traced
from hub.problems import CannotStart
from hub.tracing import Sink, Span, otlp
from hub.versions import Target

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEY = b"k" * 64


@pytest.fixture
def spans() -> Iterator[list[Span]]:
    """Traces are on; what was told."""
    taken: list[Span] = []
    tracing.use(Sink(taken.append, lambda trace: True, KEY))
    yield taken
    tracing.use(None)


def message(raw: bytes = b"MSH", seq: int = 7, attempts: int = 1) -> Message:
    return Message(
        seq=seq,
        source="adt",
        feed="F",
        control_id="C",
        received=5,
        state="received",
        reason=None,
        location=None,
        subject=None,
        attempts=attempts,
        due=0,
        processed=None,
        fence=3,
        awaits_kind=None,
        awaits_key=None,
        raw=raw,
    )


def work(payload: dict[str, Any], seq: int = 9) -> outbox.Work:
    return outbox.Work(seq, "event", "key", payload, 1, 0)


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (CALLER, CALLER),
        (CALLER[:-2] + "00", CALLER[:-2] + "00"),
        (CALLER[:-2] + "03", CALLER),
        ("cc" + CALLER[2:] + "-more", CALLER),
        ("", ""),
        ("ff" + CALLER[2:], ""),
        (CALLER.upper(), ""),
        (CALLER.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), ""),
        (CALLER.replace("b7ad6b7169203331", "0" * 16), ""),
        (CALLER[:-1], ""),
        ("Testperson", ""),
    ],
)
def test_a_traceparent_is_taken_where_it_is_one(sent: str, taken: str) -> None:
    assert tracing.taken(sent) == taken


def test_the_trace_of_a_message_is_that_of_its_bytes_and_the_key(spans: list[Span]) -> None:
    arrival = Arrival("adt", "F", "C", b"MSH", 5)
    assert traced.of_message(arrival) == traced.of_message(message(seq=1)) == traced.of_message(message(seq=2))
    assert traced.of_message(message(b"MSH|")) != traced.of_message(arrival)
    before = traced.of_message(arrival)
    tracing.use(Sink(spans.append, lambda trace: True, b"another key"))
    assert traced.of_message(arrival) != before


def test_a_message_that_comes_again_is_below_the_first_arrival(spans: list[Span]) -> None:
    traced.arriving(lambda arrivals: ["new"])([Arrival("adt", "F", "C", b"MSH", 5)])
    traced.arriving(lambda arrivals: ["duplicate"])([Arrival("adt", "F", "C", b"MSH", 6)])
    first, again = spans
    assert (first.trace, first.parent, first.began) == (again.trace, "", 5000)
    assert (again.parent, again.attributes["hub.receipt"]) == (first.id, "duplicate")


def test_what_brought_a_message_by_http_is_linked(spans: list[Span]) -> None:
    with tracing.within(CALLER):
        traced.arrived(Arrival("adt", "F", "C", b"MSH", 5), "new")
    assert spans[0].link == CALLER


def test_each_message_of_a_group_has_a_span_of_its_own(spans: list[Span]) -> None:
    class Handler:
        def __call__(self, one: Message) -> None:
            raise ValueError("Testperson")

        def together(self, several: list[Message]) -> list[Exception | None]:
            return [None, ValueError("Testperson")]

    handler: Any = traced.messages({"adt": Handler()})["adt"]
    one, other = message(), message(b"MSH|other", 8)
    handler.together([one, other])
    assert [span.trace for span in spans] == [traced.of_message(each)[3:35] for each in (one, other)]
    assert [span.attributes.get("error.type") for span in spans] == [None, "ValueError"]
    with pytest.raises(ValueError):
        handler(one)
    assert spans[-1].attributes["error.type"] == "ValueError"
    assert "Testperson" not in repr(spans)


def test_work_is_below_what_asked_for_it_and_hands_its_own_on(spans: list[Span]) -> None:
    one = work({"trace": CALLER})
    traced.works({"event": lambda each: outbox.Done()})["event"](one)
    assert (spans[0].trace, spans[0].parent) == (CALLER[3:35], CALLER[36:52])
    assert traced.along(one) == {"trace": spans[0].traceparent}
    assert traced.along(work({})) == {}


def test_rows_of_a_commit_have_the_trace_of_what_they_are_about(spans: list[Span]) -> None:
    other = tracing.following(CALLER, 1)
    targets = [
        Target(Entry("PUT", "Encounter", trace=CALLER), ("Encounter", "1")),
        Target(Entry("PUT", "Encounter", trace=other), ("Encounter", "2")),
    ]
    rows = [
        outbox.row("event", "topic|Encounter/2|1", {"id": "2"}, 0, "Encounter/2"),
        outbox.row("follow-up", "Encounter/1", {}, 0),
        outbox.row("ask", "5/6", {}, 0),
    ]
    told = [json.read(row["payload"]).get("trace", "") for row in traced.with_rows(rows, targets)]
    assert told == [other, CALLER, ""]
    (only,) = traced.with_rows(rows[2:], targets[:1])
    assert json.read(only["payload"])["trace"] == CALLER


def test_a_span_says_only_what_is_allowed_and_plain(spans: list[Span]) -> None:
    with pytest.raises(KeyError), tracing.span("patient"):
        pass
    with pytest.raises(KeyError), tracing.span("store.commit", patient="x"):
        pass
    with tracing.span("http.request", route="GET /fhir/<type>/<id>", method="GET", status=200) as span:
        span.tell(kind="Testperson-Alder, Fixture")
        span.tell(error="x" * 81)
    assert spans[-1].attributes == {
        "http.route": "GET /fhir/<type>/<id>",
        "http.request.method": "GET",
        "http.response.status_code": 200,
    }


def test_what_a_block_raises_is_told_by_its_kind_alone(spans: list[Span]) -> None:
    with pytest.raises(ValueError), tracing.span("store.commit"):
        raise ValueError("Testperson")
    assert spans[0].attributes == {"error.type": "ValueError"}
    assert tracing.current() == ""


def test_a_trace_that_is_not_wanted_is_told_nobody_and_says_so() -> None:
    taken: list[Span] = []
    tracing.use(Sink(taken.append, lambda trace: False, KEY))
    try:
        with tracing.span("http.request"):
            assert tracing.current().endswith("-00")
            with tracing.span("store.commit"):
                assert tracing.current().endswith("-00")
        with tracing.span("http.request", CALLER):  # the caller wants it
            pass
    finally:
        tracing.use(None)
    assert [span.trace for span in taken] == [CALLER[3:35]]


def test_a_header_line_of_the_subscription_of_that_name_stays(spans: list[Span]) -> None:
    with tracing.within(CALLER):
        assert _traced({"Authorization": "x"}) == {"Authorization": "x", "traceparent": CALLER}
        assert _traced({"TraceParent": "mine"}) == {"TraceParent": "mine"}


def test_while_traces_are_off_nothing_is_made_and_nothing_goes_along() -> None:
    handlers = {"adt": lambda one: None}
    assert traced.messages(handlers) is handlers
    assert traced.of_message(message()) == traced.of_work(work({"trace": CALLER})) == ""
    entries = [Entry("POST", "Patient")]
    assert traced.brought(entries) is entries
    rows = [outbox.row("event", "k", {}, 0)]
    assert traced.with_rows(rows, []) is rows
    with tracing.span("store.commit") as span:
        span.tell(entries=1)
        assert _traced({}) == {}


def test_no_library_is_loaded_while_traces_are_off() -> None:
    asked = (
        "import sys; from hub.tracing import otlp; from hub import traced; "
        "otlp.begin({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://x', 'OTEL_SDK_DISABLED': 'true'}, 'web', '1', b''); "
        "otlp.begin({}, 'web', '1', b''); assert not [m for m in sys.modules if m.startswith('opentelemetry')]"
    )
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_a_collector_without_the_extra_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(CannotStart, match=r"OTEL_EXPORTER_OTLP_ENDPOINT is set, .*\[tracing\]"):
        otlp.begin({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "web", "1", b"")


SPAN_AND_END = """
import os, secrets
from hub import tracing
from hub.tracing import otlp
otlp.begin(os.environ, "web", "9.9", b"k" * 64)
with tracing.span("inbox.process"):
    pass
print("ends", flush=True)
"""


def test_the_end_of_a_process_waits_two_seconds_for_a_collector_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        words = [sys.executable, "-c", SPAN_AND_END]
        with subprocess.Popen(words, env={**os.environ, **where}, stdout=subprocess.PIPE, text=True) as ending:
            assert ending.stdout is not None
            assert ending.stdout.readline() == "ends\n"
            began = time.monotonic()
            assert ending.wait(60) == 0
        assert otlp.FAREWELL - 1 < time.monotonic() - began < 9  # the exporter gives up after ten
