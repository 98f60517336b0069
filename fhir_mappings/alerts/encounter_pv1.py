"""The Encounter of a notification -> PV1 and PV2.

Rules: http://hl7.org/fhir/us/davinci-alerts/StructureDefinition/adt-notification-encounter (1.1.0); v2-to-FHIR IG
1.0.0, segment map PV1[Encounter], read backwards, and the guide's own map of Event Notifications via Direct.
- The visit number is the identifier in the facility's system: by it a notification and a hospital message of one
  visit are one Encounter.
- The end of the period counts where the Encounter is finished: senders give admissions one, too.
- A place is known by its identifier in the hub's own system of the facility, else by its name. The hospital itself
  is no place in it.
- Encounter.type counts where it says how urgent the admission is (PV1-4): the guide's codes, table 0007, UB-04.
- Participants of other types than table 0443's four take part, and the message does not say more of them.
Refuses: no visit number (Unmatched), times that are none (Unreadable).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.problems import Unmatched
from fhir_mappings.adt.pv1_encounter import PARTICIPANTS
from fhir_mappings.adt.records import CWE, CX, PL, XCN, VisitFields
from fhir_mappings.alerts.codes import cwe, named, text_of, v2_code
from fhir_mappings.alerts.datatypes import dtm
from fhir_mappings.alerts.events import OVER
from fhir_mappings.alerts.message import Notification
from fhir_mappings.alerts.practitioner_xcn import npis, xcn
from fhir_mappings.alerts.references import Entries

Resource = Mapping[str, Any]
SNOMED = "http://snomed.info/sct"
URGENCY = {(SNOMED, "4525004"): "E", (SNOMED, "308335008"): "R"}  # the guide's concept map
URGENCY_SYSTEMS = (
    "http://terminology.hl7.org/CodeSystem/v2-0007",
    "https://www.nubc.org/CodeSystem/PriorityTypeOfAdmitOrVisit",
)
OTHERS = "others"
NO_VISIT = "No visit number in the facility's system"


def visit_number(encounter: Resource, facility: Facility) -> str:
    """Raises Unmatched."""
    sent = encounter.get("identifier", ())
    found = [str(one["value"]) for one in sent if one.get("system") == facility.visit_system and one.get("value")]
    if len(set(found)) != 1:
        raise Unmatched(NO_VISIT, "Encounter.identifier")
    return found[0]


def visit_fields(told: Notification, facility: Facility, tables: CodeTables) -> VisitFields:
    """Raises Unmatched, Unreadable."""
    encounter, entries = told.encounter, told.entries
    period, stay = encounter.get("period", {}), encounter.get("hospitalization", {})
    here, before = _places(encounter, entries, facility)
    is_over = encounter.get("status") in OVER
    patient_class = encounter.get("class", {})
    people = _participants(encounter.get("participant", ()), entries)
    return VisitFields(
        patient_class=CWE(v2_code(tables, "0004", [patient_class])) if patient_class.get("code") else None,
        location=here,
        prior_location=before,
        admission_type=_urgency(encounter.get("type", ())),
        admit_source=cwe(tables, "0023", stay.get("admitSource")),
        discharge_disposition=cwe(tables, "0112", stay.get("dischargeDisposition")),
        discharged_to=_destination(stay.get("destination")),
        visit_number=CX(visit_number(encounter, facility), facility.code, "VN"),
        admitted_at=dtm(period.get("start"), "Encounter.period.start"),
        discharged_at=dtm(period.get("end"), "Encounter.period.end") if is_over else None,
        admit_reason=named(tables, next(iter(encounter.get("reasonCode", ())), None)),
        attending=people.get("attending"),
        referring=people.get("referring"),
        consulting=people.get("consulting"),
        admitting=people.get("admitting"),
        others=people.get(OTHERS),
    )


def _urgency(types: Sequence[Resource]) -> CWE | None:
    for concept in types:
        for coding in concept.get("coding", ()):
            system, code = coding.get("system", ""), coding.get("code", "")
            if (system, code) in URGENCY:
                return CWE(URGENCY[system, code], text_of(concept))
            if system in URGENCY_SYSTEMS and code:
                return CWE(str(code), text_of(concept))
    return None


def _destination(reference: Resource | None) -> CWE | None:
    return CWE("", str(reference["display"])) if reference and reference.get("display") else None


def _participants(sent: Sequence[Resource], entries: Entries) -> dict[str, tuple[XCN, ...]]:
    """By the field of PV1 that the type stands for."""
    fields = {code: name for name, code, _ in PARTICIPANTS}
    found: dict[str, tuple[XCN, ...]] = {}
    for one in sent:
        person = xcn(one.get("individual"), entries)
        codes = [each.get("code") for kind in one.get("type", ()) for each in kind.get("coding", ())]
        name = next((fields[code] for code in codes if code in fields), OTHERS)
        if person:
            found[name] = (*found.get(name, ()), person)
    return found


def _places(encounter: Resource, entries: Entries, facility: Facility) -> tuple[PL | None, PL | None]:
    """Where the person is, and was before."""
    rows = encounter.get("location", ())
    active = [row for row in rows if row.get("status") == "active"]
    now = active or [row for row in rows if "end" not in row.get("period", {})] or rows
    current = now[-1] if now else None
    earlier = [row for row in rows if row is not current and row.get("status", "completed") == "completed"]
    return _place(current, entries, facility), _place(earlier[-1] if earlier else None, entries, facility)


def _place(row: Resource | None, entries: Entries, facility: Facility) -> PL | None:
    reference = row.get("location", {}) if row else {}
    found = entries.find(reference, "Location") or {}
    own = f"{facility.feed}:location"
    for one in found.get("identifier", ()):
        if one.get("system") == own and one.get("value"):
            unit, room, bed, *_ = (*str(one["value"]).split("^"), "", "")
            return PL(unit, room, bed)
    name = str(found.get("name") or reference.get("display") or "")
    is_whole = name.casefold() == facility.name.casefold() or facility.npi in set(npis(found))
    return PL(point_of_care=name) if name and not is_whole else None
