"""A member row of an 834 -> the person as the plan says it, a US Core Patient.

Rules: 005010X220A1 loops 2000 and 2100; US Core 6.1.0 Patient; docs/plan-834.md
- Who it is: the CIN, and the Medicare number where it has the form of one (CMS: Medicare Beneficiary Identifier).
  The subscriber number is the plan's own: it goes with the Patient and decides nothing.
- What the file does not say is written as US Core's rule for missing data says.
Refuses (Unmapped): sexes, languages, races and kinds of contact without a row.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.plan import x12_tables
from fhir_mappings.plan.x12_elements import US_MBI, Element, coding, concept, filled, typed_identifier
from hub.feeds.records import Feed, Unmapped
from hub.fhir.systems import BCP_47, CDC_RACE_ETHNICITY, CIN_SYSTEM, US_CORE

Values = Mapping[str, Any]
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
MBI = re.compile(
    r"[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y]{2}\d\d"
)
SEX = {"F": "female", "M": "male", "U": "unknown", "": "unknown"}  # DMG03
# PER03 -> system, use (X12 element 365)
CONTACT = {
    "TE": ("phone", ""),
    "HP": ("phone", "home"),
    "CP": ("phone", "mobile"),
    "WP": ("phone", "work"),
    "AP": ("phone", ""),
    "BN": ("pager", ""),
    "FX": ("fax", ""),
    "EM": ("email", ""),
}
NO_CONTACT = frozenset(("EX",))  # an extension says nothing without its number


def patient(values: Values, feed: Feed) -> Element:
    return filled(
        {
            "resourceType": "Patient",
            "extension": [*_races(values, feed)],
            "identifier": identifiers(values, feed),
            "name": [_name(values)],
            "telecom": [*_telecoms(values)],
            "gender": _sex(values),
            "birthDate": values.get("birth_date"),
            "deceasedDateTime": values.get("death_date"),
            "address": [*_addresses(values, feed)],
            "communication": [*_languages(values, feed)],
        }
    )


def strong(feed: Feed) -> dict[str, str]:
    return {cin_system(feed): "cin", US_MBI: "mbi"}


def cin_system(feed: Feed) -> str:
    return str(feed.options.get("cin_system") or CIN_SYSTEM)


def identifiers(values: Values, feed: Feed) -> list[Element]:
    medicare = values.get("medicare_number", "").upper()
    told = (
        ("MA", cin_system(feed), values.get("cin", "")),
        ("MC", US_MBI, medicare if MBI.fullmatch(medicare) else ""),
        ("MB", f"{feed.system}/member", values.get("subscriber", "")),
    )
    return [typed_identifier(type_code, system, value) for type_code, system, value in told if value]


def _name(values: Values) -> Element:
    given = [name for name in (values.get("first_name"), values.get("middle_name")) if name]
    suffix = [values["suffix"]] if values.get("suffix") else []
    return filled({"use": "official", "family": values.get("last_name"), "given": given, "suffix": suffix})


def _sex(values: Values) -> str:
    said = values.get("gender", "")
    if said not in SEX:
        raise Unmapped("x12-sex", said, "DMG03")
    return SEX[said]


def _telecoms(values: Values) -> Iterator[Element]:
    for one in values.get("telecoms", ()):
        if one["kind"] in NO_CONTACT:
            continue
        if one["kind"] not in CONTACT:
            raise Unmapped("x12-contact", one["kind"], "PER03")
        system, use = CONTACT[one["kind"]]
        yield filled({"system": system, "value": one["number"], "use": use})


def _addresses(values: Values, feed: Feed) -> Iterator[Element]:
    for name, kind in (("address", {"use": "home"}), ("mailing_address", {"type": "postal"})):
        said = values.get(name)
        if said:
            county = x12_tables.rows(feed, "x12_county").get((said.get("county", ""),), ())
            yield {**kind, **_address(said, county[0]["county"] if county else "")}


def _address(said: Values, county: str) -> Element:
    return filled(
        {
            "line": said.get("lines"),
            "city": said.get("city"),
            "district": county,
            "state": said.get("state"),
            "postalCode": said.get("postal"),
            "country": said.get("country"),
        }
    )


def _languages(values: Values, feed: Feed) -> Iterator[Element]:
    """LUI01 and LUI02; one language said for reading and for speaking is one."""
    told: dict[str, Element] = {}
    for one in values.get("languages", ()):
        code = one.get("code", "")
        if not code:
            continue
        found = x12_tables.rows(feed, "x12_language").get((one.get("kind", ""), code.upper()))
        if not found:
            raise Unmapped("x12_language", code, "LUI02")
        if found[0]["language"]:
            told[code] = {"language": concept(BCP_47, found[0]["language"], found[0]["display"])}
    yield from told.values()


def _races(values: Values, feed: Feed) -> Iterator[Element]:
    """The US Core extensions of race and ethnicity. A row without kind: known, and says nothing."""
    rows = [_race(said, feed) for said in values.get("races", ())]
    for kind, most in (("race", 5), ("ethnicity", 1)):
        mine = [row for row in rows if row["kind"] == kind]
        if mine:
            yield {"url": f"{US_CORE}us-core-{kind}", "extension": [*_race_parts(mine, most)]}


def _race(said: str, feed: Feed) -> Mapping[str, str]:
    """`:RET:2054-5` by its code, else the letter or digit of the older list."""
    parts = said.split(":")
    key = f"RET:{parts[2]}" if len(parts) > 2 and parts[1] == "RET" else parts[0]
    found = x12_tables.rows(feed, "x12_race").get((key,))
    if not found:
        raise Unmapped("x12_race", key, "DMG05")
    return found[0]


def _race_parts(rows: list[Mapping[str, str]], most: int) -> Iterator[Element]:
    categories = {row["category"]: row["category_display"] for row in rows if row["category"]}
    for code, display in list(categories.items())[:most]:
        yield {"url": "ombCategory", "valueCoding": coding(CDC_RACE_ETHNICITY, code, display)}
    for row in rows:
        code = row["code"].removeprefix("RET:")
        if code != row["category"] and "-" in code:
            yield {"url": "detailed", "valueCoding": coding(CDC_RACE_ETHNICITY, code, row["display"])}
    yield {"url": "text", "valueString": ", ".join(dict.fromkeys(row["display"] for row in rows))}
