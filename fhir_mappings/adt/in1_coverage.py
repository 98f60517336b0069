"""IN1 and IN2 -> US Core Coverage.

Rules: v2-to-FHIR IG 1.0.0, segment map IN1[Coverage]; US Core 6.1.0 Coverage (payor, relationship, member id)
- Key: a hash of person, payer and member number under the feed's own system. Conditional updates of this feed can
  therefore never write into a Coverage that a plan owns, even when both carry the CIN.
- IN2-72 says what the patient is to the insured, as FHIR asks (table 0344). IN1-17 says the reverse: table
  0063-subscriber. A Medi-Cal number is always the member's own: `self` when both are empty.
- IN1-15 is a table of the sender's own (0086): a row of an overlay table `0086` gives a code, else it stays text.
- An insurance that left the list of its visit is `cancelled`. One without member number is left out: US Core has no
  way to write it (us-core-15).
Refuses: relationship codes without a row (UnmappedCode).
"""

from collections.abc import Iterable, Iterator

from fhir_mappings.adt.datatypes import UNKNOWN, date, first_id, identifier, stable_key
from fhir_mappings.adt.dates import moment
from fhir_mappings.adt.member_keys import as_cin
from fhir_mappings.adt.person_fold import Listed
from fhir_mappings.adt.pid_patient import ABSENT
from fhir_mappings.adt.records import CWE, Insurance, given
from fhir_mappings.adt.rows import Context, Element, Row, filled, values

RELATIONSHIP = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
SELF = {"coding": [{"system": RELATIONSHIP, "code": "self", "display": "Self"}]}

PERIOD = (Row("effective", "start", date, "IN1-12"), Row("expires", "end", date, "IN1-13"))


def coverages(
    listed: Iterable[Listed[Insurance]], person: str, beneficiary: Element, context: Context
) -> Iterator[tuple[str, Element]]:
    """(key, Coverage) of each insurance; `person` is the facility's number of the patient."""
    for each in listed:
        if member_number(each.item):
            key, status = insurance_key(each.item, person), "active" if each.stands else "cancelled"
            yield key, coverage(each.item, key, status, beneficiary, context)


def insurance_key(insurance: Insurance, person: str = "") -> str:
    return stable_key(person, payer_id(insurance) or payer_name(insurance), member_number(insurance))


def coverage(insurance: Insurance, key: str, status: str, beneficiary: Element, context: Context) -> Element:
    number = member_number(insurance)
    cin = as_cin(number)
    return filled(
        {
            "resourceType": "Coverage",
            "meta": context.facility.meta,
            "identifier": [
                {"system": coverage_system(context), "value": key},
                identifier("MB", context.cin_system if cin else "", cin or number),
            ],
            "status": status,
            "type": _type(given(insurance.plan_type), context),
            "subscriberId": number,
            "beneficiary": beneficiary,
            "relationship": _relationship(insurance, cin, context),
            "period": _period(insurance, context),
            "payor": [_payor(insurance)],
            "class": _classes(insurance),
        }
    )


def coverage_system(context: Context) -> str:
    return f"{context.facility.feed}:coverage"


def member_number(insurance: Insurance) -> str:
    """IN1-36, else IN1-49, else IN2-61, else the Medicaid number IN2-8."""
    policy, own = given(insurance.policy_number), given(insurance.member_number)
    medicaid = given(insurance.medicaid_number)
    found = (policy.code if policy else "", first_id(given(insurance.insured_ids)))
    return next(filter(None, (*found, own.id if own else "", medicaid.id if medicaid else "")), "")


def payer_id(insurance: Insurance) -> str:
    return first_id(given(insurance.company_ids))


def payer_name(insurance: Insurance) -> str:
    """IN1-4, else the plan's name or code."""
    company, plan = given(insurance.company_name), given(insurance.plan)
    return (company.code if company else "") or (plan.text or plan.code if plan else "")


def _period(insurance: Insurance, context: Context) -> Element:
    """Without its beginning where that is said to be after the end: an admission must not wait for it."""
    told = values(PERIOD, insurance, context)
    began, ended = given(insurance.effective), given(insurance.expires)
    if began and ended and moment(began, context.zone) > moment(ended, context.zone):
        del told["start"]
    return told


def _payor(insurance: Insurance) -> Element:
    number = payer_id(insurance)
    known = filled({"identifier": {"value": number} if number else None, "display": payer_name(insurance)})
    return {"type": "Organization", **known} if known else {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}


def _type(plan_type: CWE | None, context: Context) -> Element:
    if plan_type is None:
        return {}
    if context.tables.knows("0086", plan_type.code):
        return context.tables.concept("0086", plan_type.code, "IN1-15", plan_type.text)
    return filled({"text": plan_type.text or plan_type.code})


def _relationship(insurance: Insurance, cin: str | None, context: Context) -> Element:
    """IN2-72, else IN1-17 the other way round, else that of a Medi-Cal number."""
    patient, insured = given(insurance.patient_relationship), given(insurance.relationship)
    if patient is not None:
        return context.tables.concept("0344", patient.code, "IN2-72", patient.text)
    if insured is not None:
        return context.tables.concept("0063-subscriber", insured.code, "IN1-17", insured.text)
    return SELF if cin else {"coding": [UNKNOWN.coding()]}


def _classes(insurance: Insurance) -> list[Element]:
    group, name, plan = given(insurance.group_number), given(insurance.group_name), given(insurance.plan)
    sent = (
        ("group", group.code if group else "", name.code if name else ""),
        ("plan", plan.code if plan else "", plan.text if plan else ""),
    )
    return [
        filled({"type": {"coding": [{"system": CLASS, "code": code}]}, "value": value, "name": label})
        for code, value, label in sent
        if value
    ]
