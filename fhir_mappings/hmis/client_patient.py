"""Client.csv -> the Patient as HMIS says it, for matching, and the Patient of whom nobody else knows.

Rules: US Core 6.1.0 Patient, us-core-race, us-core-ethnicity; data-absent-reason. HUD 3.01 to 3.05, 4.21:
- PersonalID is the number of one HMIS implementation, and never a CIN.
- How good name, birth date and SSN are (1 full, 2 partial) goes with them as an extension: matching weighs it.
- Of an SSN the last four digits are kept, and no more.
- `Sex` (FY2026) is the gender; of FY2024's columns only a person who is nothing but Woman, or nothing but Man, has
  female or male. What nobody said is left out.
- Race and ethnicity are one question: whoever answered it and is not Hispanic says `No` there.
- A hashed export says digests in place of names (hub.identity.hashed); a name that is masked is said to be so.
Refuses: codes without a row (Unmapped).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.labels import labelled
from fhir_mappings.hmis.systems import of_feed
from hub.feeds.records import Feed, Resource
from hub.fhir.systems import CDC_RACE_ETHNICITY, US_CORE
from hub.identity.patient import DATA_QUALITY, HASHED_NAME, US_SSN

Values = Mapping[str, Any]
Element = dict[str, Any]
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
NOUN = "client"
USABLE = ("1", "2")  # full, partial
_LAST_FOUR = re.compile(r"[0-9]{4}\Z")
_FIRST_FOUR = re.compile(r"[0-9]{4}(?=.)")

OMB, DETAILED = "ombCategory", "detailed"
# column, CDC code, display, part of the extension
RACES: Final = (
    ("AmIndAKNative", "1002-5", "American Indian or Alaska Native", OMB),
    ("Asian", "2028-9", "Asian", OMB),
    ("BlackAfAmerican", "2054-5", "Black or African American", OMB),
    ("NativeHIPacific", "2076-8", "Native Hawaiian or Other Pacific Islander", OMB),
    ("White", "2106-3", "White", OMB),
    ("MidEastNAfrican", "2118-8", "Middle Eastern or North African", DETAILED),
)
HISPANIC: Final = {
    "1": ("2135-2", "Hispanic or Latino"),
    "0": ("2186-5", "Non Hispanic or Latino"),
}
NOBODY_KNOWS: Final = {"8": ("ASKU", "asked but unknown"), "9": ("ASKU", "asked but unknown")}
SEXES: Final = {"0": "female", "1": "male", "8": "unknown", "9": "unknown", "99": "unknown"}
IDENTITIES = ("CulturallySpecific", "NonBinary", "Transgender", "Questioning", "DifferentIdentity")


def patient(client: Values, feed: Feed) -> Resource:
    """The Patient that a row of Client.csv is."""
    made: Resource = {
        "resourceType": "Patient",
        "identifier": [*_identifiers(client, feed)],
        "name": [_name(client)],
    }
    if extensions := [*_race(client), *_ethnicity(client)]:
        made["extension"] = extensions
    if gender := gender_of(client):
        made["gender"] = gender
    if "DOB" in client and (quality := client["DOBDataQuality"]) in USABLE:
        made |= {"birthDate": client["DOB"], "_birthDate": {"extension": [_quality(quality)]}}
    return labelled(made)


def gender_of(client: Values) -> str:
    """Empty where nobody said it. Raises Unmapped."""
    if sex := client.get("Sex"):
        code_lists.label("4.21", sex, "Sex")
        return SEXES[sex]
    if client.get("GenderNone"):
        return "unknown"
    said = {name for name in ("Woman", "Man", *IDENTITIES) if client.get(name) == "1"}
    return (
        {"Woman": "female", "Man": "male"}.get(said.pop(), "other") if len(said) == 1 else "other" if said else ""
    )


def _identifiers(client: Values, feed: Feed) -> Iterator[Element]:
    yield {"system": of_feed(feed, NOUN), "value": client["PersonalID"]}
    if (four := _last_four(client)) and (quality := client["SSNDataQuality"]) in USABLE:
        yield {"system": US_SSN, "value": f"xxxxx{four}", "extension": [_quality(quality)]}


def _last_four(client: Values) -> str:
    """In a hashed export they stand in front of the digest."""
    found = (_FIRST_FOUR.match if "HashScheme" in client else _LAST_FOUR.search)(client.get("SSN", ""))
    return found[0] if found else ""


def _name(client: Values) -> Element:
    quality = client["NameDataQuality"]
    if "HashScheme" in client:
        return {"extension": [_hashed(client), _quality(quality), _missing("masked")]}
    said = {
        "family": client.get("LastName"),
        "given": [one for name in ("FirstName", "MiddleName") if (one := client.get(name))],
        "suffix": [one] if (one := client.get("NameSuffix")) else [],
    }
    found: Element = {key: value for key, value in said.items() if value}
    if not ({"family", "given"} & found.keys()):
        return {"extension": [_quality(quality), _missing(code_lists.ABSENT.get(quality, "unknown"))]}
    return {"extension": [_quality(quality)], **found}


def _hashed(client: Values) -> Element:
    said = (("scheme", "HashScheme"), ("family", "LastName"), ("given", "FirstName"))
    parts = [{"url": url, "valueString": client[column]} for url, column in said if column in client]
    return {"url": HASHED_NAME, "extension": parts}


def _quality(code: str) -> Element:
    return {"url": DATA_QUALITY, "valueCode": code}


def _missing(reason: str) -> Element:
    return {"url": ABSENT, "valueCode": reason}


def _race(client: Values) -> Iterator[Element]:
    told = [row for row in RACES if client.get(row[0]) == "1"]
    words = [display for _, _, display, _ in told]
    parts = [_part(kind, CDC_RACE_ETHNICITY, code, display) for _, code, display, kind in told]
    if more := client.get("AdditionalRaceEthnicity"):
        words.append(more)
    if not told and (none := NOBODY_KNOWS.get(client.get("RaceNone", ""))):
        parts, words = [_part(OMB, NULL_FLAVOR, *none)], [code_lists.label("1.8", client["RaceNone"], "RaceNone")]
    if parts or words:
        yield {"url": f"{US_CORE}us-core-race", "extension": [*parts, _text(", ".join(words))]}


def _ethnicity(client: Values) -> Iterator[Element]:
    said = client.get("HispanicLatinao", client.get("HispanicLatinaeo", ""))
    if (found := HISPANIC.get(said)) and not (said == "0" and _nobody_answered(client)):
        part = _part(OMB, CDC_RACE_ETHNICITY, *found)
        yield {"url": f"{US_CORE}us-core-ethnicity", "extension": [part, _text(found[1])]}


def _nobody_answered(client: Values) -> bool:
    return "RaceNone" in client or not any(client.get(row[0]) == "1" for row in RACES)


def _part(url: str, system: str, code: str, display: str) -> Element:
    return {"url": url, "valueCoding": {"system": system, "code": code, "display": display}}


def _text(words: str) -> Element:
    return {"url": "text", "valueString": words}
