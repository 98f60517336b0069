"""Traces: one id from the frame, request or file to the webhook. Off until `use` is called; then nothing is kept.

Rules: W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header-field-values) and docs/tracing.md.
A trace is told as a `traceparent`. It crosses the database without a column of its own: that of a message is made
from its bytes and the hub's key (`derived`), that of work in the outbox goes along in the payload (`TRACE`).
Spans are named by the table SPANS, and say what ATTRIBUTES allow: words of the hub's own tables and numbers, never
what somebody sent. hub.tracing.otlp sends them; without it no library is loaded and a span costs a comparison.
Refuses: a traceparent that is not one (then a trace is begun anew), other names (KeyError).
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

TRACE = "trace"  # in a payload of the outbox
HEADER = "traceparent"
SPANS: Mapping[str, str] = {
    "http.request": "A request over HTTP, until its answer's head is ready.",
    "inbox.arrival": "A hospital's message, from its frame (or request) to the commit that made it durable.",
    "inbox.process": "A try to process a message of the inbox.",
    "file.load": "A file of a feed is read and written.",
    "store.commit": "A commit of resources, with its outbox rows.",
    "outbox.work": "A try to do a piece of work of the outbox: an event, a notice, a follow-up.",
    "webhook.post": "A POST to a receiver; the receiver is given this span's `traceparent`.",
}
# what a span may say, and how OpenTelemetry calls it
ATTRIBUTES: Mapping[str, str] = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "source": "hub.source",
    "receipt": "hub.receipt",
    "kind": "hub.kind",
    "number": "hub.number",
    "attempt": "hub.attempt",
    "entries": "hub.entries",
    "error": "error.type",
}
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ._/<>:$-]{0,79}")
_traceparent = re.compile(
    r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


@dataclass(slots=True)
class Span:
    """A span: ids in hexadecimal, times in nanoseconds since 1970. `parent` is the span above it (empty: none),
    `link` the traceparent of another trace that brought it; what is not `wanted` is told nobody."""

    name: str
    trace: str
    id: str
    parent: str
    began: int
    wanted: bool = True
    ended: int = 0
    link: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)

    def tell(self, **attributes: Any) -> None:
        """Say something of it; what is not plain is left out."""
        for name, value in attributes.items():
            told = ATTRIBUTES[name]
            if isinstance(value, int) or (isinstance(value, str) and PLAIN.fullmatch(value)):
                self.attributes[told] = value

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace}-{self.id}-{int(self.wanted):02x}"


@dataclass(frozen=True, slots=True)
class Sink:
    """Where ended spans go; whether a trace (its id in hexadecimal) that begins here is wanted; `key` makes ids."""

    take: Callable[[Span], object]
    wants: Callable[[str], bool]
    key: bytes


_sink: Sink | None = None
_current: ContextVar[str] = ContextVar("hub.tracing", default="")


def use(sink: Sink | None) -> None:
    """From now on, in this process. None: no traces."""
    global _sink
    _sink = sink


def is_on() -> bool:
    return _sink is not None


def current() -> str:
    """The traceparent of what this thread does; empty where there is none."""
    return _current.get()


def current_id() -> str:
    """The id of its trace alone, for log lines."""
    return _current.get()[3:35]


def derived(*parts: bytes) -> str:
    """The traceparent of what is stored, the same in every process: who knows the parts makes the same one. Empty
    while traces are off."""
    if _sink is None:
        return ""
    digest = blake2b(b"\x1f".join(parts), key=_sink.key, digest_size=24).hexdigest()
    return _flagged(digest[:32], digest[32:])


def following(parent: str, *parts: object) -> str:
    """The traceparent of a span below another, made from what is stored, too."""
    if _sink is None or not parent:
        return ""
    digest = blake2b("|".join((parent, *map(str, parts))).encode(), key=_sink.key, digest_size=8).hexdigest()
    return f"{parent[:36]}{digest}{parent[52:]}"


def taken(text: str) -> str:
    """The traceparent that somebody sent, or an empty text where it is none."""
    found = _traceparent.fullmatch(text.strip()) if text else None
    return f"00-{found[1]}-{found[2]}-{int(found[3], 16) & 1:02x}" if found else ""


def _flagged(trace: str, span: str) -> str:
    return f"00-{trace}-{span}-{int(_sink is not None and _sink.wants(trace)):02x}"


def _is_wanted(traceparent: str) -> bool:
    return traceparent.endswith("-01")


@contextmanager
def within(traceparent: str) -> Iterator[None]:
    """What this thread does meanwhile is part of that span."""
    before = enter(traceparent)
    try:
        yield
    finally:
        enter(before)


def enter(traceparent: str) -> str:
    """From now on this thread does what is part of that span; what it did before."""
    before = _current.get()
    _current.set(traceparent)
    return before


@contextmanager
def span(name: str, parent: str = "", own: str = "", **attributes: Any) -> Iterator[Span]:
    """A span around a block: below `parent`, else below the current one, else the first of a trace. `own` is its
    traceparent where that is derived. What the block raises is told by its kind, never by its text."""
    if _sink is None:
        yield _NOTHING
        return
    made = begun(name, parent, own, **attributes)
    try:
        with within(made.traceparent):
            yield made
    except BaseException as error:
        made.tell(error=type(error).__name__)
        raise
    finally:
        ended(made)


def begun(name: str, parent: str = "", own: str = "", **attributes: Any) -> Span:
    """The same for what is no block: `ended` is called with it."""
    if _sink is None:
        return _NOTHING
    above = parent or current()
    own = own or (_below(above) if above else _flagged(secrets.token_hex(16), secrets.token_hex(8)))
    below = above[36:52] if above[3:35] == own[3:35] and above[36:52] != own[36:52] else ""
    made = Span(_named(name), own[3:35], own[36:52], below, time.time_ns(), _is_wanted(own))
    made.tell(**attributes)
    return made


def ended(made: Span) -> None:
    if _sink is None or not made.wanted:
        return
    made.ended = time.time_ns()
    _sink.take(made)


def record(name: str, own: str, began: int, parent: str = "", link: str = "", **attributes: Any) -> None:
    """A span that is over. `began` in microseconds since 1970."""
    if _sink is None or not _is_wanted(own):
        return
    made = Span(_named(name), own[3:35], own[36:52], parent[36:52], began * 1000, True, time.time_ns(), link)
    made.tell(**attributes)
    _sink.take(made)


def _below(parent: str) -> str:
    return f"{parent[:36]}{secrets.token_hex(8)}{parent[52:]}"


def _named(name: str) -> str:
    if name not in SPANS:
        raise KeyError(name)
    return name


class _Nothing(Span):
    """The span where none is wanted."""

    def tell(self, **attributes: Any) -> None:
        pass


_NOTHING: Span = _Nothing("", "", "", "", 0, False)
