"""A claim (loop 2300 with its lines 2400) -> the values of its row.

Rules: 005010X222A1, X223A2; docs/plan-837.md
- CLM05-2 says what CLM05-1 is: A the first two characters of a type of bill, B a place of service.
- Adjudicated is what a payer has dealt with: its payment (AMT*D), or a line with SVD.
- Modifiers stand in any of the four places of SV1 and SV2, in their order.
Refuses: claims without number, member or day, days that are none, member numbers that are no CIN (where the feed's
`member_key` is not `subscriber`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.plan.x12_837_parties import Parties, party
from adapters.plan.x12_values import CIN, Reading, amount, day
from adapters.x12.segments import Segment
from hub.feeds.records import Feed

_PARTIES = {"71": "attending", "72": "operating", "82": "rendering", "77": "facility", "DN": "referring"}
_REFS = {"F8": "original", "D9": "clearinghouse", "EA": "medical_record"}
_DIAGNOSES = frozenset(["ABK", "ABF", "ABJ", "APR", "ABN", "BK", "BF", "BJ", "PR", "BN"])
_PROCEDURES = frozenset(["BBR", "BBQ", "BR", "BQ"])
_HCPCS = "HC"
_PERIOD = "RD8"


def claim(segments: Sequence[Segment], parties: Parties, feed: Feed) -> Reading:
    reading = Reading(segments[0].number)
    told = {"said": parties.said, "purpose": parties.purpose, "billing": parties.billing}
    for name, value in {**told, "subscriber": parties.subscriber}.items():
        reading.put(name, value)
    for segment in segments:
        step = _STEPS.get(segment.name)
        if step:
            step(reading, segment)
    _check(reading, parties, feed)
    return reading


def _check(reading: Reading, parties: Parties, feed: Feed) -> None:
    values = reading.values
    if not values.get("claim"):
        reading.reject("REQUIRED", "CLM01")
    if not parties.is_subscriber:
        reading.reject("UNSUPPORTED", "HL*23", what="a patient who is not the subscriber")
    elif not values.get("subscriber"):
        reading.reject("REQUIRED", "NM1*IL", what="the member's number (NM109)")
    elif feed.options.get("member_key") != "subscriber" and not CIN.fullmatch(values["subscriber"]):
        reading.reject("IDENTIFIER", "NM1*IL", what="eight digits and a letter, or a card's number")
    if not reading.rejects and not _has_day(values):
        reading.reject("REQUIRED", "DTP*472", what="no day: neither of the claim nor of a line")


def _has_day(values: Mapping[str, Any]) -> bool:
    return bool(
        values.get("from") or values.get("admitted") or any(line.get("from") for line in values.get("lines", ()))
    )


def _clm(reading: Reading, segment: Segment) -> None:
    place, qualifier, frequency, *_ = [*segment.components(5), "", "", ""]
    reading.put("claim", segment.element(1))
    reading.read("charge", segment.element(2), "CLM02", amount)
    reading.put("bill_type" if qualifier == "A" else "place", place)
    reading.put("frequency", frequency)


def _dtp(reading: Reading, segment: Segment) -> None:
    what, form, text = segment.element(1), segment.element(2), segment.element(3)
    start, _, end = text.partition("-") if form == _PERIOD else (text, "", "")
    line = _line(reading)
    if what == "472" and line is not None:
        _period(reading, line, start, end, segment)
    elif what == "434":
        _period(reading, reading.values, start, end, segment)
    elif what == "435":
        reading.read("admitted", start, "DTP*435", day, segment.number)
    elif what == "096":
        reading.put("discharge_hour", text)


def _period(reading: Reading, into: dict[str, Any], start: str, end: str, segment: Segment) -> None:
    for name, text in (("from", start), ("to", end or start)):
        found = day(text)
        if found is None:
            reading.reject("DATE", f"DTP*{segment.element(1)}", segment.number)
            return
        into[name] = found


def _cl1(reading: Reading, segment: Segment) -> None:
    for place, name in ((1, "admission_type"), (2, "admission_source"), (3, "patient_status")):
        reading.put(name, segment.element(place))


def _ref(reading: Reading, segment: Segment) -> None:
    qualifier, line = segment.element(1), _line(reading)
    if line is not None and qualifier == "6R":
        line["control"] = segment.element(2)
    elif line is None and qualifier in _REFS:
        reading.put(_REFS[qualifier], segment.element(2))


def _hi(reading: Reading, segment: Segment) -> None:
    """Each element a code with its qualifier first; HI01-9 says whether it was present on admission."""
    for place in range(1, len(segment.elements)):
        use, code, *more = [*segment.components(place), ""]
        code = code.replace(".", "").upper()
        if use in _DIAGNOSES and code:
            found: list[Any] = reading.values.setdefault("diagnoses", [])
            told = {"use": use, "code": code, "on_admission": more[6] if len(more) > 6 else ""}
            found.append({name: value for name, value in told.items() if value})
        elif use in _PROCEDURES and code:
            done: list[Any] = reading.values.setdefault("procedures", [])
            on = day(more[1]) if len(more) > 1 else None
            done.append({"use": use, "code": code} | ({"on": on} if on else {}))


def _nm1(reading: Reading, segment: Segment) -> None:
    name, line = _PARTIES.get(segment.element(1)), _line(reading)
    if name and (line is None or name == "rendering"):
        into = reading.values if line is None else line
        into[name] = party(segment)


def _lx(reading: Reading, segment: Segment) -> None:
    lines: list[Any] = reading.values.setdefault("lines", [])
    lines.append({"number": segment.element(1) or str(len(lines) + 1)})


def _sv1(reading: Reading, segment: Segment) -> None:
    _service(reading, segment, procedure=1, charge=2, unit=3, units=4)
    line = reading.values["lines"][-1]
    pointers = [text for text in segment.components(7) if text.isascii() and text.isdigit()]
    line |= {"place": segment.element(5)} if segment.element(5) else {}
    line |= {"diagnoses": [int(text) for text in pointers]} if pointers else {}


def _sv2(reading: Reading, segment: Segment) -> None:
    _service(reading, segment, procedure=2, charge=3, unit=4, units=5)
    reading.values["lines"][-1]["revenue"] = segment.element(1).zfill(4)


def _service(reading: Reading, segment: Segment, procedure: int, charge: int, unit: int, units: int) -> None:
    if _line(reading) is None or "charge" in reading.values["lines"][-1]:
        _lx(reading, segment._replace(elements=("LX", "")))  # some leave out LX
    line = reading.values["lines"][-1]
    qualifier, code, *rest = [*segment.components(procedure), ""]
    if qualifier == _HCPCS and code:
        line["code"] = code.upper()
        line["modifiers"] = [text.upper() for text in rest[:4] if text]
    told = {"charge": segment.element(charge), "unit": segment.element(unit), "units": segment.element(units)}
    line |= {name: value for name, value in told.items() if value} | {"charge": told["charge"]}


def _amt(reading: Reading, segment: Segment) -> None:
    if segment.element(1) == "D" and _line(reading) is None:
        reading.read("paid", segment.element(2), "AMT*D", amount, segment.number)
        reading.values["adjudicated"] = True


def _svd(reading: Reading, segment: Segment) -> None:
    line = _line(reading)
    if line is not None:
        line["paid"] = segment.element(2)
        reading.values["adjudicated"] = True


def _line(reading: Reading) -> dict[str, Any] | None:
    lines = reading.values.get("lines")
    return lines[-1] if lines else None


_STEPS: Mapping[str, Callable[[Reading, Segment], None]] = {
    "CLM": _clm,
    "DTP": _dtp,
    "CL1": _cl1,
    "REF": _ref,
    "HI": _hi,
    "NM1": _nm1,
    "LX": _lx,
    "SV1": _sv1,
    "SV2": _sv2,
    "AMT": _amt,
    "SVD": _svd,
}
