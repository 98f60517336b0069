"""PID and PD1 -> US Core Patient.

Rules: v2-to-FHIR IG 1.0.0, segment maps PID[Patient], PD1[Patient]; tables 0001, 0002, 0005, 0136, 0189, 0190,
0200-0202, 0296; US Core 6.1.0
- A person this feed created is brought up to date; what the resource holds besides stays.
- A person of another source only gets the hospital's MRN; nothing else of theirs is touched. A program under
  42 CFR Part 2 adds nothing: its number would tell what it treats.
- Two fields that make one element (PID-5 and 9, 13 and 14 and 40, 24 and 25, 29 and 30, PD1-3 and 4 and the roles
  PP): it is replaced when one of them says something.
- Identifiers are added, never taken away. Social Security numbers are never read. Missing name and sex are written
  as US Core's missing-data rule says.
Refuses: codes without a row (UnmappedCode); a CIN other than the one the known person has (Unmatched).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fhir_mappings.adt.datatypes import (
    addresses,
    code,
    concept,
    contact_points,
    date,
    date_time,
    human_names,
    identifier,
)
from fhir_mappings.adt.person_fold import Person
from fhir_mappings.adt.pid_extensions import ETHNICITY, RACE, ethnicity, race
from fhir_mappings.adt.problems import Unmatched
from fhir_mappings.adt.records import CWE, PatientFields, Role, given
from fhir_mappings.adt.rol_practitioner_role import general_practitioners
from fhir_mappings.adt.rows import Context, Element, Row, changes, filled
from fhir_mappings.adt.xcn_practitioner import practitioner
from fhir_mappings.adt.xon_organization import organization

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def spoken(value: CWE, context: Context, where: str) -> list[Element]:
    """The language, by its code or its English name, whatever the case."""
    language = context.tables.concept("0296", value.code.upper(), where, value.text)
    return [{"language": language}] if language else []


PATIENT = (
    Row("sex", "gender", code("0001"), "PID-8"),
    Row("birth", "birthDate", date, "PID-7"),
    Row("language", "communication", spoken, "PID-15"),
    Row("marital", "maritalStatus", concept("0002"), "PID-16"),
)
EXTENSIONS = (Row("races", RACE, race, "PID-10"), Row("ethnicities", ETHNICITY, ethnicity, "PID-22"))
NAMES = (Row("names", "0", human_names, "PID-5"), Row("aliases", "1", human_names, "PID-9"))

_MOST_DIGITS = 2  # of a birth order; more is none

TELECOMS = (("home_phones", "PID-13", "home"), ("business_phones", "PID-14", "work"), ("telecoms", "PID-40", None))


def new_patient(person: Person, mrn: str | None, cin: str | None, context: Context) -> Element:
    """A Patient that this feed owns: `meta.source` is the feed."""
    told = filled(_demographics({}, person, context))
    told.setdefault("name", [{"extension": [{"url": ABSENT, "valueCode": "unknown"}]}])
    told.setdefault("gender", "unknown")
    return {
        "resourceType": "Patient",
        "meta": context.facility.meta,
        "identifier": _identifiers(mrn, cin, context),
        **told,
    }


def updated_patient(current: Mapping[str, Any], person: Person, context: Context) -> Element:
    """The current resource of this feed with what the messages say."""
    said = _demographics(current, person, context)
    kept = {key: value for key, value in current.items() if key not in said}
    return {**kept, **filled(said)}


def with_identifiers(current: Mapping[str, Any], mrn: str | None, cin: str | None, context: Context) -> Element:
    """The current resource with those of the identifiers that it lacks."""
    present: list[Element] = list(current.get("identifier", ()))
    tokens = {(item.get("system"), item.get("value")) for item in present}
    added = [i for i in _identifiers(mrn, cin, context) if (i["system"], i["value"]) not in tokens]
    return {**current, "identifier": present + added} if added else dict(current)


def refuse_other_cin(current: Mapping[str, Any], cin: str | None, context: Context) -> None:
    """A CIN never changes: another one means another person. Raises Unmatched."""
    sent = current.get("identifier", ())
    cins = {item.get("value") for item in sent if item.get("system") == context.cin_system}
    if cin and cins and cin not in cins:
        raise Unmatched("The known person has another CIN", "PID-3")


def _identifiers(mrn: str | None, cin: str | None, context: Context) -> list[Element]:
    sent = (("MR", context.facility.mrn_system, mrn), ("MA", context.cin_system, cin))
    return [identifier(type_code, system, value) for type_code, system, value in sent if value]


def _demographics(current: Mapping[str, Any], person: Person, context: Context) -> Element:
    """Element -> new value, None where it is taken away; what nobody spoke of is absent."""
    fields = person.patient
    return {
        **changes(PATIENT, fields, context),
        **_extensions(current, fields, context),
        **_names(fields, context),
        **_addresses(fields, context),
        **_telecom(fields, context),
        **_births(fields, context),
        **_deceased(fields, context),
        **_general_practitioners(fields, person.roles, context),
    }


def _extensions(current: Mapping[str, Any], fields: PatientFields, context: Context) -> Element:
    """Race and ethnicity; others' extensions stay."""
    said = changes(EXTENSIONS, fields, context)
    if not said:
        return {}
    kept = [extension for extension in current.get("extension", ()) if extension.get("url") not in said]
    return {"extension": [*kept, *(value for value in said.values() if value)]}


def _names(fields: PatientFields, context: Context) -> Element:
    """PID-5, and PID-9 of older versions."""
    said = changes(NAMES, fields, context)
    return {"name": [name for value in said.values() for name in value or ()]} if "0" in said else {}


def _addresses(fields: PatientFields, context: Context) -> Element:
    """PID-11; the county PID-12 stands in where an address has none."""
    if fields.addresses is None:
        return {}
    said, found = given(fields.county), addresses(given(fields.addresses) or (), context, "PID-11")
    county = (said.text or said.code) if said else ""
    if county and found and all("district" not in address for address in found):
        found[0] = {**found[0], "district": county}
    return {"address": found}


def _telecom(fields: PatientFields, context: Context) -> Element:
    """Three fields make one list: it is replaced when any of them says something."""
    sent = [(getattr(fields, name), where, use) for name, where, use in TELECOMS]
    if all(value is None for value, _, _ in sent):
        return {}
    points = (contact_points(given(value), context, where, use) for value, where, use in sent)
    return {"telecom": [point for several in points for point in several]}


def _births(fields: PatientFields, context: Context) -> Element:
    """PID-25 wins over PID-24: multipleBirth[x] is a choice."""
    order, several = given(fields.birth_order), given(fields.multiple_birth)
    if fields.birth_order is None and fields.multiple_birth is None:
        return {}
    nothing: Element = {"multipleBirthBoolean": None, "multipleBirthInteger": None}
    if order and order.code.isascii() and order.code.isdigit() and len(order.code) <= _MOST_DIGITS:
        return nothing | {"multipleBirthInteger": int(order.code)}
    if several is None:
        return nothing
    return nothing | {"multipleBirthBoolean": context.tables.code("0136", several.code, "PID-24") == "true"}


def _deceased(fields: PatientFields, context: Context) -> Element:
    """PID-29 wins over PID-30: deceased[x] is a choice."""
    died_at, dead = given(fields.died_at), given(fields.dead)
    if fields.died_at is None and fields.dead is None:
        return {}
    nothing: Element = {"deceasedDateTime": None, "deceasedBoolean": None}
    if died_at:
        return nothing | {"deceasedDateTime": date_time(died_at, context, "PID-29")}
    if dead is None:
        return nothing
    return nothing | {"deceasedBoolean": context.tables.code("0136", dead.code, "PID-30") == "true"}


def _general_practitioners(fields: PatientFields, roles: Iterable[Role], context: Context) -> Element:
    """PD1-3 (practices), PD1-4 and the roles PP and FHCP; a role says more than PD1-4 of the same person."""
    by_role = general_practitioners(roles, context)
    if fields.practices is None and fields.practitioners is None and not by_role:
        return {}
    found = [organization(practice, context) for practice in given(fields.practices) or ()]
    named = [practitioner(doctor, context) for doctor in given(fields.practitioners) or ()]
    shown = {reference.get("display") for reference in by_role}
    found += by_role + [reference for reference in named if reference.get("display") not in shown]
    unique = [reference for place, reference in enumerate(found) if reference and reference not in found[:place]]
    return {"generalPractitioner": unique}
