"""ISA: the one segment of fixed length, which says how all others are separated.

Rules: X12.5 interchange control structures, ISA of version 5010: 106 bytes with its terminator, 16 elements at
fixed places; byte 4 is the element separator, ISA11 the repetition separator, ISA16 the component separator, the
byte after it the segment terminator.
Refuses: another length, separators that are letters, digits or spaces, or that are not four different ones (of
version 00401 three: its ISA11 is a standard's letter).
"""

from dataclasses import dataclass

LENGTH = 106
_PLACES = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)  # of the element separators
_COMPONENT, _TERMINATOR, _REPETITION = 104, 105, 82
_STANDARD = "U"  # ISA11 before version 00402


@dataclass(frozen=True, slots=True)
class Separators:
    element: str
    component: str
    repetition: str
    terminator: str


def separators(start: bytes) -> Separators | None:
    """Those of an interchange that begins so, or None where that is no ISA."""
    if len(start) < LENGTH or not start.startswith(b"ISA"):
        return None
    text = start[:LENGTH].decode("latin-1")
    if {text[place] for place in _PLACES} != {text[3]} or text[:LENGTH].count(text[3]) != len(_PLACES):
        return None
    found = Separators(text[3], text[_COMPONENT], text[_REPETITION], text[_TERMINATOR])
    return found if _can_separate(found) else None


def _can_separate(found: Separators) -> bool:
    needed = [found.element, found.component, found.terminator]
    if found.repetition != _STANDARD:
        needed.append(found.repetition)
    return len(set(needed)) == len(needed) and all(_is_separator(char) for char in needed)


def _is_separator(char: str) -> bool:
    return char.isascii() and not char.isalnum() and char not in " \0\r"
