"""Subscription.channel.header: lines that go with every notice.

Rules: https://hl7.org/fhir/R4/subscription-definitions.html#Subscription.channel.header and RFC 9110 section 5
Refuses (kind `value`): control characters and anything else outside printable ASCII, lines over 4 KB, more than
16 lines, a name twice, and names that are the hub's to say: where the request goes, how it is framed, what it
holds, and its signature.
"""

import re
from collections.abc import Iterator, Sequence

LONGEST = 4096
MOST = 16
LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): *([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
OURS = re.compile(
    r"host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|accept-encoding|cookie"
    r"|(?:content|webhook|proxy)-.*",
    re.IGNORECASE,
)


def faults(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(place, what is wrong) for each line that cannot be sent. Never quotes a line: it may hold a secret."""
    seen: set[str] = set()
    for place, line in enumerate(lines):
        if place >= MOST:
            yield place, f"At most {MOST} header lines are sent"
            return
        if fault := _fault(line, seen):
            yield place, fault


def _fault(line: str, seen: set[str]) -> str:
    if len(line) > LONGEST:
        return f"A header line has at most {LONGEST} characters"
    found = LINE.fullmatch(line)
    if found is None:
        return "A header line reads 'Name: value' in printable ASCII"
    name = found[1].lower()
    if OURS.fullmatch(name):
        return "This header is the hub's to set"
    if name in seen:
        return "A header is named once"
    seen.add(name)
    return ""


def parsed(lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(name, value) of the lines that can be sent."""
    wrong = {place for place, _ in faults(lines)}
    found = (LINE.fullmatch(line) for place, line in enumerate(lines) if place not in wrong)
    return tuple((line[1], line[2]) for line in found if line)
