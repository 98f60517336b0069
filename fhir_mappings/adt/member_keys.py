"""Who and which visit a message is about: CIN, the facility's MRN, birth date, family name, visit number.

Rules: PID-3 repetitions by type (HL7 table 0203: MR, MA, MC), IN1-36 and IN1-49, PV1-19, PID-18.
- CIN: eight digits and a letter. A Medi-Cal card number (BIC) is the CIN, a check digit and a four-digit date: its
  first nine are taken. From IN1 only when the insured is the patient and the number starts with 9, as CINs do:
  other payers use the same shape.
- MRN: type MR of the facility's authority, else the only MR, else the first of the facility's authority.
- Social Security numbers (type SS, PID-19) are never read.
Refuses: no MRN and no CIN (MissingIdentifier); MR numbers of several authorities, none the facility's; no visit
number (both Unmatched).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fhir_mappings.adt.dates import fhir_date
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.problems import MissingIdentifier, Unmatched
from fhir_mappings.adt.records import CX, AdtMessage, Insurance, PatientFields, VisitFields, given

_CIN = re.compile(r"([0-9]{8}[A-Z])(?:[0-9]{5})?")
_MEDICAID_TYPES = ("MA", "MC")
_SELF = ("", "SEL")


@dataclass(frozen=True, slots=True)
class MemberKeys:
    """What to look the member and the visit up by. `tokens` are (system, value), the surest first: CIN, MRN.
    `birth_date` may be partial, as FHIR dates are."""

    cin: str | None
    mrn: str | None
    birth_date: str | None
    family: str | None
    visit_number: str
    tokens: tuple[tuple[str, str], ...]


def member_keys(message: AdtMessage, facility: Facility, cin_system: str) -> MemberKeys:
    """The keys of one message. Raises MissingIdentifier, Unmatched."""
    mrn, cin = mrn_of(message.patient, facility), cin_of(message)
    if mrn is None and cin is None:
        raise MissingIdentifier
    birth, names = given(message.patient.birth), given(message.patient.names)
    return MemberKeys(
        cin,
        mrn,
        fhir_date(birth) if birth else None,
        names[0].family or None if names else None,
        visit_number(message.visit, message.patient),
        tuple((system, id) for system, id in ((cin_system, cin), (facility.mrn_system, mrn)) if id),
    )


def visit_number(visit: VisitFields, patient: PatientFields) -> str:
    """PV1-19, else the account number PID-18. Raises Unmatched."""
    number = given(visit.visit_number) or given(patient.account)
    if number is None or not number.id:
        raise Unmatched("No visit number and no account number", "PV1-19")
    return number.id


def as_cin(text: str) -> str | None:
    """The CIN in a CIN or BIC, or None."""
    match = _CIN.fullmatch(text.strip().upper())
    return match.group(1) if match else None


def cin_of(message: AdtMessage) -> str | None:
    """The CIN of PID-3, else of IN1-36 or IN1-49."""
    for identifier in given(message.patient.identifiers) or ():
        if identifier.type in _MEDICAID_TYPES and (cin := as_cin(identifier.id)):
            return cin
    found = (as_cin(number) for insurance in message.insurances for number in _own_numbers(insurance))
    return next((cin for cin in found if cin and cin.startswith("9")), None)


def _own_numbers(insurance: Insurance) -> Iterator[str]:
    relationship = given(insurance.relationship)
    if relationship and relationship.code not in _SELF:
        return
    policy = given(insurance.policy_number)
    if policy:
        yield policy.code
    for identifier in given(insurance.insured_ids) or ():
        yield identifier.id


def mrn_of(patient: PatientFields, facility: Facility) -> str | None:
    """The facility's medical record number. Raises Unmatched when there are several and none is the facility's."""
    sent = [identifier for identifier in given(patient.identifiers) or () if identifier.id]
    records = [identifier for identifier in sent if identifier.type == "MR"]
    own = [identifier for identifier in records if identifier.authority == facility.code] or records
    if len({(identifier.id, identifier.authority) for identifier in own}) > 1 and own is records:
        raise Unmatched("Medical record numbers of several authorities, none of them the facility's", "PID-3")
    return own[0].id if own else _untyped(sent, facility)


def _untyped(sent: list[CX], facility: Facility) -> str | None:
    """Version 2.3 feeds send PID-3 without a type; PI is the facility's internal number."""
    return next((i.id for i in sent if i.authority == facility.code and i.type in ("", "PI")), None)
