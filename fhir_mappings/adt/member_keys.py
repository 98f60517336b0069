"""Who and which visit a message is about: CIN, the facility's MRN, birth date, family name, visit number.

Rules: PID-3 repetitions by type (HL7 table 0203: MR, MA, MC), then PID-2 and PID-4 of older versions, IN1-36,
IN1-49 and IN2-8, PV1-19, PID-18; MRG-1 and MRG-4 for merges.
- CIN: eight digits and a letter. A Medi-Cal card number (BIC) is the CIN, a check digit and a four-digit date: its
  first nine are taken. From IN1 only when the insured is the patient and the number starts with 9, as CINs do:
  other payers use the same shape.
- MRN: type MR of the facility's authority, else the only MR, else the first of the facility's authority.
- Social Security numbers (type SS, PID-19) are never read.
Refuses: no MRN and no CIN (MissingIdentifier); MR numbers of several authorities, none the facility's; no visit
number, a merge of nobody known here (Unmatched); a patient merged with itself (Unreadable, 205).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fhir_mappings.adt.dates import fhir_date
from fhir_mappings.adt.events import EVENTS, VISIT
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.problems import MissingIdentifier, Unmatched, Unreadable
from fhir_mappings.adt.records import CX, AdtMessage, Insurance, Merge, PatientFields, VisitFields, given

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


@dataclass(frozen=True, slots=True)
class MergeKeys:
    """The person with `kept` takes in the one with `absorbed`: (system, value) each, the record number first."""

    kept: tuple[tuple[str, str], ...]
    absorbed: tuple[tuple[str, str], ...]


def member_keys(message: AdtMessage, facility: Facility, cin_system: str) -> MemberKeys:
    """The keys of one message; `visit_number` is empty where the event is of no visit. Raises MissingIdentifier,
    Unmatched."""
    mrn, cin = mrn_of(message.patient, facility), cin_of(message)
    if mrn is None and cin is None:
        raise MissingIdentifier
    birth, names = given(message.patient.birth), given(message.patient.names)
    return MemberKeys(
        cin,
        mrn,
        fhir_date(birth) if birth else None,
        names[0].family or None if names else None,
        visit_number(message.visit, message.patient) if EVENTS[message.event].scope == VISIT else "",
        tuple((system, id) for system, id in ((cin_system, cin), (facility.mrn_system, mrn)) if id),
    )


def merge_keys(message: AdtMessage, facility: Facility, cin_system: str) -> tuple[MergeKeys, ...]:
    """Who takes in whom, group by group. Raises MissingIdentifier, Unmatched, Unreadable."""
    return tuple(_merge(merge, facility, cin_system) for merge in message.merges)


def _merge(merge: Merge, facility: Facility, cin_system: str) -> MergeKeys:
    kept = _tokens(_all_ids(merge.kept), facility, cin_system, "PID-3")
    absorbed = _tokens(merge.absorbed, facility, cin_system, "MRG-1")
    if _is_within(absorbed, kept):
        raise _with_itself()
    return MergeKeys(kept, absorbed)


def refuse_merge_with_itself(kept: Iterable[CX], absorbed: Iterable[CX], facility_code: str) -> None:
    """What `merge_keys` refuses of this, seen without the tables of a deployment. Raises Unreadable."""
    if _is_within(_numbers(absorbed, facility_code, "MRG-1"), _numbers(kept, facility_code, "PID-3")):
        raise _with_itself()


def _is_within(absorbed: Iterable[tuple[str, str]], kept: Iterable[tuple[str, str]]) -> bool:
    return bool(set(absorbed)) and set(absorbed) <= set(kept)


def _with_itself() -> Unreadable:
    return Unreadable("The patient is merged with itself", "MRG-1", "205")


def _numbers(identifiers: Iterable[CX], facility_code: str, where: str) -> tuple[tuple[str, str], ...]:
    """The record number and the CIN of one person, by kind. Raises Unmatched."""
    sent = tuple(identifiers)
    found = (("mrn", _record_number(sent, facility_code, where)), ("cin", _typed_cin(sent)))
    return tuple((kind, number) for kind, number in found if number)


def _tokens(
    identifiers: tuple[CX, ...], facility: Facility, cin_system: str, where: str
) -> tuple[tuple[str, str], ...]:
    """(system, value), the facility's record number first. Raises MissingIdentifier."""
    systems = {"mrn": facility.mrn_system, "cin": cin_system}
    found = tuple((systems[kind], number) for kind, number in _numbers(identifiers, facility.code, where))
    if not found:
        raise MissingIdentifier(where)
    return found


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
    """The CIN of PID-3, PID-2 or PID-4, else of IN1-36, IN1-49 or IN2-8."""
    cin = _typed_cin(_all_ids(message.patient))
    if cin:
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
    medicaid = given(insurance.medicaid_number)
    if medicaid:
        yield medicaid.id


def is_ascribable(identifiers: Iterable[CX], facility_code: str) -> bool:
    """Whether one of these is a number that the hub can take for the facility's (`mrn_of`) or for a CIN."""
    sent = [identifier for identifier in identifiers if identifier.id]
    is_record = any(identifier.type == "MR" for identifier in sent)
    return is_record or _typed_cin(sent) is not None or _untyped(sent, facility_code) is not None


def _typed_cin(identifiers: Iterable[CX]) -> str | None:
    found = (as_cin(identifier.id) for identifier in identifiers if identifier.type in _MEDICAID_TYPES)
    return next(filter(None, found), None)


def _all_ids(patient: PatientFields) -> tuple[CX, ...]:
    """PID-3, then PID-2 and PID-4, which versions before 2.4 used beside it."""
    fields = (patient.identifiers, patient.external_ids, patient.alternate_ids)
    return tuple(identifier for field in fields for identifier in given(field) or ())


def mrn_of(patient: PatientFields, facility: Facility) -> str | None:
    """The facility's medical record number. Raises Unmatched when there are several and none is the facility's."""
    return _record_number(_all_ids(patient), facility.code, "PID-3")


def _record_number(identifiers: Iterable[CX], facility_code: str, where: str) -> str | None:
    sent = [identifier for identifier in identifiers if identifier.id]
    records = [identifier for identifier in sent if identifier.type == "MR"]
    own = [identifier for identifier in records if identifier.authority == facility_code] or records
    if len({(identifier.id, identifier.authority) for identifier in own}) > 1 and own is records:
        raise Unmatched("Medical record numbers of several authorities, none of them the facility's", where)
    return own[0].id if own else _untyped(sent, facility_code)


def _untyped(sent: list[CX], facility_code: str) -> str | None:
    """Version 2.3 feeds send PID-3 without a type; PI is the facility's internal number."""
    return next((i.id for i in sent if i.authority == facility_code and i.type in ("", "PI")), None)
