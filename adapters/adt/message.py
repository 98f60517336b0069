"""Bytes -> AdtMessage.

Rules: HL7 v2.5.1 chapters 2 (encoding), 3 (ADT). Delimiters are those of MSH-1 and MSH-2; segments end with CR, and
LF or CRLF are read as such; character set as MSH-18 says. Segments and fields that nothing maps (Z segments too)
are not looked at: the raw message keeps them. The `hl7` library takes apart only what fields.READ names, which is
what keeps a message under a millisecond.
Refuses (Unreadable, with the place and a code of table 0357): no MSH, an event outside events.EVENTS, no PID, no
time of the event, and what header.py, charset.py, escapes.py and fields.py refuse.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import hl7

from adapters.adt.charset import decode, encoding
from adapters.adt.escapes import unescape
from adapters.adt.fields import NULL, READ, Field, dtm
from adapters.adt.header import Header, header
from fhir_mappings.adt.events import EVENTS
from fhir_mappings.adt.problems import Unreadable
from fhir_mappings.adt.records import (
    DELETE,
    AdtMessage,
    Diagnosis,
    Insurance,
    NextOfKin,
    PatientFields,
    VisitFields,
)

Values = dict[str, Any]
NULL_FIELD: Field = [[[NULL]]]


def parse(raw: bytes) -> AdtMessage:
    """The typed record. Raises Unreadable (NoHeader included)."""
    head = header(raw)
    if head.event not in EVENTS:
        raise Unreadable("The event is not accepted", "MSH-9", "201")
    codec = encoding(head.charset)
    segments = _segments(decode(raw, codec), head, codec)
    return _record(head, segments, sha256(raw).hexdigest())


def _record(head: Header, segments: Mapping[str, list[Values]], digest: str) -> AdtMessage:
    if not segments["PID"]:
        raise Unreadable("No patient segment", "PID", "100")
    event = segments["EVN"][0] if segments["EVN"] else {}
    sent_at = dtm([[[head.sent_at.partition(head.separators[1])[0]]]], "MSH-7") if head.sent_at else None
    event_at = event.get("event_at") or sent_at
    if event_at is None or event_at is DELETE:
        raise Unreadable("No time of the event", "EVN-2", "101")
    occurred_at = event.get("occurred_at")
    return AdtMessage(
        control_id=head.control_id,
        event=head.event,
        facility=head.facility_code,
        version=head.version,
        sent_at=sent_at,
        event_at=event_at,
        digest=digest,
        occurred_at=None if occurred_at is DELETE else occurred_at,
        patient=PatientFields(**segments["PID"][0]),
        visit=VisitFields(**_first(segments["PV1"]), **_first(segments["PV2"])),
        insurances=tuple(Insurance(**values) for values in segments["IN1"]),
        next_of_kin=tuple(NextOfKin(**values) for values in segments["NK1"]),
        diagnoses=tuple(Diagnosis(**values) for values in segments["DG1"]),
    )


def _first(segments: list[Values]) -> Values:
    return segments[0] if segments else {}


def _segments(text: str, head: Header, codec: str) -> Mapping[str, list[Values]]:
    """Segment id -> the values of each occurrence, by record names."""
    found: dict[str, list[Values]] = {kind: [] for kind in READ}
    marks = head.separators
    wanted = [(line[:3], _sent(line, marks)) for line in _lines(text, marks[0])]
    taken_apart = _taken_apart([text for _, sent in wanted for text in sent.values()], marks)
    for kind, sent in wanted:
        found[kind].append({})
        for number in sent:
            name, read = READ[kind][number]
            where = f"{kind}-{number}"
            field = _plain(next(taken_apart), marks, codec, where)
            found[kind][-1][name] = DELETE if field == NULL_FIELD else read(field, where)
    return found


def _lines(text: str, separator: str) -> Iterator[str]:
    """The segments that are read."""
    for line in text.replace("\r\n", "\r").replace("\n", "\r").split("\r"):
        if line[:3] in READ and line[3:4] in ("", separator):
            yield line


def _sent(line: str, marks: str) -> dict[int, str]:
    """Field number -> text, of the fields that are read and not empty."""
    fields = line.split(marks[0])
    return {number: fields[number] for number in READ[line[:3]] if number < len(fields) and fields[number]}


def _taken_apart(fields: list[str], marks: str) -> Iterator[Any]:
    """Each field as the library gives it. A field without separators needs no library: most have none."""
    separators = frozenset((marks[1], marks[2], marks[4]))
    compound = [text for text in fields if not separators.isdisjoint(text)]
    lines = (f"MSH{marks}{marks[0]}", marks[0].join(["ZZZ", *compound]))
    rest = iter(hl7.parse("\r".join(lines))[1][1:])
    for text in fields:
        yield (text,) if separators.isdisjoint(text) else next(rest)


def _plain(field: Any, marks: str, codec: str, where: str) -> Field:
    """The library leaves out levels that have no separator; here every field has all three."""
    return [
        [
            [
                unescape(text, marks, codec, where)
                for text in ([component] if isinstance(component, str) else component)
            ]
            for component in ([repetition] if isinstance(repetition, str) else repetition)
        ]
        for repetition in field
    ]
