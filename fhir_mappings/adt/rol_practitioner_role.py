"""ROL and PRT -> who takes part, as a PractitionerRole where it says how to reach them.

Rules: v2-to-FHIR IG 1.0.0, segment maps ROL[PractitionerRole], PRT[PractitionerRole]; tables 0443 (ROL-3) and, with
the same codes, 0912 (PRT-4); US Core 6.1.0 PractitionerRole (pd-1: a telecom).
- Codes of table 0443 that have a participation type take part in the Encounter; PP and FHCP are the person's
  general practitioners. Others are known and say nothing here.
- Actions DE and UN (table 0287) end the role: it is left out.
Refuses: role codes without a row (UnmappedCode).
"""

from collections.abc import Iterable, Iterator

from fhir_mappings.adt.codes import Target
from fhir_mappings.adt.datatypes import contact_points, stable_key
from fhir_mappings.adt.records import XCN, Role, given
from fhir_mappings.adt.rows import Context, Element, filled
from fhir_mappings.adt.timeline import period
from fhir_mappings.adt.xcn_practitioner import practitioner
from fhir_mappings.adt.xon_organization import organization

GENERAL_PRACTITIONER = ("PP", "FHCP")
_ENDED = ("DE", "UN")
_CODE_FIELD = {"ROL": "ROL-3", "PRT": "PRT-4"}
_TELECOM_FIELD = {"ROL": "ROL-12", "PRT": "PRT-15"}


def participants(roles: Iterable[Role], context: Context) -> Iterator[tuple[Target, Element, Element]]:
    """(participation type, reference, period) of each role in a visit."""
    for role in _standing(roles):
        code = given(role.code)
        if code is None:
            continue
        for target in context.tables.targets("0443", code.code, _CODE_FIELD[role.segment]):
            for reference in _references(role, context):
                yield target, reference, period(given(role.begins), given(role.ends), context.zone)


def general_practitioners(roles: Iterable[Role], context: Context) -> list[Element]:
    """The references of those who have the role in the person's care."""
    found = (role for role in _standing(roles) if (code := given(role.code)) and code.code in GENERAL_PRACTITIONER)
    return [reference for role in found for reference in _references(role, context)]


def _standing(roles: Iterable[Role]) -> Iterator[Role]:
    for role in roles:
        action = given(role.action)
        if action is None or action.code not in _ENDED:
            yield role


def _references(role: Role, context: Context) -> Iterator[Element]:
    for person in given(role.persons) or ():
        if found := _reference(role, person, context):
            yield found


def _reference(role: Role, person: XCN, context: Context) -> Element:
    known = practitioner(person, context)
    employer = given(role.organization)
    telecoms = contact_points(given(role.telecoms), context, _TELECOM_FIELD[role.segment], "work")
    if not known or "reference" not in known or not telecoms:
        return known
    place = organization(employer, context) if employer else {}
    key = stable_key(person.authority, person.id, employer.name if employer else "")
    resource = {
        "resourceType": "PractitionerRole",
        "identifier": [{"system": f"{context.facility.feed}:practitioner-role", "value": key}],
        "active": True,
        "practitioner": known,
        "organization": place,
        "telecom": telecoms,
    }
    return context.directory.refer(filled(resource), known.get("display", ""), known.get("identifier"))
