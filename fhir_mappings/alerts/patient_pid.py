"""US Core Patient -> PID, as the hospital would have sent it.

Rules: v2-to-FHIR IG 1.0.0, segment map PID[Patient], read backwards. Numbers count by their systems: the facility's
record numbers, CINs and member numbers of Medi-Cal (types MA, MC). Social Security numbers are never read.
- Names, birth date, sex, addresses, telecom, race, ethnicity and death are read. What else a Patient may hold is
  not: the message is in the inbox with it.
Refuses: dates that are none (Unreadable).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.pid_extensions import ETHNICITY, RACE
from fhir_mappings.adt.records import CWE, CX, PatientFields
from fhir_mappings.alerts.codes import of_code
from fhir_mappings.alerts.datatypes import dtm, xad, xpn, xtn

Resource = Mapping[str, Any]
MEDICAID = ("MA", "MC")
YES, NO = CWE("Y"), CWE("N")
WORK = "work"  # PID-14; all else is PID-13


def patient_fields(patient: Resource, facility: Facility, cin_system: str, tables: CodeTables) -> PatientFields:
    """Raises Unreadable."""
    gender, dead, telecoms = (patient.get(name) for name in ("gender", "deceasedBoolean", "telecom"))
    telecoms = telecoms or ()
    return PatientFields(
        identifiers=tuple(identifiers(patient, facility, cin_system)),
        names=tuple(xpn(name, tables) for name in patient.get("name", ())) or None,
        birth=dtm(patient.get("birthDate"), "Patient.birthDate"),
        sex=CWE(of_code(tables, "0001", gender)) if gender else None,
        addresses=tuple(xad(address, tables) for address in patient.get("address", ())) or None,
        home_phones=tuple(xtn(one, tables) for one in telecoms if one.get("use") != WORK) or None,
        business_phones=tuple(xtn(one, tables) for one in telecoms if one.get("use") == WORK) or None,
        died_at=dtm(patient.get("deceasedDateTime"), "Patient.deceasedDateTime"),
        dead=None if dead is None else YES if dead else NO,
        races=tuple(_coded(patient, RACE)) or None,
        ethnicities=tuple(_coded(patient, ETHNICITY)) or None,
    )


def identifiers(patient: Resource, facility: Facility, cin_system: str) -> Iterator[CX]:
    """The record numbers of the facility, and those of Medi-Cal."""
    for one in patient.get("identifier", ()):
        value, system = str(one.get("value", "")), one.get("system")
        types = {coding.get("code") for coding in one.get("type", {}).get("coding", ())}
        if value and system == facility.mrn_system:
            yield CX(value, facility.code, "MR")
        elif value and (system == cin_system or types & set(MEDICAID)):
            yield CX(value, str(system or ""), MEDICAID[0])


def _coded(patient: Resource, url: str) -> Iterator[CWE]:
    """The categories and the details of an extension of US Core; who gives a detail has its category with it."""
    parts = [
        (part.get("url"), part["valueCoding"])
        for extension in patient.get("extension", ())
        if extension.get("url") == url
        for part in extension.get("extension", ())
        if "valueCoding" in part
    ]
    wanted = "detailed" if any(name == "detailed" for name, _ in parts) else "ombCategory"
    for name, coding in parts:
        if name == wanted and coding.get("code"):
            yield CWE(str(coding["code"]), str(coding.get("display", "")))
