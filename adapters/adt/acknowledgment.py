"""ACK messages, and what the header alone already refuses.

Rules: HL7 v2.5.1 chapters 2.9.2 and 2.9.3 (original and enhanced mode), 2.15.8 (MSA), 2.15.5 (ERR), tables 0008
and 0357. An AA or CA means: safe with us. A fault of our own is answered with silence, never with AE: senders drop
what is NACKed.
The answer is in the sender's delimiters; before version 2.5 the error stands in ERR-1 and MSA-3.
"""

import re
from datetime import datetime

from adapters.adt.header import STANDARD, Header
from fhir_mappings.adt.events import EVENTS

Error = tuple[str, str, str]  # table 0357 code, place such as PID-7, text

DEFAULT_VERSION = "2.5.1"
_VERSION = re.compile(r"2\.(?:[1-8]|3\.1|5\.1|7\.1|8\.[12])")
_CODE = re.compile(rb"\rMSA[^\r]([AC][AER])")
_ERRORS_IN_FIELDS_2_TO_4 = re.compile(r"2\.[5-8].*")
_TEXTS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}


def ack(
    header: Header | None,
    code: str,
    at: datetime,
    control_id: str,
    error: Error | None = None,
    wants: tuple[str, str] = ("", ""),
) -> bytes:
    """The acknowledgment. `code` is of table 0008, `at` aware, `control_id` that of the ACK itself; `wants` is what
    it asks for itself (MSH-15, MSH-16)."""
    marks = header.separators if header else STANDARD
    segments = [_msh(header, marks, at, control_id, wants), _msa(header, marks, code, error)]
    if error:
        segments.append(_err(header, marks, error))
    return "".join(segment + "\r" for segment in segments).encode("latin-1", "replace")


def codes(answer: bytes) -> list[str]:
    """The codes of an acknowledgment of ours, or of a batch of them, in order."""
    return [found.decode() for found in _CODE.findall(answer)]


def refusal(header: Header | None, production: bool = True) -> tuple[str, Error] | None:
    """What must be refused from the header alone: (AR, or CR in enhanced mode, and the error), or None. HL7 keeps
    CR for MSH-9, MSH-11 and MSH-12; a missing control id is CE there."""
    if header is None:
        return "AR", ("100", "MSH-1", "No message header")
    for wrong, code, where in _checks(header, production):
        if wrong:
            rejected = "CE" if where == "MSH-10" else "CR"
            return rejected if header.enhanced else "AR", (code, where, _TEXTS[code])
    return None


def _checks(header: Header, production: bool) -> tuple[tuple[bool, str, str], ...]:
    return (
        (header.message_type != "ADT", "200", "MSH-9"),
        (header.event not in EVENTS, "201", "MSH-9"),
        (production and header.processing_id != "P", "202", "MSH-11"),
        (not _VERSION.fullmatch(header.version), "203", "MSH-12"),
        (not header.control_id, "101", "MSH-10"),
    )


def _msh(header: Header | None, marks: str, at: datetime, control_id: str, wants: tuple[str, str]) -> str:
    to = header or _NOBODY
    component = marks[1]
    kind = f"ACK{component}{to.event}" if to.event else "ACK"
    moment = at.strftime("%Y%m%d%H%M%S%z")
    fields = [
        "MSH",
        marks[1:],
        to.receiving_application,
        to.receiving_facility,
        to.application,
        to.facility,
        moment,
        "",
        kind,
        _escaped(control_id, marks),
        to.processing_id or "P",
        to.version if _VERSION.fullmatch(to.version) else DEFAULT_VERSION,
    ]
    more = ["", "", *wants, "", to.charset.replace(STANDARD[2], marks[2])]
    fields += more if to.charset else more[:4] if any(wants) else []
    return marks[0].join(fields)


def _msa(header: Header | None, marks: str, code: str, error: Error | None) -> str:
    fields = ["MSA", code, header.control_id if header else ""]
    if error and not _modern(header):
        fields.append(_escaped(error[2], marks))
    return marks[0].join(fields)


def _err(header: Header | None, marks: str, error: Error) -> str:
    code, where, text = error
    field, component, subcomponent = marks[0], marks[1], marks[4]
    segment, _, number = where.partition("-")
    coded = (code, _TEXTS.get(code, ""), "HL70357")
    if not _modern(header):
        return field.join(("ERR", component.join((segment, "1", number, subcomponent.join(coded)))))
    location = component.join((segment, "1", number)) if number else segment
    return field.join(("ERR", "", location, component.join(coded), "E", "", "", "", _escaped(text, marks)))


def _modern(header: Header | None) -> bool:
    return (
        header is None
        or not _VERSION.fullmatch(header.version)
        or bool(_ERRORS_IN_FIELDS_2_TO_4.fullmatch(header.version))
    )


def _escaped(text: str, marks: str) -> str:
    """Delimiters of the sender in our own text become escape sequences."""
    escape = marks[3]
    names = dict(zip(marks, "FSRET", strict=True))
    return "".join(f"{escape}{names[char]}{escape}" if char in names else char for char in text)


_NOBODY = Header(STANDARD, *[""] * 13)
