"""INS loop -> the row of a member: what the state says of a person.

Rules: 005010X220A1 loops 2000, 2100A, 2100C; the DHCS shape of REF02 as public samples show it (docs/plan-834.md)
- Every REF is kept as it came (`refs`, taken apart at its semicolons); the table NAMED gives those a name whose
  meaning is known. QQ, ZZ and most of 6O and DX have none: nobody publishes it.
- The member is known by the CIN (REF*1L), or by the sender's own number (REF*0F) where the feed says so
  (`member_key: subscriber`).
Refuses: members without number or name, CINs that are none, dates that cannot be.
"""

from collections.abc import Callable, Mapping
from typing import Any

from adapters.plan.x12_values import CIN, USUAL_CIN, Reading, birth_day, day, month
from adapters.x12.segments import Segment
from hub.feeds.records import WARNING, Feed

MAINTENANCE = frozenset(("001", "021", "024", "025", "030"))
Named = tuple[str, Callable[[str], str | None]]


def text(value: str) -> str | None:
    return value


# REF01 -> the places of REF02 that have a name
NAMED: Mapping[str, Mapping[int, Named]] = {
    "0F": {0: ("subscriber", text)},
    "1L": {0: ("cin", text)},
    "F6": {0: ("medicare_number", text)},
    "17": {0: ("renewal_month", month), 1: ("death_date", day), 2: ("reporting_month", month)},
    "23": {0: ("cin_check_digit", text), 1: ("card_issue_date", day)},
    "3H": {0: ("county", text), 1: ("aid_code", text), 2: ("case_number", text)},
    "6O": {1: ("residence_flag", text), 2: ("address_reason", text), 4: ("zip_delivery", text)},
    "DX": {0: ("federal_contract", text), 1: ("carrier", text), 2: ("policy_start", day)},
    "Q4": {0: ("provider_id", text)},
}
_INS = {
    2: "relationship",
    3: "maintenance",
    4: "reason",
    5: "benefit_status",
    6: "medicare_status",
    8: "employment",
}
_NM1 = {3: "last_name", 4: "first_name", 5: "middle_name", 7: "suffix"}
ENTITIES = {"IL": "", "74": "", "31": "mailing"}  # NM101 -> whose address follows; others are not the member


def member(segments: list[Segment], plan: str, feed: Feed) -> Reading:
    """The segments of 2000 and 2100, up to the first HD."""
    reading, entity = Reading(segments[0].number), "74"
    reading.put("plan", plan)
    for segment in segments:
        entity = segment.element(1) if segment.name == "NM1" else entity
        step = _STEPS.get(segment.name)
        if step and (segment.name not in _OF_ENTITY or entity in ENTITIES):
            step(reading, segment, ENTITIES.get(entity, ""))
    _check(reading, feed)
    return reading


def key_of(reading: Reading, feed: Feed) -> str:
    """What the source calls the member."""
    return str(reading.values.get("subscriber" if feed.options.get("member_key") == "subscriber" else "cin", ""))


def _check(reading: Reading, feed: Feed) -> None:
    values = reading.values
    by_subscriber = feed.options.get("member_key") == "subscriber"
    cin = values.get("cin", "")
    if cin and not CIN.fullmatch(cin):
        reading.reject("IDENTIFIER", "REF*1L", what="eight digits and a letter")
    elif cin and not USUAL_CIN.fullmatch(cin):
        reading.reject(
            "IDENTIFIER", "REF*1L", what="an unusual CIN: look whether it is typed right", severity=WARNING
        )
    if not key_of(reading, feed):
        reading.reject("REQUIRED", "REF*0F" if by_subscriber else "REF*1L")
    if not values.get("last_name"):
        reading.reject("REQUIRED", "NM103")


def _ins(reading: Reading, segment: Segment, whose: str) -> None:
    for place, name in _INS.items():
        reading.put(name, segment.element(place))
    if reading.values.get("maintenance") not in MAINTENANCE:
        reading.reject("CODE", "INS03", segment.number, "001, 021, 024, 025 or 030")
    if segment.element(11) == "D8":
        reading.read("death_date", segment.element(12), "INS12", day, segment.number)


def _ref(reading: Reading, segment: Segment, whose: str) -> None:
    qualifier, parts = segment.element(1), [part.strip() for part in segment.element(2).split(";")]
    reading.values.setdefault("refs", {})[qualifier] = parts
    for place, (name, as_value) in NAMED.get(qualifier, {}).items():
        if place < len(parts):
            reading.read(name, parts[place], f"REF*{qualifier}", as_value, segment.number)


def _nm1(reading: Reading, segment: Segment, whose: str) -> None:
    if whose == "":
        for place, name in _NM1.items():
            reading.put(name, segment.element(place))


def _per(reading: Reading, segment: Segment, whose: str) -> None:
    pairs = [(segment.element(place), segment.element(place + 1)) for place in (3, 5, 7)]
    reading.put("telecoms", [{"kind": kind, "number": number} for kind, number in pairs if number])


def _n3(reading: Reading, segment: Segment, whose: str) -> None:
    lines = [line for line in (segment.element(1), segment.element(2)) if line]
    _address(reading, whose)["lines"] = lines


def _n4(reading: Reading, segment: Segment, whose: str) -> None:
    """The city's text repeats the state in the DHCS shape: `LONG BEACH CA`."""
    city, state, postal, country = (segment.element(place) for place in (1, 2, 3, 4))
    city = city.removesuffix(f" {state}") if state else city
    county = segment.element(6) if segment.element(5) == "CY" else ""
    told = {"city": city, "state": state, "postal": postal, "country": country, "county": county}
    _address(reading, whose).update({name: value for name, value in told.items() if value})


def _address(reading: Reading, whose: str) -> dict[str, Any]:
    found: dict[str, Any] = reading.values.setdefault(f"{whose}_address" if whose else "address", {})
    return found


def _dmg(reading: Reading, segment: Segment, whose: str) -> None:
    """DMG05 repeats; each is `race:RET:code`, or a letter or digit of the older list."""
    reading.read("birth_date", segment.element(2), "DMG02", birth_day, segment.number)
    reading.put("gender", segment.element(3))
    by = segment.separators
    if by and segment.element(5):
        races = segment.element(5).split(by.repetition) if by.repetition != "U" else [segment.element(5)]
        reading.put("races", [race.replace(by.component, ":") for race in races if race])


def _lui(reading: Reading, segment: Segment, whose: str) -> None:
    told = {
        "kind": segment.element(1),
        "code": segment.element(2),
        "text": segment.element(3),
        "use": segment.element(4),
    }
    languages: list[Any] = reading.values.setdefault("languages", [])
    languages.append({name: value for name, value in told.items() if value})


_STEPS: Mapping[str, Callable[[Reading, Segment, str], None]] = {
    "INS": _ins,
    "REF": _ref,
    "NM1": _nm1,
    "PER": _per,
    "N3": _n3,
    "N4": _n4,
    "DMG": _dmg,
    "LUI": _lui,
}
_OF_ENTITY = frozenset(("NM1", "PER", "N3", "N4", "DMG", "LUI"))
