"""What is sent back about a file of X12: TA1 for interchanges, 999 for groups and transaction sets.

Rules: X12.5 (TA1), 005010X231A1 (999)
- A TA1 where the sender asks for one (ISA14 1) or the interchange has errors; a 999 for each one that is not
  rejected.
- An answer has the control numbers of what it answers: the same file gives the same answer, but for its time.
- It names places, never values (IK404 is left out): the sender has the file.
- A group that is rejected by itself lists no sets: none was judged.
Refuses nothing; what is no interchange at all gets no answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from adapters.x12.verdicts import (
    MISCOUNTED_GROUPS,
    MISCOUNTED_SEGMENTS,
    MISCOUNTED_SETS,
    Examined,
    Finding,
    Group,
    Interchange,
    TransactionSet,
)

VERSION = "005010X231A1"
_ELEMENT_ERRORS = "8"  # IK304: the segment has element errors, which IK4 lists
_MOST_CODES = 5  # of IK502 and AK905


def ta1_file(examined: Examined, at: datetime) -> bytes:
    """All TA1 of a file; empty where none is owed."""
    return _text(line for one in examined.interchanges if _owes_ta1(one) for line in _ta1(one, at))


def file_999(examined: Examined, at: datetime) -> bytes:
    """All 999 of a file; empty where every interchange is rejected."""
    taken = (one for one in examined.interchanges if not one.rejected and one.groups)
    return _text(line for one in taken for line in _999(one, at))


def _owes_ta1(one: Interchange) -> bool:
    return one.verdict != "A" or one.element(14) == "1"


def _ta1(one: Interchange, at: datetime) -> Iterator[str]:
    note = one.note or (MISCOUNTED_GROUPS if one.miscounted else "000")
    date, time = _digits(one.element(9), 6), _digits(one.element(10), 4)
    yield _isa(one, at)
    yield f"TA1*{_control(one)}*{date}*{time}*{one.verdict}*{note}"
    yield f"IEA*0*{_control(one)}"


def _999(one: Interchange, at: datetime) -> Iterator[str]:
    yield _isa(one, at)
    for group in one.groups:
        yield f"GS*FA*{group.receiver}*{group.sender}*{at:%Y%m%d}*{at:%H%M%S}*{group.control}*X*{VERSION}"
        yield from _counted(["ST*999*0001*" + VERSION, *_of_group(group)])
        yield f"GE*1*{group.control}"
    yield f"IEA*{len(one.groups)}*{_control(one)}"


def _counted(lines: Sequence[str]) -> Iterator[str]:
    yield from lines
    yield f"SE*{len(lines) + 1}*0001"


def _of_group(group: Group) -> Iterator[str]:
    yield f"AK1*{group.kind}*{group.control}*{group.version}"
    for one in () if group.rejected else group.sets:
        yield from _of_set(one)
    received = len(group.sets)
    told = ["AK9", group.verdict, str(group.declared or received), str(received), str(group.accepted)]
    codes = group.faults or ([MISCOUNTED_SETS] if group.miscounted else [])
    yield "*".join([*told, *codes[:_MOST_CODES]])


def _of_set(one: TransactionSet) -> Iterator[str]:
    yield "*".join(filter(None, ("AK2", one.name, one.control, one.version)))
    by_segment: dict[tuple[int, str], list[Finding]] = {}
    for finding in sorted(one.findings, key=lambda found: found.place):
        by_segment.setdefault((finding.place, finding.segment), []).append(finding)
    for findings in by_segment.values():
        yield from _of_segment(findings)
    codes = one.faults or [*([MISCOUNTED_SEGMENTS] if one.miscounted else []), *(["5"] if one.findings else [])]
    yield "*".join(["IK5", one.verdict, *codes[:_MOST_CODES]])


def _of_segment(findings: Sequence[Finding]) -> Iterator[str]:
    first = findings[0]
    for code in dict.fromkeys(_ELEMENT_ERRORS if finding.element else finding.code for finding in findings):
        yield f"IK3*{first.segment}*{first.place}**{code}"
        if code == _ELEMENT_ERRORS:
            yield from (_of_element(finding) for finding in findings if finding.element)


def _of_element(one: Finding) -> str:
    place = f"{one.element}:{one.component}" if one.component else str(one.element)
    return f"IK4*{place}*{one.reference}*{one.code}"


def _isa(one: Interchange, at: datetime) -> str:
    """From whom it went to, to whom it came from."""
    version = one.element(12) if _digits(one.element(12), 5) == one.element(12) else "00501"
    parties = (_wide(one.element(7) or "ZZ", 2), _wide(one.element(8), 15), _wide(one.element(5) or "ZZ", 2))
    told = (
        "ISA",
        "00",
        " " * 10,
        "00",
        " " * 10,
        *parties,
        _wide(one.element(6), 15),
        f"{at:%y%m%d}",
        f"{at:%H%M}",
    )
    usage = one.element(15) if one.element(15) in ("P", "T") else "P"
    return "*".join((*told, "^", version, _control(one), "0", usage, ":"))


def _control(one: Interchange) -> str:
    return _digits(one.control, 9)


def _digits(text: str, length: int) -> str:
    """That many digits; zeros where it is none."""
    return text.zfill(length) if text.isascii() and text.isdigit() and len(text) <= length else "0" * length


def _wide(text: str, width: int) -> str:
    clean = "".join(char if char.isascii() and char.isprintable() and char not in "*~:^" else " " for char in text)
    return clean[:width].ljust(width)


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}~\n" for line in lines).encode("ascii", "replace")
