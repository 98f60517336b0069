"""v2 fields -> typed parts, one reader a data type, and the table of which fields are read.

Rules: HL7 v2.5.1 chapter 2A (data types). A field is a list of repetitions, a repetition a list of components, a
component a list of subcomponents. Only fields in `READ` are ever looked at; all else stays in the raw message.
Refuses: what is no date (Unreadable, 102).
"""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_mappings.adt import dates
from fhir_mappings.adt.dates import Dtm
from fhir_mappings.adt.records import CWE, CX, PL, XAD, XCN, XPN, XTN

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
    return PL(part(r, 1), part(r, 2), part(r, 3), part(r, 4))


def dtm(field: Field, where: str) -> Dtm:
    return dates.read(part(field[0], 1), where)


CXS, XPNS, XADS, XTNS, XCNS = (_several(read) for read in (_cx, _xpn, _xad, _xtn, _xcn))
CX1, CODE, PLACE, TEXT = _single(_cx), _single(_cwe), _single(_pl), _single(_cwe)

# segment -> field number -> (name in the record, reader). PV2 adds to the visit.
READ: Mapping[str, Mapping[int, tuple[str, Reader]]] = {
    "EVN": {2: ("event_at", dtm), 6: ("occurred_at", dtm)},
    "PID": {
        3: ("identifiers", CXS),
        5: ("names", XPNS),
        7: ("birth", dtm),
        8: ("sex", CODE),
        11: ("addresses", XADS),
        13: ("home_phones", XTNS),
        14: ("business_phones", XTNS),
        16: ("marital", CODE),
        18: ("account", CX1),
        29: ("died_at", dtm),
        30: ("dead", CODE),
        40: ("telecoms", XTNS),
    },
    "PV1": {
        2: ("patient_class", CODE),
        3: ("location", PLACE),
        4: ("admission_type", CODE),
        7: ("attending", XCNS),
        8: ("referring", XCNS),
        9: ("consulting", XCNS),
        14: ("admit_source", CODE),
        17: ("admitting", XCNS),
        19: ("visit_number", CX1),
        36: ("discharge_disposition", CODE),
        44: ("admitted_at", dtm),
        45: ("discharged_at", dtm),
    },
    "PV2": {3: ("admit_reason", CODE)},
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
    "DG1": {3: ("code", CODE), 4: ("description", TEXT)},
}
