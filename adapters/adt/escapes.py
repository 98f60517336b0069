"""v2 escape sequences -> text.

Rules: HL7 v2.5.1 chapter 2.7. Highlighting is dropped, line commands become line ends, hexadecimal bytes are read
in the message's character set. Sequences nobody defined (`\\Zx\\`, character set switches) stay as they are.
Refuses: a sequence that does not end, hexadecimal that is none or no text (Unreadable, 102).
"""

from fhir_mappings.adt.problems import Unreadable

_NAMES = "FSRET"
_DROPPED = frozenset(("H", "N"))
_LINE_ENDS = (".br", ".sp", ".ce")


def unescape(text: str, marks: str, encoding: str, where: str) -> str:
    """`marks` are the message's delimiters: field, component, repetition, escape, subcomponent."""
    escape = marks[3]
    if escape not in text:
        return text
    pieces = text.split(escape)
    if len(pieces) % 2 == 0:
        raise Unreadable("An escape sequence does not end", where)
    for index in range(1, len(pieces), 2):
        pieces[index] = _meaning(pieces[index], marks, encoding, where)
    return "".join(pieces)


def _meaning(sequence: str, marks: str, encoding: str, where: str) -> str:
    if len(sequence) == 1 and sequence in _NAMES:
        return marks[_NAMES.index(sequence)]
    if sequence in _DROPPED:
        return ""
    if sequence.startswith(_LINE_ENDS):
        return "\n"
    if sequence.startswith("X"):
        return _hexadecimal(sequence[1:], encoding, where)
    return f"{marks[3]}{sequence}{marks[3]}"


def _hexadecimal(digits: str, encoding: str, where: str) -> str:
    try:
        return bytes.fromhex(digits).decode(encoding)
    except ValueError:
        raise Unreadable("A hexadecimal escape is not text", where) from None
