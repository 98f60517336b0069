"""Bytes -> AdtMessage.

Rules: HL7 v2.5.1 chapters 2 (encoding), 3 (ADT). Delimiters are those of MSH-1 and MSH-2; segments end with CR, and
LF or CRLF are read as such; character set as MSH-18 says. Segments and fields that nothing maps (Z segments too)
are not looked at: the inbox keeps the raw message with them. (Tests compare with the `hl7` library, which takes
apart all of a message, and three times as long.)
Refuses (Unreadable, with the place and a code of table 0357): no MSH, an event outside events.EVENTS, no PID, no
time of the event, a merge without MRG, control characters in a text, and what header.py, charset.py, escapes.py and
fields.py refuse.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from adapters.adt.charset import decode, encoding
from adapters.adt.escapes import unescape
from adapters.adt.fields import NULL, READ, Field, dtm
from adapters.adt.header import Header, first_line, header
from fhir_mappings.adt.events import EVENTS, MERGE
from fhir_mappings.adt.problems import Unreadable
from fhir_mappings.adt.records import (
    DELETE,
    AdtMessage,
    Allergy,
    Diagnosis,
    Insurance,
    Merge,
    NextOfKin,
    PatientFields,
    Role,
    VisitFields,
    given,
)

Values = dict[str, Any]
Segments = Sequence[tuple[str, Values]]
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
NULL_FIELD: Field = [[[NULL]]]
_SEQUENCE = 13
_MOST_DIGITS = 15  # of MSH-13


def parse(raw: bytes) -> AdtMessage:
    """The typed record. Raises Unreadable (NoHeader included)."""
    head = header(raw)
    if head.event not in EVENTS:
        raise Unreadable("The event is not accepted", "MSH-9", "201")
    if _CONTROL.search(head.control_id):
        raise Unreadable("A control character in a text", "MSH-10")
    codec = encoding(head.charset)
    segments = _segments(decode(raw, codec), head, codec)
    return _record(head, segments, sha256(raw).hexdigest(), _sequence(raw, head))


def _sequence(raw: bytes, head: Header) -> int:
    """MSH-13; -1 where it is no number."""
    fields = first_line(raw).split(head.separators[0].encode("latin-1"), _SEQUENCE + 1)
    text = fields[_SEQUENCE - 1] if len(fields) >= _SEQUENCE else b""
    return int(text) if text.isdigit() and len(text) <= _MOST_DIGITS else -1


def _record(head: Header, segments: Segments, digest: str, sequence: int) -> AdtMessage:
    event, patient = _first(segments, "EVN"), _first(segments, "PID", "PD1")
    if all(kind != "PID" for kind, _ in segments):
        raise Unreadable("No patient segment", "PID", "100")
    sent_at = dtm([[[head.sent_at.partition(head.separators[1])[0]]]], "MSH-7") if head.sent_at else None
    event_at = given(event.get("event_at")) or sent_at
    if event_at is None or event.get("event_at") is DELETE:
        raise Unreadable("No time of the event", "EVN-2", "101")
    return AdtMessage(
        control_id=head.control_id,
        event=head.event,
        facility=head.facility_code,
        version=head.version,
        sent_at=sent_at,
        event_at=event_at,
        digest=digest,
        occurred_at=given(event.get("occurred_at")),
        event_facility=given(event.get("event_facility")) or (),
        patient=PatientFields(**patient),
        visit=VisitFields(**_first(segments, "PV1", "PV2")),
        insurances=tuple(Insurance(**values) for values in _insurances(segments)),
        next_of_kin=tuple(NextOfKin(**values) for kind, values in segments if kind == "NK1"),
        diagnoses=tuple(Diagnosis(**values) for kind, values in segments if kind == "DG1"),
        allergies=tuple(Allergy(kind, **values) for kind, values in segments if kind in ("AL1", "IAM")),
        roles=tuple(Role(kind, **values) for kind, values in segments if kind in ("ROL", "PRT")),
        merges=tuple(_merges(segments)) if EVENTS[head.event].scope == MERGE else (),
        sequence=sequence,
    )


def _first(segments: Segments, *kinds: str) -> Values:
    """What the first segment of each of these kinds says, together."""
    found: dict[str, Values] = {}
    for kind, values in segments:
        if kind in kinds:
            found.setdefault(kind, values)
    return {name: value for values in found.values() for name, value in values.items()}


def _insurances(segments: Segments) -> list[Values]:
    """Each IN1 with the IN2 behind it."""
    found: list[Values] = []
    for kind, values in segments:
        if kind == "IN1":
            found.append(dict(values))
        elif kind == "IN2" and found:
            found[-1] |= values
    return found


def _merges(segments: Segments) -> Iterator[Merge]:
    """The groups of PID, PD1 and MRG. Raises Unreadable."""
    patient: Values = {}
    open_group = False
    for kind, values in segments:
        if kind == "PID":
            _must_be_closed(open_group)
            patient, open_group = dict(values), True
        elif kind == "PD1":
            patient |= values
        elif kind == "MRG":
            absorbed = (given(values.get("patients")) or ()) + (given(values.get("patient")) or ())
            if not any(identifier.id for identifier in absorbed):
                raise Unreadable("The merge does not say which patient goes", "MRG-1", "101")
            yield Merge(PatientFields(**patient), absorbed)
            open_group = False
    _must_be_closed(open_group)


def _must_be_closed(open_group: bool) -> None:
    if open_group:
        raise Unreadable("No merge segment", "MRG", "100")


def _segments(text: str, head: Header, codec: str) -> Segments:
    """The segments that are read, in their order, each with its values by record names."""
    found: list[tuple[str, Values]] = []
    marks = head.separators
    for line in _lines(text, marks[0]):
        kind = line[:3]
        values: Values = {}
        for number, sent in _sent(line, marks).items():
            name, read = READ[kind][number]
            where = f"{kind}-{number}"
            field = _field(sent, marks, codec, where)
            values[name] = DELETE if field == NULL_FIELD else read(field, where)
        found.append((kind, values))
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


def _field(sent: str, marks: str, codec: str, where: str) -> Field:
    """Repetitions, their components, and theirs. Most fields have no escape in them."""
    _, component, repetition, escape, part = tuple(marks)
    field = [[each.split(part) for each in one.split(component)] for one in sent.split(repetition)]
    if escape not in sent and sent.isprintable():
        return field
    return [[[_text(text, marks, codec, where) for text in each] for each in one] for one in field]


def _text(sent: str, marks: str, codec: str, where: str) -> str:
    """The text that was meant. Control characters are no text; FHIR could not hold them."""
    text = unescape(sent, marks, codec, where)
    if not text.isprintable() and _CONTROL.search(text):
        raise Unreadable("A control character in a text", where)
    return text
