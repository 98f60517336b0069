"""Whose line a message stands in: the first identifier of PID-3, read from the bytes before anything is believed.

Messages of one feed with the same first identifier are worked one after the other (hub.inbox.work). It is no
decision about who somebody is: a sender that puts another identifier first begins another line, and the order of
arrival does not change what a visit ends as (docs/adr/0006). Only its hash is kept.
Rules: HL7 v2.5.1 chapter 2.5.4 (delimiters), 3.4.2.3 (PID-3).
Refuses: nothing; a message without a PID-3 near its beginning stands in no line (None).
"""

import re

from adapters.adt.header import Header
from hub.inbox.messages import member_key

NEAR = 65536  # bytes: what comes before PID is short
_ID = 3


def line_of(source: str, feed: str, frame: bytes, head: Header) -> int | None:
    """The line of a message whose header is known."""
    field, component, repetition = (each.encode("latin-1") for each in head.separators[:3])
    begin = _segment(frame, b"PID" + field)
    if begin < 0:
        return None
    parts = _until_the_end(frame[begin : begin + NEAR]).split(field, _ID + 1)
    first = parts[_ID].partition(repetition)[0].partition(component)[0].strip() if len(parts) > _ID else b""
    return member_key(source.encode(), feed.encode("utf-8", "surrogatepass"), first) if first else None


def _segment(frame: bytes, name: bytes) -> int:
    """Where a segment begins; -1 where there is none."""
    found = min((at for end in (b"\r", b"\n") if (at := frame.find(end + name, 0, NEAR)) >= 0), default=-2)
    return found + 1


_END = re.compile(rb"[\r\n]")


def _until_the_end(segment: bytes) -> bytes:
    return _END.split(segment, maxsplit=1)[0]
