"""A FHIR Patient as a Person.

Rules: https://hl7.org/fhir/R4/patient.html. The hub's own extension DATA_QUALITY (valueCode: a HUD code) on
`_birthDate`, on a name and on an SSN identifier says how good the source calls them; without it they count as full.
HASHED_NAME on a name (scheme, family, given) is what a hashed HMIS export says in its place (hub.identity.hashed).
Refuses nothing: parts that are not what FHIR says they are count as not said.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hub.fhir.systems import OWN
from hub.identity.hashed import digest_in
from hub.identity.person import FULL, Hashed, Person, Quality, Said, person
from hub.identity.strong import Identifier, Systems, identifier

US_SSN = "http://hl7.org/fhir/sid/us-ssn"
DATA_QUALITY = OWN + "StructureDefinition/data-quality"
HASHED_NAME = OWN + "StructureDefinition/hashed-name"
Part = Mapping[str, Any]


def person_of(patient: Part, source: str, systems: Systems) -> Person:
    """What this Patient says; `source` names who says it."""
    return person(
        source,
        Said(
            names=[_name(each) for each in _parts(patient, "name")],
            born=_text(patient, "birthDate"),
            sex=_text(patient, "gender"),
            phones=[_text(each, "value") for each in _parts(patient, "telecom") if _is_phone(each)],
            addresses=[_address(each) for each in _parts(patient, "address")],
            ssn=next((_text(each, "value") for each in _ssns(patient)), ""),
            order=_order(patient),
            deceased=_text(patient, "deceasedDateTime"),
            identifiers=list(_identifiers(patient, systems)),
            hashed=_hashed(patient),
            quality=_quality(patient),
        ),
    )


def _name(one: Part) -> tuple[str, list[str], str]:
    family, given = _text(one, "family"), _texts(one, "given")
    if not family and not given:  # a name in one piece: the last word is the family name
        *given, family = _text(one, "text").split() or [""]
    return family, given, " ".join(_texts(one, "suffix"))


def _address(one: Part) -> tuple[list[str], str, str]:
    return _texts(one, "line"), _text(one, "city"), _text(one, "postalCode")


def _is_phone(one: Part) -> bool:
    return one.get("system") in ("phone", "sms")


def _order(patient: Part) -> int:
    place = patient.get("multipleBirthInteger")
    if isinstance(place, int) and 0 < place < 20:
        return place
    return -1 if patient.get("multipleBirthBoolean") is True else 0


def _identifiers(patient: Part, systems: Systems) -> Iterator[Identifier]:
    for each in _parts(patient, "identifier"):
        code = next((_text(coding, "code") for coding in _parts(each.get("type"), "coding")), "")
        found = identifier(_text(each, "system"), _text(each, "value"), systems, code)
        if found:
            yield found


def _ssns(patient: Part) -> Iterator[Part]:
    return (each for each in _parts(patient, "identifier") if each.get("system") == US_SSN)


def _quality(patient: Part) -> Quality:
    name = next(iter(_parts(patient, "name")), {})
    return Quality(_code(name), _code(patient.get("_birthDate")), _code(next(_ssns(patient), {})))


def _hashed(patient: Part) -> Hashed | None:
    extensions = (each for name in _parts(patient, "name") for each in _parts(name, "extension"))
    found = next((each for each in extensions if each.get("url") == HASHED_NAME), None)
    said = {_text(part, "url"): _text(part, "valueString") for part in _parts(found, "extension")}
    if not said.get("scheme"):
        return None
    return Hashed(said["scheme"], digest_in(said.get("family", "")), digest_in(said.get("given", "")))


def _code(of: Any) -> int:
    said = (_text(each, "valueCode") for each in _parts(of, "extension") if each.get("url") == DATA_QUALITY)
    code = next(said, "")
    return int(code) if code.isascii() and code.isdigit() and len(code) <= 2 else FULL


def _parts(of: Any, key: str) -> list[Part]:
    found = of.get(key) if isinstance(of, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _text(of: Part, key: str) -> str:
    value = of.get(key)
    return value if isinstance(value, str) else ""


def _texts(of: Part, key: str) -> list[str]:
    value = of.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
