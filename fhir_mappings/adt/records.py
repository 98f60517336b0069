"""The typed record of one ADT message: what adapters/adt/message.py reads and the mappings here take.

Rules: HL7 v2.5.1 chapters 2A (data types), 3 (PID, PV1, PV2, NK1, EVN), 6 (IN1, DG1). Values are as sent,
unescaped; only dates are parsed. Empty and `""` differ (chapter 2.7.2): None = nothing said, leave as it was;
DELETE = remove.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, TypeVar

from fhir_mappings.adt.dates import Dtm


class Delete(Enum):
    """The v2 null, two quotation marks: the sender deletes the value."""

    DELETE = '""'


DELETE = Delete.DELETE

T = TypeVar("T")
Maybe: TypeAlias = T | Delete | None


def given(value: Maybe[T]) -> T | None:
    """The value, if there is one to write."""
    return None if isinstance(value, Delete) else value


@dataclass(frozen=True, slots=True)
class CX:
    """Extended composite id: CX.1, CX.4.1, CX.5."""

    id: str
    authority: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class XPN:
    """Person name: XPN.1 to XPN.5 and XPN.7."""

    family: str
    given: str = ""
    middle: str = ""
    suffix: str = ""
    prefix: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class XAD:
    """Address: XAD.1 and XAD.2 as lines, XAD.3 to XAD.7, XAD.9."""

    lines: tuple[str, ...] = ()
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    type: str = ""
    county: str = ""


@dataclass(frozen=True, slots=True)
class XTN:
    """Telecommunication: `number` is XTN.12, else XTN.5 to XTN.7, else XTN.1; XTN.2 use, XTN.3 equipment."""

    number: str = ""
    use: str = ""
    equipment: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class XCN:
    """A practitioner: XCN.1 to XCN.3, XCN.6, XCN.9.1 and XCN.13."""

    id: str
    family: str = ""
    given: str = ""
    prefix: str = ""
    authority: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class CWE:
    """A coded value, or a plain code of older versions: CWE.1 to CWE.3."""

    code: str
    text: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class PL:
    """A place in the hospital: PL.1 to PL.3 and PL.4.1."""

    point_of_care: str = ""
    room: str = ""
    bed: str = ""
    facility: str = ""


@dataclass(frozen=True, slots=True)
class PatientFields:
    """PID."""

    identifiers: Maybe[tuple[CX, ...]] = None
    names: Maybe[tuple[XPN, ...]] = None
    birth: Maybe[Dtm] = None
    sex: Maybe[CWE] = None
    addresses: Maybe[tuple[XAD, ...]] = None
    home_phones: Maybe[tuple[XTN, ...]] = None
    business_phones: Maybe[tuple[XTN, ...]] = None
    telecoms: Maybe[tuple[XTN, ...]] = None
    marital: Maybe[CWE] = None
    account: Maybe[CX] = None
    died_at: Maybe[Dtm] = None
    dead: Maybe[CWE] = None


@dataclass(frozen=True, slots=True)
class VisitFields:
    """PV1 and PV2."""

    patient_class: Maybe[CWE] = None
    location: Maybe[PL] = None
    admission_type: Maybe[CWE] = None
    attending: Maybe[tuple[XCN, ...]] = None
    referring: Maybe[tuple[XCN, ...]] = None
    consulting: Maybe[tuple[XCN, ...]] = None
    admit_source: Maybe[CWE] = None
    admitting: Maybe[tuple[XCN, ...]] = None
    visit_number: Maybe[CX] = None
    discharge_disposition: Maybe[CWE] = None
    admitted_at: Maybe[Dtm] = None
    discharged_at: Maybe[Dtm] = None
    admit_reason: Maybe[CWE] = None


@dataclass(frozen=True, slots=True)
class Insurance:
    """One IN1."""

    plan: Maybe[CWE] = None
    company_ids: Maybe[tuple[CX, ...]] = None
    company_name: Maybe[CWE] = None
    group_number: Maybe[CWE] = None
    group_name: Maybe[CWE] = None
    effective: Maybe[Dtm] = None
    expires: Maybe[Dtm] = None
    plan_type: Maybe[CWE] = None
    relationship: Maybe[CWE] = None
    policy_number: Maybe[CWE] = None
    insured_ids: Maybe[tuple[CX, ...]] = None


@dataclass(frozen=True, slots=True)
class NextOfKin:
    """One NK1."""

    set_id: Maybe[CWE] = None
    names: Maybe[tuple[XPN, ...]] = None
    relationship: Maybe[CWE] = None
    addresses: Maybe[tuple[XAD, ...]] = None
    home_phones: Maybe[tuple[XTN, ...]] = None
    business_phones: Maybe[tuple[XTN, ...]] = None
    role: Maybe[CWE] = None
    telecoms: Maybe[tuple[XTN, ...]] = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One DG1: the code's text (DG1-3.2) or the description (DG1-4)."""

    code: Maybe[CWE] = None
    description: Maybe[CWE] = None


@dataclass(frozen=True, slots=True)
class AdtMessage:
    """One message. `event_at` is EVN-2, else MSH-7; `occurred_at` EVN-6; `digest` the SHA-256 of the bytes."""

    control_id: str
    event: str
    facility: str
    version: str
    sent_at: Dtm | None
    event_at: Dtm
    digest: str
    occurred_at: Dtm | None = None
    patient: PatientFields = PatientFields()
    visit: VisitFields = VisitFields()
    insurances: tuple[Insurance, ...] = ()
    next_of_kin: tuple[NextOfKin, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
