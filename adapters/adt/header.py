"""The message header alone: what an acknowledgment needs, in microseconds and before anything is believed.

Rules: HL7 v2.5.1 chapter 2.15.9 (MSH), 2.5.4 (delimiters). Values are as sent (not unescaped), read as ISO 8859-1
so that every byte goes back as it came.
Refuses: bytes that do not begin with an MSH segment and its delimiters (NoHeader, table 0357 code 100).
"""

from typing import NamedTuple

from fhir_mappings.adt.problems import Unreadable

STANDARD = "|^~\\&"
_NEEDED = 19  # parts of an MSH up to MSH-18, which is the last that is read
_SHORTEST = 8  # MSH, four delimiters and the next field separator


class NoHeader(Unreadable):
    def __init__(self) -> None:
        super().__init__("The message does not begin with MSH", "MSH", "100")


class Header(NamedTuple):
    """`separators` in the order field, component, repetition, escape, subcomponent."""

    separators: str
    application: str  # MSH-3
    facility: str  # MSH-4
    receiving_application: str
    receiving_facility: str
    sent_at: str  # MSH-7
    message_type: str  # MSH-9.1
    event: str  # MSH-9.2
    control_id: str  # MSH-10
    processing_id: str  # MSH-11.1
    version: str  # MSH-12.1
    accept_ack: str  # MSH-15
    application_ack: str  # MSH-16
    charset: str  # MSH-18, its repetitions (if there are several) between ~

    @property
    def facility_code(self) -> str:
        """MSH-4.1."""
        return self.facility.partition(self.separators[1])[0]

    @property
    def enhanced(self) -> bool:
        """Enhanced acknowledgment mode: the sender wants a commit acknowledgment (CA, CE, CR)."""
        return bool(self.accept_ack or self.application_ack)


def header(raw: bytes) -> Header:
    """The header of a message. Raises NoHeader."""
    line = first_line(raw).decode("latin-1")
    if line[:3] != "MSH" or len(line) < _SHORTEST or line[3].isalnum():
        raise NoHeader
    field = line[3]
    parts = line.split(field, _NEEDED)
    parts += [""] * (_NEEDED - len(parts))
    if len(parts[1]) < 2:
        raise NoHeader
    separators = field + (parts[1] + STANDARD[len(parts[1]) + 1 :])[:4]
    component = separators[1]
    message_type, _, rest = parts[8].partition(component)
    return Header(
        separators,
        parts[2],
        parts[3],
        parts[4],
        parts[5],
        parts[6],
        message_type,
        rest.partition(component)[0],
        parts[9],
        parts[10].partition(component)[0],
        parts[11].partition(component)[0],
        parts[14],
        parts[15],
        parts[17].replace(separators[2], STANDARD[2]),
    )


def first_line(raw: bytes) -> bytes:
    """Up to the first CR or LF, whichever comes first, without blank lines before it."""
    start = raw[:4096] if len(raw) > 4096 else raw
    start = start.lstrip(b"\r\n")
    return start.partition(b"\r")[0].partition(b"\n")[0]
