"""What a message's bytes alone show to be wrong: told to the sender at once, before anything is believed. Pure.

Rules: HL7 v2.5.1 chapters 2.5 to 2.7 (lengths, escapes, character sets), 3.3.9, 3.3.40 and 3.4 (PID, MRG), table
0357; bad-input.md V15, V16, V18 to V20, V26, V27, V35. Cheap: some microseconds for 2 KB, or ACKs would wait.
Refuses (AE, and AR where a patient is merged with itself): what the table CHECKS lists. Of codes, tables, visits
and persons it knows nothing; what only those show wrong is AA and waits in the inbox.
Not refused, because the hub can read it: a record number (type MR) without assigning authority, which is taken for
the sending facility's; a patient without PID-3 whose number stands in PID-2, PID-4 or, as a CIN, in IN1 or IN2;
long free text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from adapters.adt.acknowledgment import Error
from adapters.adt.charset import decode, encoding
from adapters.adt.escapes import unescape
from adapters.adt.fields import CXS, NULL, READ, Field
from adapters.adt.header import Header
from fhir_mappings.adt import dates
from fhir_mappings.adt.events import EVENTS, MERGE
from fhir_mappings.adt.member_keys import as_cin, is_ascribable, refuse_merge_with_itself
from fhir_mappings.adt.problems import Unmatched, Unreadable
from fhir_mappings.adt.records import CX

# Characters that HL7 2.5.1 allows one repetition of a field; a longer number, name or time is a fault of the
# sender's. Codes are not here (a code table can take a long one), nor what is free text. MSH-10: by version 2.7.
MOST_CHARACTERS: Mapping[str, Mapping[int, int]] = {
    "EVN": {2: 26, 6: 26},
    "PID": {3: 250, 5: 250, 7: 26, 18: 250, 29: 26},
    "PV1": {5: 250, 19: 250, 44: 26, 45: 26},
    "MRG": {1: 250},
}
LONGEST_CONTROL_ID = 199
LONGEST_READ = 65_536  # of a field that is read: as much as HL7 gives to any (TX, FT)
LONGEST = 999_999  # of any field
BEHIND_MARKS = 8  # MSH, MSH-1 and the four of MSH-2, which hold the escape character as such
NUMBERS = (3, 2, 4)  # of PID: where older versions put a patient's numbers, too
INSURED = {"IN1": (36, 49), "IN2": (8,)}  # where a CIN may stand


class Fault(NamedTuple):
    """`verdict` as in the acknowledgment: E (AE, CE) or R (AR, CR)."""

    verdict: str
    error: Error


@dataclass(frozen=True, slots=True)
class Sent:
    """`lines` are the segments that the hub reads; those that are always looked at are split: (kind, fields)."""

    head: Header
    codec: str
    text: str
    lines: list[str]
    segments: list[tuple[str, list[str]]]

    def parts(self, text: str) -> Field:
        """Repetitions, components, subcomponents."""
        _, component, repetition, _, subcomponent = tuple(self.head.separators)
        return [[c.split(subcomponent) for c in each.split(component)] for each in text.split(repetition)]

    def of(self, kind: str) -> Iterator[list[str]]:
        return (line.split(self.head.separators[0]) for line in self.lines if line[:3] == kind)


def fault(frame: bytes, head: Header) -> Fault | None:
    """The first thing that is wrong with a message whose header is in order."""
    try:
        sent = _sent(frame, head)
        for check in CHECKS:
            check(sent)
    except Unreadable as wrong:
        return Fault("R" if wrong.code == "205" else "E", (wrong.code, wrong.where, wrong.reason))
    return None


def _sent(frame: bytes, head: Header) -> Sent:
    """Raises Unreadable: MSH-18 and the bytes disagree."""
    codec, mark = encoding(head.charset), head.separators[0]
    text = decode(frame, codec)
    lines = text.replace("\n", "\r").split("\r")
    wanted = [line for line in lines if line[:3] in READ and line[3:4] in ("", mark)]
    segments = [(line[:3], line.split(mark)) for line in wanted if line[:3] in MOST_CHARACTERS]
    return Sent(head, codec, text, wanted, segments)


def _fields_are_bearable(sent: Sent) -> None:
    if len(sent.head.control_id) > LONGEST_CONTROL_ID:
        raise _too_long("MSH-10")
    if len(sent.text) > LONGEST_READ:
        _read_fields_are_bearable(sent)
    if len(sent.text) > LONGEST:
        _all_fields_are_bearable(sent)


def _read_fields_are_bearable(sent: Sent) -> None:
    for kind, number, text in _read(sent):
        if len(text) > LONGEST_READ:
            raise _too_long(f"{kind}-{number}")


def _all_fields_are_bearable(sent: Sent) -> None:
    for line in sent.text.replace("\n", "\r").split("\r"):
        if len(line) > LONGEST and max(map(len, line.split(sent.head.separators[0]))) > LONGEST:
            raise _too_long(line[:3] if line[:3].isalnum() and line[:3].isascii() else "")


def _read(sent: Sent) -> Iterator[tuple[str, int, str]]:
    for line in sent.lines:
        kind, fields = line[:3], line.split(sent.head.separators[0])
        for number in READ[kind]:
            if number < len(fields):
                yield kind, number, fields[number]


def _lengths(sent: Sent) -> None:
    for kind, fields in sent.segments:
        for number, most in MOST_CHARACTERS[kind].items():
            if number < len(fields) and len(fields[number]) > most and _longest(fields[number], sent) > most:
                raise _too_long(f"{kind}-{number}")


def _longest(text: str, sent: Sent) -> int:
    """Characters of the longest repetition."""
    return max(map(len, text.split(sent.head.separators[2])))


def _too_long(where: str) -> Unreadable:
    return Unreadable("The field is longer than allowed", where, "104")


def _patient_has_a_number(sent: Sent) -> None:
    """The first PID, as the hub reads it."""
    fields = next((fields for kind, fields in sent.segments if kind == "PID"), None)
    if fields is None:
        raise Unreadable("No patient segment", "PID", "100")
    numbers = _numbers(sent, fields, NUMBERS)
    if is_ascribable(numbers, sent.head.facility_code) or _is_insured_with_a_cin(sent):
        return
    if not any(identifier.id for identifier in numbers):
        raise Unreadable("No patient number", "PID-3", "101")
    said = (sent.parts(fields[number]) for number in NUMBERS if number < len(fields))
    if not any(len(each) > 3 and any(each[3]) for field in said for each in field):
        raise Unreadable("No assigning authority and no record number of the facility", "PID-3", "101")


def _is_insured_with_a_cin(sent: Sent) -> bool:
    found = (
        sent.parts(fields[number])
        for kind, numbers in INSURED.items()
        for fields in sent.of(kind)
        for number in numbers
        if number < len(fields)
    )
    return any(as_cin(each[0][0]) for field in found for each in field)


def _birth_dates(sent: Sent) -> None:
    for kind, fields in sent.segments:
        born = fields[7] if kind == "PID" and len(fields) > 7 else ""
        if born and born != NULL:
            said = born.strip() if born.isalnum() else sent.parts(born)[0][0][0].strip()
            if said != NULL:
                dates.read(said, "PID-7")


def _merges(sent: Sent) -> None:
    """Each PID has its MRG, and it names somebody else."""
    if EVENTS[sent.head.event].scope != MERGE:
        return
    patient: list[str] | None = None
    for kind, fields in sent.segments:
        if kind == "PID":
            _must_be_closed(patient)
            patient = fields
        elif kind == "MRG":
            _not_itself(sent, _numbers(sent, patient or [], NUMBERS), _numbers(sent, fields, (1, 4)))
            patient = None
    _must_be_closed(patient)


def _must_be_closed(patient: list[str] | None) -> None:
    if patient is not None:
        raise Unreadable("No merge segment", "MRG", "100")


def _not_itself(sent: Sent, kept: list[CX], absorbed: list[CX]) -> None:
    if not any(identifier.id for identifier in absorbed):
        raise Unreadable("The merge does not say which patient goes", "MRG-1", "101")
    try:
        refuse_merge_with_itself(kept, absorbed, sent.head.facility_code)
    except Unmatched:
        return  # numbers of several authorities: a person must look


def _numbers(sent: Sent, fields: list[str], places: Iterable[int]) -> list[CX]:
    said = (sent.parts(fields[number]) for number in places if number < len(fields) and fields[number])
    return [identifier for field in said for identifier in CXS(field, "PID-3")]


def _escapes(sent: Sent) -> None:
    marks = sent.head.separators
    if sent.text.find(marks[3], BEHIND_MARKS) < 0:
        return
    for kind, number, text in _read(sent):
        if marks[3] in text:
            for part in _leaves(sent.parts(text)):
                unescape(part, marks, sent.codec, f"{kind}-{number}")


def _leaves(field: Field) -> Iterator[str]:
    return (part for repetition in field for component in repetition for part in component)


CHECKS: tuple[Callable[[Sent], None], ...] = (
    _fields_are_bearable,
    _patient_has_a_number,
    _merges,
    _lengths,
    _birth_dates,
    _escapes,
)
