"""PID -> US Core Patient.

Rules: v2-to-FHIR IG 1.0.0, segment map PID[Patient], tables 0001, 0002, 0136, 0190, 0200-0202; US Core 6.1.0
- A person this feed created is brought up to date; what the resource holds besides stays.
- A person of another source only gets the hospital's MRN; nothing else of theirs is touched. A program under
  42 CFR Part 2 adds nothing: its number would tell what it treats.
- Identifiers are added, never taken away. Missing name and sex are written as US Core's missing-data rule says.
Refuses: codes without a row (UnmappedCode); a CIN other than the one the known person has (Unmatched).
"""

from collections.abc import Mapping
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
from fhir_mappings.adt.problems import Unmatched
from fhir_mappings.adt.records import Delete, PatientFields, given
from fhir_mappings.adt.rows import Context, Element, Row, changes, filled

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

PATIENT = (
    Row("names", "name", human_names, "PID-5"),
    Row("sex", "gender", code("0001"), "PID-8"),
    Row("birth", "birthDate", date, "PID-7"),
    Row("addresses", "address", addresses, "PID-11"),
    Row("marital", "maritalStatus", concept("0002"), "PID-16"),
)

TELECOMS = (("home_phones", "PID-13", "home"), ("business_phones", "PID-14", "work"), ("telecoms", "PID-40", None))


def new_patient(fields: PatientFields, mrn: str | None, cin: str | None, context: Context) -> Element:
    """A Patient that this feed owns: `meta.source` is the feed."""
    told = filled(_demographics(fields, context))
    told.setdefault("name", [{"extension": [{"url": ABSENT, "valueCode": "unknown"}]}])
    told.setdefault("gender", "unknown")
    return {
        "resourceType": "Patient",
        "meta": context.facility.meta,
        "identifier": _identifiers(mrn, cin, context),
        **told,
    }


def updated_patient(current: Mapping[str, Any], fields: PatientFields, context: Context) -> Element:
    """The current resource of this feed with what the messages say."""
    said = _demographics(fields, context)
    if "deceasedDateTime" in said or "deceasedBoolean" in said:
        said = {"deceasedDateTime": None, "deceasedBoolean": None, **said}
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


def _demographics(fields: PatientFields, context: Context) -> Element:
    return changes(PATIENT, fields, context) | _telecom(fields, context) | _deceased(fields, context)


def _telecom(fields: PatientFields, context: Context) -> Element:
    """Three fields make one list: it is replaced when any of them says something."""
    sent = [(getattr(fields, name), where, use) for name, where, use in TELECOMS]
    if all(value is None for value, _, _ in sent):
        return {}
    points = (contact_points(given(value), context, where, use) for value, where, use in sent)
    return {"telecom": [point for several in points for point in several]}


def _deceased(fields: PatientFields, context: Context) -> Element:
    """PID-29 wins over PID-30: deceased[x] is a choice."""
    if fields.died_at is not None and not isinstance(fields.died_at, Delete):
        return {"deceasedDateTime": date_time(fields.died_at, context, "PID-29")}
    dead = given(fields.dead)
    if dead is None:
        return {"deceasedBoolean": None} if fields.dead or fields.died_at else {}
    return {"deceasedBoolean": context.tables.code("0136", dead.code, "PID-30") == "true"}
