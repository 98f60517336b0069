"""What is stored and its trace: messages of the inbox, rows of the outbox (hub.tracing, docs/tracing.md).

A message's trace is made from its bytes and the hub's key, so every process that has the message knows it, and the
message that comes again has the same. A row of the outbox has in its payload the trace of what it came with.
Handlers are wrapped where traces are on; where they are off nothing is added to any of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

from hub import clock, outbox, tracing
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival, Message
from hub.versions import Target

Accept = Callable[[Sequence[Arrival]], list[Receipt]]
Handler = TypeVar("Handler", bound=Callable[..., Any])
Row = Mapping[str, Any]


def of_message(message: Message | Arrival) -> str:
    """The traceparent of its arrival; empty while traces are off."""
    if not tracing.is_on():
        return ""
    return tracing.derived(message.source.encode(), sha256(message.raw).digest())


def of_file(digest: str) -> str:
    """The traceparent of a file's reading; the same bytes have the same."""
    return tracing.derived(b"file", digest.encode())


def of_try(message: Message) -> str:
    """The traceparent of this try to process it."""
    return tracing.following(of_message(message), message.seq, message.fence, message.attempts)


def of_work(work: outbox.Work) -> str:
    """The traceparent of this try to do it; empty where what asked for it has no trace."""
    return tracing.following(str(work.payload.get(tracing.TRACE, "")), work.seq, work.attempts)


def along(work: outbox.Work) -> dict[str, str]:
    """What goes along in the payload of work that this one causes."""
    trace = of_work(work)
    return {tracing.TRACE: trace} if trace else {}


def arriving(accept: Accept) -> Accept:
    """The same, with a span for each message: from when it was received until it is durable."""

    def traced(arrivals: Sequence[Arrival]) -> list[Receipt]:
        receipts = accept(arrivals)
        if tracing.is_on():
            for arrival, receipt in zip(arrivals, receipts, strict=True):
                arrived(arrival, receipt)
        return receipts

    return traced


def arrived(arrival: Arrival, receipt: Receipt) -> None:
    """It is durable. What came before is a span below the first arrival's."""
    first = of_message(arrival)
    own, parent = (first, "") if receipt == "new" else (tracing.following(first, arrival.received), first)
    said = {"source": arrival.source, "receipt": receipt}
    tracing.record("inbox.arrival", own, arrival.received, parent, tracing.current(), **said)


def messages(handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """Handlers of messages, by source."""
    return _each(handlers, _OneMessage, _Messages)


def works(handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """Handlers of the outbox, by kind."""
    return _each(handlers, _OneWork, _Works)


def _each(handlers: Mapping[str, Handler], one: Any, several: Any) -> Mapping[str, Handler]:
    if not tracing.is_on():
        return handlers
    return {name: (several if hasattr(each, "together") else one)(each) for name, each in handlers.items()}


@dataclass(frozen=True)
class _OneMessage:
    handler: Any

    def __call__(self, message: Message) -> Any:
        with tracing.span("inbox.process", of_message(message), of_try(message), **_said(message)):
            return self.handler(message)


class _Messages(_OneMessage):
    """With `together`, as hub.worker.Together has it."""

    def together(self, several: Sequence[Message]) -> Any:
        began = clock.micros(clock.now())
        outcomes = self.handler.together(several)
        for message, outcome in zip(several, outcomes, strict=True):
            failed = {} if outcome is None else {"error": type(outcome).__name__}
            said = _said(message) | failed
            tracing.record("inbox.process", of_try(message), began, of_message(message), **said)
        return outcomes


def _said(message: Message) -> dict[str, Any]:
    return {"source": message.source, "number": message.seq, "attempt": message.attempts}


@dataclass(frozen=True)
class _OneWork:
    handler: Any

    def __call__(self, work: outbox.Work) -> Any:
        parent = str(work.payload.get(tracing.TRACE, ""))
        with tracing.span("outbox.work", parent, of_work(work), **_told(work)):
            return self.handler(work)


class _Works(_OneWork):
    """With `together`, as hub.worker.WorkTogether has it."""

    def together(self, several: Sequence[outbox.Work]) -> Any:
        began = clock.micros(clock.now())
        outcomes = self.handler.together(several)
        for work in several:
            if own := of_work(work):
                tracing.record("outbox.work", own, began, str(work.payload[tracing.TRACE]), **_told(work))
        return outcomes


def _told(work: outbox.Work) -> dict[str, Any]:
    return {"kind": work.kind, "number": work.seq, "attempt": work.attempts}


def brought(entries: Sequence[Entry], trace: str = "") -> Sequence[Entry]:
    """The entries with what brought them, unless they have that: this trace, or that of what this thread does."""
    trace = trace or tracing.current()
    return [one if one.trace else replace(one, trace=trace) for one in entries] if trace else entries


def with_rows(rows: Sequence[Row], targets: Iterable[Target]) -> Sequence[Row]:
    """Rows of the outbox with the trace of what brought the resource that they are about. Of a commit with one
    trace every row has that one."""
    if not tracing.is_on():
        return rows
    found = [(one.identity, one.entry.trace) for one in targets if one.identity and one.entry.trace]
    known = {f"{type_}/{id}": trace for (type_, id), trace in found}
    every = set(known.values())
    only = every.pop() if len(every) == 1 else ""
    return [_with(row, next((known[name] for name in _names(row) if name in known), only)) for row in rows]


def _names(row: Row) -> Iterable[str]:
    """By which a row says what it is about: its line, the parts of its key."""
    return (str(row["line"]), *str(row["key"]).split("|"))


def _with(row: Row, trace: str) -> Row:
    if not trace:
        return row
    return {**row, "payload": json.write({**json.read(row["payload"]), tracing.TRACE: trace})}


@contextmanager
def committing(entries: Sequence[Entry]) -> Iterator[None]:
    """Around a commit: a span in the trace of each that brought something, where it was made."""
    began = clock.micros(clock.now())
    yield
    for trace, number in Counter(entry.trace for entry in entries if entry.trace).items():
        tracing.record("store.commit", tracing.following(trace, began, "commit"), began, trace, entries=number)
