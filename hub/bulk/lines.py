"""Lines of NDJSON, and what each of them asks for. Pure.

Rules: https://github.com/ndjson/ndjson-spec; https://hl7.org/fhir/R4/http.html#update, #cond-update. A line with
an id is an update of that id, one without is a conditional update by its first identifier: the same line twice
changes nothing.
Refuses: lines that are no resource, that have neither id nor identifier (`required`), that are too long, Bundles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search.texts import escaped

LONGEST = 10 << 20  # bytes of a line
NOT_IMPORTED = ("Bundle", "AuditEvent", "Parameters", "OperationOutcome")


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1, `end` is the place behind it in its piece."""

    number: int
    end: int
    text: bytes


def lines(piece: bytes, start: int, number: int) -> Iterator[Line]:
    """The lines of a piece behind a place, empty ones left out; `number` is that of the line before."""
    while start < len(piece):
        end = piece.find(b"\n", start)
        end = len(piece) if end < 0 else end + 1
        number += 1
        if text := piece[start:end].strip():
            yield Line(number, end, text)
        start = end


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    """A body cut at the ends of lines."""
    start = 0
    while start < len(body):
        end = len(body)
        if start + size < end:
            found = body.find(b"\n", start + size)
            end = end if found < 0 else found + 1
        yield body[start:end]
        start = end


def entry(line: Line, place: int) -> Entry:
    """The write that a line asks for. Raises Problem."""
    if len(line.text) > LONGEST:
        raise Problem("too-long", f"A line has at most {LONGEST} bytes")
    resource = json.read(line.text)
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in resource_types() or kind in NOT_IMPORTED:
        raise Problem("structure", "The line is no resource that can be imported", "resourceType")
    if "id" in resource:
        return Entry("PUT", kind, id=str(resource["id"]), resource=resource, place=place)
    return Entry("PUT", kind, query=_condition(resource), resource=resource, place=place)


def _condition(resource: dict[str, Any]) -> str:
    listed = resource.get("identifier")
    for each in listed if isinstance(listed, list) else [listed]:
        if isinstance(each, dict) and isinstance(each.get("value"), str) and isinstance(each.get("system"), str):
            return urlencode({"identifier": f"{escaped(each['system'])}|{escaped(each['value'])}"})
    raise Problem("required", "A line has an id, or an identifier with system and value", "id")
