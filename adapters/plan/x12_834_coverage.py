"""HD loop -> the row of a coverage: one health care plan (HCP) of a member from a day on.

Rules: 005010X220A1 loop 2300; the DHCS shape as public samples show it (docs/plan-834.md): HD04 is the HCP's code
and its status, separated by a semicolon; REF*CE pairs of aid code and eligibility status; REF*9V the Medicare parts
A, B and D.
- Key: member, insurance line (HD03), HCP and first day. The same again says the newer state of the same coverage.
- HD01 002 takes it back: it was told in error.
Refuses: coverages without first day or HCP, maintenance codes that 2300 does not have, days and amounts that are
none.
"""

from collections.abc import Mapping
from typing import Any

from adapters.plan.x12_values import Reading, amount, day
from adapters.x12.segments import Segment

MAINTENANCE = frozenset(("001", "002", "021", "024", "025", "026", "030", "032"))
TAKEN_BACK = "002"
_DAYS = {"348": "start", "349": "end"}
_MEDICARE = ("a", "b", "d")


def coverages(segments: list[Segment], member: Mapping[str, Any]) -> list[Reading]:
    """Of the segments of a member from the first HD on; each Reading a row."""
    found: list[Reading] = []
    for segment in segments:
        if segment.name == "HD":
            found.append(_begun(segment, member))
        elif found:
            _take(found[-1], segment)
    for reading in found:
        for name, column in (("hcp", "HD04"), ("start", "DTP*348")):
            if name not in reading.values and not reading.rejects:
                reading.reject("REQUIRED", column)
    return found


def key_of(values: Mapping[str, Any], member: str) -> str:
    return "|".join((member, values.get("line", ""), values["hcp"], values["start"]))


def _begun(segment: Segment, member: Mapping[str, Any]) -> Reading:
    reading = Reading(segment.number)
    hcp, _, status = segment.element(4).partition(";")
    told = {"maintenance": segment.element(1), "line": segment.element(3), "hcp": hcp, "hcp_status": status}
    for name, value in {"plan": member.get("plan"), **told}.items():
        reading.put(name, value)
    if segment.element(1) not in MAINTENANCE:
        reading.reject("CODE", "HD01", segment.number, "a maintenance code of loop 2300")
    return reading


def _take(reading: Reading, segment: Segment) -> None:
    name, qualifier = segment.name, segment.element(1)
    if name == "DTP" and qualifier in _DAYS:
        reading.read(_DAYS[qualifier], segment.element(3), f"DTP*{qualifier}", day, segment.number)
    elif name == "AMT" and qualifier == "R":
        reading.read("share_of_cost", segment.element(2), "AMT*R", amount, segment.number)
    elif name == "REF":
        _ref(reading, qualifier, [part.strip() for part in segment.element(2).split(";")])


def _ref(reading: Reading, qualifier: str, parts: list[str]) -> None:
    reading.values.setdefault("refs", {})[qualifier] = parts
    if qualifier == "9V":
        reading.put("medicare", {part: status for part, status in zip(_MEDICARE, parts, strict=False) if status})
    elif qualifier == "CE":
        pairs = zip(parts[::2], [*parts[1::2], ""], strict=False)
        reading.put("aid_codes", [{"code": code, "status": status} for code, status in pairs if code])
    elif qualifier == "RB":
        reading.put("primary_aid", parts[0])
    elif qualifier == "ZX":
        reading.put("county", parts[0])
