"""The typed record of one ADT message: what adapters/adt/message.py reads and the mappings here take.

Rules: HL7 v2.5.1 chapters 2A (data types), 3 (PID, PD1, PV1, PV2, NK1, EVN, AL1, IAM, MRG), 6 (IN1, IN2, DG1),
15 (ROL), 7 (PRT, since 2.7). Values are as sent, unescaped; only dates are parsed. Empty and `""` differ (chapter
2.7.2): None = nothing said, leave as it was; DELETE = remove.
"""

from dataclasses import dataclass

from fhir_mappings.adt.dates import Dtm
from fhir_mappings.adt.v2_types import CWE as CWE
from fhir_mappings.adt.v2_types import CX as CX
from fhir_mappings.adt.v2_types import DELETE as DELETE
from fhir_mappings.adt.v2_types import PL as PL
from fhir_mappings.adt.v2_types import XAD as XAD
from fhir_mappings.adt.v2_types import XCN as XCN
from fhir_mappings.adt.v2_types import XON as XON
from fhir_mappings.adt.v2_types import XPN as XPN
from fhir_mappings.adt.v2_types import XTN as XTN
from fhir_mappings.adt.v2_types import Delete as Delete
from fhir_mappings.adt.v2_types import Maybe as Maybe
from fhir_mappings.adt.v2_types import given as given


@dataclass(frozen=True, slots=True)
class PatientFields:
    """PID and PD1."""

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
    external_ids: Maybe[tuple[CX, ...]] = None
    alternate_ids: Maybe[tuple[CX, ...]] = None
    aliases: Maybe[tuple[XPN, ...]] = None
    races: Maybe[tuple[CWE, ...]] = None
    ethnicities: Maybe[tuple[CWE, ...]] = None
    county: Maybe[CWE] = None
    language: Maybe[CWE] = None
    multiple_birth: Maybe[CWE] = None
    birth_order: Maybe[CWE] = None
    practices: Maybe[tuple[XON, ...]] = None
    practitioners: Maybe[tuple[XCN, ...]] = None
    protection: Maybe[CWE] = None


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
    preadmit_number: Maybe[CX] = None
    prior_location: Maybe[PL] = None
    service: Maybe[CWE] = None
    temporary_location: Maybe[PL] = None
    readmission: Maybe[CWE] = None
    discharged_to: Maybe[CWE] = None
    pending_location: Maybe[PL] = None
    others: Maybe[tuple[XCN, ...]] = None
    expected_admission: Maybe[Dtm] = None
    expected_discharge: Maybe[Dtm] = None
    days: Maybe[CWE] = None
    priority: Maybe[CWE] = None
    courtesy: Maybe[CWE] = None
    alternate_number: Maybe[CX] = None
    protection: Maybe[CWE] = None


@dataclass(frozen=True, slots=True)
class Insurance:
    """One IN1 with the IN2 behind it."""

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
    medicaid_number: Maybe[CX] = None
    member_number: Maybe[CX] = None
    patient_relationship: Maybe[CWE] = None


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
    """One DG1: `method` is the coding system where DG1-3.3 is empty."""

    code: Maybe[CWE] = None
    description: Maybe[CWE] = None
    method: Maybe[CWE] = None
    at: Maybe[Dtm] = None
    type: Maybe[CWE] = None
    priority: Maybe[CWE] = None
    clinicians: Maybe[tuple[XCN, ...]] = None
    action: Maybe[CWE] = None

    @property
    def name(self) -> str:
        """What makes it the same diagnosis in two messages: its code, else its words; empty when it says
        nothing."""
        code, description = given(self.code), given(self.description)
        return (code.code or code.text if code else "") or (description.code if description else "")


@dataclass(frozen=True, slots=True)
class Allergy:
    """One AL1 or IAM; `segment` says which. `action`, `number`, `status` and `onset_text` are IAM's."""

    segment: str = "AL1"
    type: Maybe[CWE] = None
    code: Maybe[CWE] = None
    severity: Maybe[CWE] = None
    reactions: Maybe[tuple[CWE, ...]] = None
    onset: Maybe[Dtm] = None
    action: Maybe[CWE] = None
    number: Maybe[CX] = None
    reported: Maybe[Dtm] = None
    status: Maybe[CWE] = None

    @property
    def key(self) -> str:
        """What makes it the same allergy in two messages: IAM-7, else the allergen; empty when it names none."""
        number, code = given(self.number), given(self.code)
        return (number.id if number else "") or (code.code or code.text if code else "")


@dataclass(frozen=True, slots=True)
class Role:
    """One ROL, or one PRT of later versions; `segment` says which."""

    segment: str = "ROL"
    action: Maybe[CWE] = None
    code: Maybe[CWE] = None
    persons: Maybe[tuple[XCN, ...]] = None
    begins: Maybe[Dtm] = None
    ends: Maybe[Dtm] = None
    telecoms: Maybe[tuple[XTN, ...]] = None
    organization: Maybe[XON] = None


@dataclass(frozen=True, slots=True)
class Merge:
    """One group of A34 or A40: the patient of `kept` (PID) takes in the one of `absorbed` (MRG-1, MRG-4)."""

    kept: PatientFields
    absorbed: tuple[CX, ...]


@dataclass(frozen=True, slots=True)
class AdtMessage:
    """One message. `event_at` is EVN-2, else MSH-7; `occurred_at` EVN-6; `digest` the SHA-256 of the bytes;
    `sequence` MSH-13, -1 where the sender numbers nothing. `labels` (codes of v3-ActCode) and `part2` are what a
    message says of itself that can say so (fhir_mappings/alerts)."""

    control_id: str
    event: str
    facility: str
    version: str
    sent_at: Dtm | None
    event_at: Dtm
    digest: str
    occurred_at: Dtm | None = None
    event_facility: tuple[str, ...] = ()
    patient: PatientFields = PatientFields()
    visit: VisitFields = VisitFields()
    insurances: tuple[Insurance, ...] = ()
    next_of_kin: tuple[NextOfKin, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    roles: tuple[Role, ...] = ()
    merges: tuple[Merge, ...] = ()
    sequence: int = -1
    labels: tuple[str, ...] = ()
    part2: bool = False

    @property
    def occurred(self) -> Dtm:
        """When it happened: EVN-6, else when it was recorded."""
        return self.occurred_at or self.event_at
