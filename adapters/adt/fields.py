"""v2 fields -> typed parts, one reader a data type, and the table of which fields are read.

Rules: HL7 v2.5.1 chapter 2A (data types). A field is a list of repetitions, a repetition a list of components, a
component a list of subcomponents. Only fields in `READ` are ever looked at; all else stays in the raw message.
Versions differ little here (fhir_mappings/adt/versions.py says where): components that an older one does not have
are empty, and a family name or a street that became a list of subcomponents is its first one.
Refuses: what is no date (Unreadable, 102).
"""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_mappings.adt import dates
from fhir_mappings.adt.dates import Dtm
from fhir_mappings.adt.records import CWE, CX, PL, XAD, XCN, XON, XPN, XTN

Component = list[str]
Repetition = list[Component]
Field = list[Repetition]
Reader = Callable[[Field, str], Any]

NULL = '""'


def part(repetition: Repetition, number: int) -> str:
    """The first subcomponent of a component; a component that is the v2 null is empty."""
    text = repetition[number - 1][0].strip() if number <= len(repetition) else ""
    return "" if text == NULL else text


def _several(read: Callable[[Repetition], Any]) -> Reader:
    """A repeating field; empty repetitions are skipped."""

    def reader(field: Field, where: str) -> Any:
        return tuple(read(repetition) for repetition in field if any(any(c) for c in repetition))

    return reader


def _single(read: Callable[[Repetition], Any]) -> Reader:
    def reader(field: Field, where: str) -> Any:
        return read(field[0])

    return reader


def _cx(r: Repetition) -> CX:
    return CX(part(r, 1), part(r, 4), part(r, 5))


def _xpn(r: Repetition) -> XPN:
    return XPN(part(r, 1), part(r, 2), part(r, 3), part(r, 4), part(r, 5), part(r, 7))


def _xad(r: Repetition) -> XAD:
    lines = tuple(line for line in (part(r, 1), part(r, 2)) if line)
    return XAD(lines, part(r, 3), part(r, 4), part(r, 5), part(r, 6), part(r, 7), part(r, 9))


def _xtn(r: Repetition) -> XTN:
    return XTN(part(r, 12) or _dialled(r) or part(r, 1), part(r, 2), part(r, 3), part(r, 4))


def _dialled(r: Repetition) -> str:
    """+country area local: XTN.5 to XTN.7, when there is a local number."""
    country, area, local = part(r, 5), part(r, 6), part(r, 7)
    if not local:
        return ""
    return "-".join(piece for piece in (f"+{country.lstrip('+')}" if country else "", area, local) if piece)


def _xcn(r: Repetition) -> XCN:
    return XCN(part(r, 1), part(r, 2), part(r, 3), part(r, 6), part(r, 9), part(r, 13))


def _cwe(r: Repetition) -> CWE:
    return CWE(part(r, 1), part(r, 2), part(r, 3))


def _pl(r: Repetition) -> PL:
    return PL(part(r, 1), part(r, 2), part(r, 3), part(r, 4), part(r, 7), part(r, 8))


def _xon(r: Repetition) -> XON:
    return XON(part(r, 1), part(r, 10) or part(r, 3), part(r, 6), part(r, 7))


def _hd(r: Repetition) -> tuple[str, ...]:
    return tuple(piece for piece in (part(r, 1), part(r, 2)) if piece)


def dtm(field: Field, where: str) -> Dtm:
    return dates.read(part(field[0], 1), where)


CXS, XPNS, XADS, XTNS, XCNS = (_several(read) for read in (_cx, _xpn, _xad, _xtn, _xcn))
XONS, CODES = _several(_xon), _several(_cwe)
CX1, CODE, PLACE, TEXT, XON1, HD = (_single(read) for read in (_cx, _cwe, _pl, _cwe, _xon, _hd))

# segment -> field number -> (name in the record, reader). PD1 adds to the patient, PV2 to the visit, IN2 to the IN1
# before it.
READ: Mapping[str, Mapping[int, tuple[str, Reader]]] = {
    "EVN": {2: ("event_at", dtm), 6: ("occurred_at", dtm), 7: ("event_facility", HD)},
    "PID": {
        2: ("external_ids", CXS),
        3: ("identifiers", CXS),
        4: ("alternate_ids", CXS),
        5: ("names", XPNS),
        7: ("birth", dtm),
        8: ("sex", CODE),
        9: ("aliases", XPNS),
        10: ("races", CODES),
        11: ("addresses", XADS),
        12: ("county", CODE),
        13: ("home_phones", XTNS),
        14: ("business_phones", XTNS),
        15: ("language", CODE),
        16: ("marital", CODE),
        18: ("account", CX1),
        22: ("ethnicities", CODES),
        24: ("multiple_birth", CODE),
        25: ("birth_order", CODE),
        29: ("died_at", dtm),
        30: ("dead", CODE),
        40: ("telecoms", XTNS),
    },
    "PD1": {3: ("practices", XONS), 4: ("practitioners", XCNS), 12: ("protection", CODE)},
    "PV1": {
        2: ("patient_class", CODE),
        3: ("location", PLACE),
        4: ("admission_type", CODE),
        5: ("preadmit_number", CX1),
        6: ("prior_location", PLACE),
        7: ("attending", XCNS),
        8: ("referring", XCNS),
        9: ("consulting", XCNS),
        10: ("service", CODE),
        11: ("temporary_location", PLACE),
        13: ("readmission", CODE),
        14: ("admit_source", CODE),
        16: ("courtesy", CODE),
        17: ("admitting", XCNS),
        19: ("visit_number", CX1),
        36: ("discharge_disposition", CODE),
        37: ("discharged_to", CODE),
        42: ("pending_location", PLACE),
        44: ("admitted_at", dtm),
        45: ("discharged_at", dtm),
        50: ("alternate_number", CX1),
        52: ("others", XCNS),
    },
    "PV2": {
        3: ("admit_reason", CODE),
        8: ("expected_admission", dtm),
        9: ("expected_discharge", dtm),
        11: ("days", CODE),
        22: ("protection", CODE),
        25: ("priority", CODE),
    },
    "NK1": {
        1: ("set_id", CODE),
        2: ("names", XPNS),
        3: ("relationship", CODE),
        4: ("addresses", XADS),
        5: ("home_phones", XTNS),
        6: ("business_phones", XTNS),
        7: ("role", CODE),
        40: ("telecoms", XTNS),
    },
    "IN1": {
        2: ("plan", CODE),
        3: ("company_ids", CXS),
        4: ("company_name", TEXT),
        8: ("group_number", TEXT),
        9: ("group_name", TEXT),
        12: ("effective", dtm),
        13: ("expires", dtm),
        15: ("plan_type", CODE),
        17: ("relationship", CODE),
        36: ("policy_number", TEXT),
        49: ("insured_ids", CXS),
    },
    "IN2": {8: ("medicaid_number", CX1), 61: ("member_number", CX1), 72: ("patient_relationship", CODE)},
    "DG1": {
        2: ("method", CODE),
        3: ("code", CODE),
        4: ("description", TEXT),
        5: ("at", dtm),
        6: ("type", CODE),
        15: ("priority", CODE),
        16: ("clinicians", XCNS),
        21: ("action", CODE),
    },
    "AL1": {
        2: ("type", CODE),
        3: ("code", CODE),
        4: ("severity", CODE),
        5: ("reactions", CODES),
        6: ("onset", dtm),
    },
    "IAM": {
        2: ("type", CODE),
        3: ("code", CODE),
        4: ("severity", CODE),
        5: ("reactions", CODES),
        6: ("action", CODE),
        7: ("number", CX1),
        11: ("onset", dtm),
        13: ("reported", dtm),
        17: ("status", CODE),
    },
    "ROL": {
        2: ("action", CODE),
        3: ("code", CODE),
        4: ("persons", XCNS),
        5: ("begins", dtm),
        6: ("ends", dtm),
        12: ("telecoms", XTNS),
        14: ("organization", XON1),
    },
    "PRT": {
        2: ("action", CODE),
        4: ("code", CODE),
        5: ("persons", XCNS),
        8: ("organization", XON1),
        11: ("begins", dtm),
        12: ("ends", dtm),
        15: ("telecoms", XTNS),
    },
    "MRG": {1: ("patients", CXS), 4: ("patient", CXS)},
}
